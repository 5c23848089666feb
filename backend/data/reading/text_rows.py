"""The rows of a text whose index is known: by number, in ranges, and by the words in them.

Knows where the bytes of a row are, and asks a parser what they mean.
"""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from io import BufferedReader
from typing import Any, BinaryIO

from backend import units
from backend.data.reading import values
from backend.data.reading.index import Index, Tail
from backend.data.reading.needle import Needle
from backend.data.reading.parsing import parser_of, value_parser_of
from backend.data.reading.values import Form, Found, Row
from backend.problems import Problem

BLOCK = 1 << 20
"""Bytes of whole rows that are searched at once, at least one row."""

_READ_BYTES = 1 << 18
"""Of whole rows that are read at once: they fit in a core's cache."""

_TAIL_PROBLEM = {
    Tail.TRUNCATED: "data.problems.file_truncated",
    Tail.LOST: "data.problems.file_lost",
    Tail.UNPACKED: "data.problems.file_unpacked",
}


class TextRows:
    """Rows by their offsets.

    Args:
        opened: Opens the plain text at its start; called for each time rows are read.
    """

    def __init__(self, form: Form, index: Index, opened: Callable[[], BinaryIO]) -> None:
        self._index = index
        self._opened = opened
        self._parse = parser_of(form)
        self._parse_value = value_parser_of(form)
        self._escaped = not form.delimiter
        # The last row stands for what is wrong at the end of the file, where something is.
        self._readable = index.count - (index.tail in _TAIL_PROBLEM)

    @property
    def count(self) -> int:
        """Number of rows, unreadable ones included."""
        return self._index.count

    def rows(self, first: int, end: int) -> Iterator[Row]:
        """The rows from ``first`` to before ``end``, counted from 0."""
        parse = self._parse
        for place, length, raw in self._raw(range(first, end)):
            if raw is None:
                yield Row(place + 1, None, self._why_not_read(place, length))
            else:
                yield parse(place + 1, raw)

    def values(self, places: Iterable[int]) -> Iterator[dict[str, Any] | None]:
        """The columns of rows that were read before, at ascending places; None for one that can't
        be read now."""
        parse = self._parse_value
        return (None if raw is None else parse(raw) for _, _, raw in self._raw(places))

    def _raw(self, places: Iterable[int]) -> Iterator[tuple[int, int, bytes | None]]:
        """Ascending places with the lengths and bytes of their rows; None of one that is not
        read. A block of rows is read at once, which takes half the time."""
        spans = self._index.spans
        block, offset, behind = b"", 0, 0
        with self._opened() as file:
            unbuffered = file.raw if isinstance(file, BufferedReader) else file
            for place in places:
                start, end = spans[2 * place], spans[2 * place + 1]
                if end - start > values.ROW_LIMIT or place >= self._readable:
                    yield place, end - start, None
                    continue
                if end > behind:
                    unbuffered.seek(start)
                    block, offset = unbuffered.read(max(_READ_BYTES, end - start)), start
                    behind = offset + len(block)
                yield place, end - start, block[start - offset : end - offset]

    def _why_not_read(self, place: int, length: int) -> Problem | None:
        if place >= self._readable:
            key = _TAIL_PROBLEM[self._index.tail]
            return Problem(key, {"size": units.size(length)})
        if length > values.ROW_LIMIT:
            sizes = {"size": units.size(length), "limit": units.size(values.ROW_LIMIT)}
            return Problem("data.problems.row_large", sizes)
        return None

    # Search

    def search(self, needle: Needle, first: int, seconds: float, limit: int) -> Found:
        """Rows that hold the words, from place ``first`` on; at least one block is looked at."""
        found: list[int] = []
        place, until = first, time.monotonic() + seconds
        with self._opened() as file:
            while place < self.count and len(found) < limit:
                end = self._block_end(place)
                for hit in self._hits(file, needle, place, end):
                    found.append(hit + 1)
                    if len(found) == limit:
                        return Found(found, hit + 1)
                place = end
                if time.monotonic() > until:
                    break
        return Found(found, place)

    def _block_end(self, place: int) -> int:
        """Behind the last row that begins less than a block after the one at ``place``."""
        last = self._index.start(place) + BLOCK
        return bisect_right(range(self.count), last, lo=place + 1, key=self._index.start)

    def _hits(self, file: BinaryIO, needle: Needle, place: int, end: int) -> Iterator[int]:
        """Places of the rows of a block that hold the words."""
        start = self._index.start(place)
        file.seek(start)
        block = file.read(min(self._index.span(end - 1)[1] - start, BLOCK + values.ROW_LIMIT))
        for candidate in self._candidates(block, start, needle, place, end):
            first, stop = self._index.span(candidate)
            if self._why_not_read(candidate, stop - first) is None:
                row = self._parse(candidate + 1, block[first - start : stop - start])
                if row.value is not None and needle.is_in(row.value):
                    yield candidate

    def _candidates(
        self, block: bytes, start: int, needle: Needle, place: int, end: int
    ) -> Iterator[int]:
        """Places of the rows of a block that may hold the words, each once."""
        literal = needle.literal(block, escaped=self._escaped)
        if literal is None:
            yield from range(place, end)
            return
        lowered = block.lower()
        while place < end:
            hit = lowered.find(literal, self._index.start(place) - start)
            if hit < 0:
                return
            place = bisect_right(range(end), start + hit, lo=place, key=self._index.start)
            yield place - 1
