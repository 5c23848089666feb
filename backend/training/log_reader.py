"""A log of any length, read by line number and searched.

A page costs the blocks of the index that it touches, a search what it looks through. Knows nothing
about runs; lines are numbered from 1.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from backend.training.log_index import LogIndex
from backend.training.logs import readable

SEARCH_BUDGET = 64 * 2**20
"""Bytes searched at one call."""

SHOWN_BYTES, SHOWN_CHARACTERS = 64 * 1024, 4_000
"""Read from the end of a longer line (what a progress bar drew last), and shown of any line."""


@dataclass(frozen=True)
class Line:
    """One line as a person can read it; ``flagged`` where it warns or is an error."""

    number: int
    text: str
    flagged: bool


@dataclass(frozen=True)
class Query:
    """Which lines are wanted: those with ``words`` in them, in any case, and those flagged."""

    words: str = ""
    flagged_only: bool = False


@dataclass(frozen=True)
class Found:
    """Lines in their order, and up to which line was looked (both ways from where it began)."""

    lines: list[Line]
    reached: int


class LogReader(LogIndex):
    """Reads one log; safe to use from several threads."""

    def lines(self, numbers: Iterable[int]) -> list[Line]:
        """The lines of these numbers, in their order; those that there are not are left out."""
        wanted = sorted(set(numbers))
        with self._lock, self._opened() as file:
            found: list[Line] = []
            place = 0
            while file and place < len(wanted):
                block = self._block_of(wanted[place])
                group = [n for n in wanted[place:] if self._block_of(n) == block]
                place += len(group)
                of_number = dict(self._raw(file, block))
                found += [self._line(n, of_number[n], block) for n in group if n in of_number]
            return found

    def find(self, query: Query, start: int, limit: int, *, forward: bool) -> Found:
        """Lines that a query wants, from line ``start`` on (included), ``limit`` at most.

        Args:
            forward: Towards the end, else towards the beginning. The lines come in the log's order
                either way. At most ``SEARCH_BUDGET`` bytes are looked at; ``reached`` says how far.
        """
        start = max(1, min(start, self.count)) if not forward else max(1, start)
        found: list[Line] = []
        reached = start - 1 if forward else min(start + 1, max(1, self.count))
        budget = SEARCH_BUDGET
        with self._lock, self._opened() as file:
            for block in self._blocks(start, forward):
                if file is None or budget < 0 or len(found) >= limit:
                    break
                wanted, cost = self._wanted(file, block, query)
                budget -= cost
                last = self._last_of(block)
                reached = last if forward else self._first_of(block)
                ahead = [
                    line
                    for line in wanted
                    if (line.number >= start if forward else line.number <= start)
                ]
                take = limit - len(found)
                if len(ahead) > take:
                    ahead = ahead[:take] if forward else ahead[-take:]
                    reached = ahead[-1].number if forward else ahead[0].number
                found = found + ahead if forward else ahead + found
        return Found(found, reached)

    def _wanted(self, file: IO[bytes], block: int, query: Query) -> tuple[list[Line], int]:
        """The lines of a block that a query wants, and how many bytes that took."""
        whole = block < len(self._starts)
        if query.flagged_only and whole and not self._flags[block]:
            return [], 0
        raw = list(self._raw(file, block))
        cost = sum(len(line) for _, line in raw)
        if query.flagged_only:
            raw = [(number, line) for number, line in raw if self._is_flagged(line, block)]
        needle = query.words.lower()
        coded = needle.encode("utf-8", errors="replace")
        if needle and needle.isascii():  # bytes are cheaper to look through than text is
            raw = [(number, line) for number, line in raw if coded in line.lower()]
        lines = [self._line(number, line, block) for number, line in raw]
        return [line for line in lines if needle in line.text.lower()], cost

    def _blocks(self, start: int, forward: bool) -> Iterable[int]:
        last = len(self._starts) if self.count > self._whole else len(self._starts) - 1
        first = min(self._block_of(start), last + 1)
        return range(first, last + 1) if forward else range(min(first, last), -1, -1)

    def _raw(self, file: IO[bytes], block: int) -> Iterator[tuple[int, bytes]]:
        """The lines of a block by number; of a very long one the end only."""
        if block >= len(self._starts):
            file.seek(max(self._end, self.size - SHOWN_BYTES))
            yield self._whole + 1, file.read(min(SHOWN_BYTES, self.size - self._end))
            return
        start, end = self._extent(block)
        if self._first_of(block) == self._last_of(block):
            start = max(start, end - SHOWN_BYTES)
        file.seek(start)
        # What follows the last line's end is no line.
        lines = file.read(end - start).split(b"\n")[:-1]
        yield from enumerate(lines, self._first_of(block))

    def _line(self, number: int, raw: bytes, block: int) -> Line:
        text = readable(raw.decode("utf-8", errors="replace"))
        if len(text) > SHOWN_CHARACTERS:
            text = text[:SHOWN_CHARACTERS] + " …"
        return Line(number, text, self._is_flagged(raw, block))

    def _opened(self) -> _Opened:
        return _Opened(self._path)


class _Opened:
    """The file, or None where it is gone."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> IO[bytes] | None:
        try:
            self._file = self._path.open("rb")
        except OSError:
            self._file = None
        return self._file

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


_KEPT = 8
_readers: OrderedDict[Path, LogReader] = OrderedDict()
_readers_lock = threading.Lock()


def reader_of(path: Path) -> LogReader:
    """The one reader of a file in this process, so that its index is made once."""
    with _readers_lock:
        reader = _readers.pop(path, None) or LogReader(path)
        _readers[path] = reader
        while len(_readers) > _KEPT:
            _readers.popitem(last=False)
        return reader
