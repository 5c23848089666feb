"""The plain UTF-8 text of a file that is packed with gzip, or written in another encoding.

All is read as a stream, so that memory stays small whatever comes out. Bytes that are no text in
the encoding become one byte that is none in UTF-8 either: the row that holds it is named, and the
rest is read. Knows nothing about rows.
"""

from __future__ import annotations

import codecs
import zlib
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO, Protocol

from backend.data.reading import window
from backend.data.reading.values import Encoding, Form

if TYPE_CHECKING:
    from zlib import _Decompress as _Member

MAGIC = b"\x1f\x8b\x08"
"""How a file that is packed with gzip begins (RFC 1952, with the only method there is)."""

_WITH_HEADER = 16 + zlib.MAX_WBITS
_INVALID = b"\xff"

_STEP = 1 << 16
"""Packed bytes that are taken at a time."""


class Stream(Protocol):
    """Bytes one after the other; an empty answer is the end."""

    def read(self, size: int, /) -> bytes: ...


class Unpacked:
    """What a gz file holds, whatever number of members it has.

    Attributes:
        packed: Bytes read of the file.
        size: Bytes that came out.
        cut: The file ended too early, or is damaged: what came before is all there is.
    """

    def __init__(self, file: Stream) -> None:
        self._file = file
        self._member = zlib.decompressobj(_WITH_HEADER)
        self._ahead = b""
        self._file_ended = False
        self._ended = False
        self.packed = 0
        self.size = 0
        self.cut = False

    def read(self, size: int, /) -> bytes:
        while not self._ended:
            self._fill()
            plain = self._unpack(size)
            if self._member.eof:
                self._next_member()
            if plain:
                self.size += len(plain)
                return plain
            self._ended = self._ended or self._file_ended
        return b""

    def _fill(self) -> None:
        """Read on where all that was read is used up."""
        if not self._ahead:
            self._ahead = self._file.read(_STEP)
            self.packed += len(self._ahead)
            self._file_ended = self.cut = not self._ahead

    def _unpack(self, size: int) -> bytes:
        before = self._member.copy()
        try:
            plain = self._member.decompress(self._ahead, size)
        except zlib.error:
            self._ended = self.cut = True
            return _rescued(before, self._ahead, size)
        self._ahead = self._member.unconsumed_tail
        return plain

    def _next_member(self) -> None:
        """Another member may follow, and zeros that fill up a tape's block."""
        self._ahead = self._member.unused_data.lstrip(b"\0")
        while not self._ahead:
            more = self._file.read(_STEP)
            self.packed += len(more)
            if not more:
                self._ended = True
                return
            self._ahead = more.lstrip(b"\0")
        self._member = zlib.decompressobj(_WITH_HEADER)


def _rescued(member: _Member, packed: bytes, size: int) -> bytes:
    """What comes out before the damage in a piece of packed bytes."""
    plain = b""
    with suppress(zlib.error):
        for place in range(len(packed)):
            if len(plain) > size:
                break
            plain += member.decompress(packed[place : place + 1], size)
    return plain


class InUtf8:
    """Text of another encoding, as UTF-8."""

    def __init__(self, stream: Stream, encoding: Encoding) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)(_HANDLER)
        self._ended = False

    def read(self, size: int, /) -> bytes:
        while not self._ended:
            part = self._stream.read(size)
            self._ended = not part
            words = self._decoder.decode(part, final=self._ended)
            if words:
                return words.encode("utf-8", _HANDLER)
        return b""


def plain_stream(file: BinaryIO, form: Form) -> tuple[Stream, Unpacked | None]:
    """The plain text of a file that stands at its start; and what unpacks it, if it is packed."""
    unpacked = Unpacked(file) if form.packed else None
    stream: Stream = unpacked or file
    if form.kind != "parquet" and form.encoding in ("gb18030", "utf-16"):
        stream = InUtf8(stream, form.encoding)
    return stream, unpacked


def read_up_to(stream: Stream, size: int) -> bytes:
    """The first ``size`` bytes of a stream, or all it has."""
    parts = []
    missing = size
    while missing > 0 and (part := stream.read(min(missing, window.CHUNK))):
        parts.append(part)
        missing -= len(part)
    return b"".join(parts)


def _invalid(error: UnicodeError) -> tuple[str | bytes, int]:
    """Stand in for what can't be decoded: a half character, which is then encoded as no text."""
    if isinstance(error, UnicodeDecodeError):
        return "\udcff", error.end
    if isinstance(error, UnicodeEncodeError):
        return _INVALID * (error.end - error.start), error.end
    raise error


_HANDLER = "medtune-invalid"
codecs.register_error(_HANDLER, _invalid)
