"""The beginning of a data file: what the file is, and its first rows without reading the rest.

Costs a few megabytes, whatever the size of the file and however it is packed.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path

from backend.data.reading import unpacking
from backend.data.reading.form import PARQUET_MAGIC, encoding_of, form_of
from backend.data.reading.index import Index, Spans, Tail
from backend.data.reading.json_scanner import scan_array
from backend.data.reading.line_scanner import scan_lines
from backend.data.reading.opening import opened, reading
from backend.data.reading.table_scanner import scan_table
from backend.data.reading.unpacking import Stream, Unpacked, plain_stream, read_up_to
from backend.data.reading.values import ROW_LIMIT, Form, Stamp
from backend.data.reading.window import Bytes
from backend.errors import DataError

SIZES = (1 << 20, 4 << 20, ROW_LIMIT + (1 << 20))
"""Bytes of plain text of which a beginning may consist; it is longer where rows are."""

_ENCODING_SIZE = 1 << 18
_MORE_ASCII = 4 << 20


@dataclass(frozen=True)
class Beginning:
    """How a file begins.

    Attributes:
        form: What it is.
        text: The plain text of the beginning; empty for Parquet.
        whole: That is all of the file.
        index: The rows in it.
    """

    form: Form
    text: bytes
    whole: bool
    index: Index


def beginning_of(path: Path, stamp: Stamp, rows: int) -> Beginning:
    """What a file is, with its first ``rows`` rows or as many as are in a few megabytes.

    Raises:
        DataError: it can't be read, it is empty, or nothing that has rows.
    """
    with opened(path, stamp) as file, reading(path):
        packed = file.read(len(unpacking.MAGIC)) == unpacking.MAGIC
        file.seek(0)
        head = _head_of(Unpacked(file) if packed else file, path)
    if head.startswith(PARQUET_MAGIC):
        return Beginning(Form("parquet", packed=packed), b"", False, Index(b""))
    encoding = encoding_of(head, path.name)
    outer = Form("json_lines", encoding, packed)
    size, *larger = SIZES
    while True:
        found = _read(path, stamp, outer, size)
        enough = found.index.count >= (rows if size < SIZES[1] else 1)
        if found.whole or enough or not larger:
            return found
        size = larger.pop(0)


def _head_of(stream: Stream, path: Path) -> bytes:
    """By what the encoding is told; more of it where the first rows are ASCII, as in all."""
    head = read_up_to(stream, _ENCODING_SIZE)
    if not head and isinstance(stream, Unpacked) and stream.cut:
        raise DataError("data.errors.packed_broken", name=path.name)
    if head.isascii():
        for _ in range(_MORE_ASCII // _ENCODING_SIZE):
            part = read_up_to(stream, _ENCODING_SIZE)
            if not part.isascii():
                return head + part
            if not part:
                break
    return head


def _read(path: Path, stamp: Stamp, outer: Form, size: int) -> Beginning:
    with opened(path, stamp) as file, reading(path):
        stream, unpacked = plain_stream(file, outer)
        text = read_up_to(stream, size)
        whole = len(text) < size or not stream.read(1)
    inner = form_of(text, path.name, whole=whole)
    form = replace(inner, encoding=outer.encoding, packed=outer.packed)
    in_memory = BytesIO(text)
    in_memory.seek(form.start)
    spans = Spans()
    tail = scan(in_memory, form, spans)
    if not whole:
        while spans.pairs and spans.pairs[-1] >= size:  # the last may go on behind the beginning
            del spans.pairs[-2:]
        return Beginning(form, text, False, Index(spans.pairs))
    refuse_more(tail, path)
    if unpacked is not None and unpacked.cut:
        tail = end_of_cut(spans, tail, size=len(text))
    return Beginning(form, text, True, Index(spans.pairs, tail))


def scan(file: Bytes, form: Form, spans: Spans) -> Tail:
    """Find the rows of a text, from where ``file`` stands: behind ``form.start``."""
    match form.kind:
        case "json_array":
            return scan_array(file, spans, wrapped=form.wrapped)
        case "json_lines":
            return scan_lines(file, spans)
        case _:
            return scan_table(file, spans, form.delimiter)


def end_of_cut(spans: Spans, tail: Tail, size: int) -> Tail:
    """See to it that the last row of a text stands for what is missing behind it.

    Args:
        size: Bytes of the text.
    """
    if tail is Tail.CLOSED and spans.last_end != size:
        spans.add(size, size)
    return Tail.UNPACKED


def refuse_more(tail: Tail, path: Path) -> None:
    """Refuse an object that holds more than one array.

    Raises:
        DataError: it does.
    """
    if tail is Tail.MORE:
        raise DataError("data.errors.one_object", name=path.name)
