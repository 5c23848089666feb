"""Where the lines of a growing file are, without reading again what was read.

The index is one of blocks: where each begins in the file, at which line, and how many of its lines
look like warnings or errors. It grows with what is appended. Knows nothing about what is shown.
"""

from __future__ import annotations

import os
import threading
from array import array
from bisect import bisect_right
from collections.abc import Iterator
from pathlib import Path
from typing import IO

CHUNK = 8 * 2**20
"""Bytes read at once while indexing."""

INDEX_BUDGET = 64 * 2**20
"""Bytes indexed at one call, some tenths of a second; the next call goes on."""

BLOCK_LINES, BLOCK_BYTES = 256, 256 * 1024
"""A block is closed at either; a longer line is a block of its own."""

FLAGS = (
    b"WARN", b"ERROR", b"CRITICAL", b"FATAL", b"Warning", b"Error", b"Exception", b"Traceback (",
    b"Killed", b"Segmentation fault", b"core dumped", b"out of memory", b"No space left",
)  # fmt: skip
"""A warning or an error, as logging, Python, torch and the shell write them. Plain words, so that a
piece of a line and the whole line give the same answer."""

_LONGEST_FLAG = 32
_FINGERPRINT = 64


class LogIndex:
    """Knows the lines of one file; safe to use from several threads.

    Attributes:
        generation: Changes when the file was replaced or cut, and all numbers mean other lines.
        size: Bytes of the file at the last ``update``.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.RLock()
        self.generation = 0
        self._forget()

    def _forget(self) -> None:
        self._starts, self._firsts, self._flags = array("Q"), array("Q"), array("L")
        self._whole = 0  # whole lines
        self._end = 0  # where the line that has no end yet begins
        self._scanned = 0  # up to where it has been looked at
        self._open_flagged = False
        self._fingerprint = b""
        self._inode = 0
        self.size = 0

    # --- Size -----------------------------------------------------------------------------------

    @property
    def count(self) -> int:
        """Lines so far, with the one being written."""
        return self._whole + (self.size > self._end and self.complete)

    @property
    def flagged(self) -> int:
        """Whole lines that warn or are errors."""
        return sum(self._flags)

    @property
    def complete(self) -> bool:
        """All of the file is indexed."""
        return self.size - self._scanned <= _LONGEST_FLAG or self.size == self._end

    @property
    def indexed(self) -> int:
        """Bytes of the file that are indexed."""
        return self._scanned

    def update(self, *, budget: int = INDEX_BUDGET) -> bool:
        """Index what is new, ``budget`` bytes at most; whether anything has changed."""
        with self._lock:
            before = (self.generation, self.size, self._scanned)
            try:
                with self._path.open("rb") as file:
                    self._follow(file, budget)
            except OSError:
                if self.size:
                    self._start_over()
            return before != (self.generation, self.size, self._scanned)

    def _start_over(self) -> None:
        self._forget()
        self.generation += 1

    def _follow(self, file: IO[bytes], budget: int) -> None:
        stat = os.fstat(file.fileno())
        if self._inode and not self._is_same(file, stat):
            self._start_over()
        self._inode, self.size = stat.st_ino, stat.st_size
        while budget > 0 and self._scanned < self.size:
            file.seek(self._scanned)
            chunk = file.read(min(CHUNK, self.size - self._scanned))
            if not chunk or not self._take(chunk):
                break
            budget -= len(chunk)
        file.seek(max(0, self._end - _FINGERPRINT))
        self._fingerprint = file.read(min(self._end, _FINGERPRINT))

    def _is_same(self, file: IO[bytes], stat: os.stat_result) -> bool:
        """Whether the file is the one that was indexed, with something appended or not."""
        if stat.st_ino != self._inode or stat.st_size < max(self._scanned, self.size):
            return False
        file.seek(self._end - len(self._fingerprint))
        return file.read(len(self._fingerprint)) == self._fingerprint

    # --- Index ----------------------------------------------------------------------------------

    def _take(self, chunk: bytes) -> bool:
        """Index a piece of the file that begins at ``_scanned``; whether it leads further."""
        import numpy as np

        base = self._scanned
        breaks = np.flatnonzero(np.frombuffer(chunk, np.uint8) == 10)
        flags = [base + place for place in _flags_in(chunk)]
        if not len(breaks):
            self._open_flagged |= bool(flags)
            # A word may have begun in what was looked at: some bytes are looked at again.
            self._scanned = max(base, base + len(chunk) - _LONGEST_FLAG)
            return self._scanned > base
        ends = (base + breaks + 1).tolist()
        flagged = {place for flag in flags if (place := bisect_right(ends, flag)) < len(ends)}
        if self._open_flagged:
            flagged.add(0)
        self._add(ends, sorted(flagged))
        self._open_flagged = any(flag >= self._end for flag in flags)
        self._scanned = max(self._end, base + len(chunk) - _LONGEST_FLAG)
        return True

    def _add(self, ends: list[int], flagged: list[int]) -> None:
        """Put lines, given by where each ends, into blocks."""
        place = 0
        while place < len(ends):
            self._open_block()
            start, room = self._starts[-1], BLOCK_LINES - (self._whole - self._firsts[-1])
            until = min(place + room, bisect_right(ends, start + BLOCK_BYTES))
            if until <= place:
                if self._whole > self._firsts[-1]:  # a long line, and the block has others
                    self._new_block()
                until = place + 1
            self._flags[-1] += _between(flagged, place, until)
            self._whole += until - place
            self._end = ends[until - 1]
            place = until

    def _open_block(self) -> None:
        full = (
            not self._starts
            or self._whole - self._firsts[-1] >= BLOCK_LINES
            or self._end - self._starts[-1] >= BLOCK_BYTES
        )
        if full:
            self._new_block()

    def _new_block(self) -> None:
        self._starts.append(self._end)
        self._firsts.append(self._whole)
        self._flags.append(0)

    def _block_of(self, number: int) -> int:
        """The block of a line; the one after the last holds the line that is being written."""
        if number > self._whole:
            return len(self._starts)
        return bisect_right(self._firsts, number - 1) - 1

    def _first_of(self, block: int) -> int:
        return (self._firsts[block] if block < len(self._starts) else self._whole) + 1

    def _last_of(self, block: int) -> int:
        if block >= len(self._starts):
            return self._whole + 1
        return self._firsts[block + 1] if block + 1 < len(self._starts) else self._whole

    def _extent(self, block: int) -> tuple[int, int]:
        """Where a block begins and ends in the file."""
        last = block + 1 >= len(self._starts)
        return self._starts[block], self._end if last else self._starts[block + 1]

    def _is_flagged(self, raw: bytes, block: int) -> bool:
        if block < len(self._starts) and self._first_of(block) == self._last_of(block):
            return self._flags[block] > 0  # of a long line not all was read again
        return any(flag in raw for flag in FLAGS)


def _flags_in(chunk: bytes) -> Iterator[int]:
    """Where a flag begins, of each kind in turn; one of them in a line is enough."""
    for flag in FLAGS:
        place = chunk.find(flag)
        while place >= 0:
            yield place
            line_end = chunk.find(b"\n", place)
            place = chunk.find(flag, line_end) if line_end >= 0 else -1


def _between(places: list[int], first: int, end: int) -> int:
    return bisect_right(places, end - 1) - bisect_right(places, first - 1)
