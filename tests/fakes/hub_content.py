"""What the local hub's files are made of: bytes in memory, mapped, repeated, spoilt."""

from __future__ import annotations

import mmap
import random
from collections.abc import Iterator
from pathlib import Path

_PIECE = 1 << 20


class Content:
    """Bytes that can be sent from anywhere on."""

    size: int

    def view(self, start: int, end: int) -> memoryview:
        """Bytes from ``start`` on: at least one, none at or after ``end``."""
        raise NotImplementedError

    def pieces(self) -> Iterator[memoryview]:
        at = 0
        while at < self.size:
            piece = self.view(at, min(self.size, at + _PIECE))
            yield piece
            at += len(piece)


class Held(Content):
    """Bytes in memory, or a file as it is mapped there: never copied."""

    def __init__(self, data: bytes | Path) -> None:
        self._view = memoryview(data if isinstance(data, bytes) else _mapped(data))
        self.size = len(self._view)

    def view(self, start: int, end: int) -> memoryview:
        return self._view[start:end]


class Repeated(Content):
    """``size`` bytes without holding them: one block of noise again and again.

    The block's length is a prime, so that bytes put at the wrong place change the file's hash.
    """

    BLOCK = 4_194_301

    def __init__(self, size: int) -> None:
        self.size = size
        self._block = memoryview(random.Random(7).randbytes(self.BLOCK))

    def view(self, start: int, end: int) -> memoryview:
        offset = start % self.BLOCK
        return self._block[offset : offset + end - start]


class Garbled(Content):
    """As long as another, and no byte the same."""

    _OTHER = bytes(255 - byte for byte in range(256))

    def __init__(self, content: Content) -> None:
        self.size = content.size
        self._content = content

    def view(self, start: int, end: int) -> memoryview:
        piece = self._content.view(start, min(end, start + _PIECE))
        return memoryview(bytes(piece).translate(self._OTHER))


class Truncated(Content):
    """The first bytes of another."""

    def __init__(self, content: Content, size: int) -> None:
        self.size = min(size, content.size)
        self._content = content

    def view(self, start: int, end: int) -> memoryview:
        return self._content.view(start, end)


def _mapped(path: Path) -> bytes | mmap.mmap:
    with path.open("rb") as file:
        if path.stat().st_size == 0:
            return b""
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
