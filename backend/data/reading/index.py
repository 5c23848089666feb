"""Where the rows of a file are: in memory while they are found, then a file of the cache.

An index file is the pairs of offsets as native 64-bit numbers, then what the file was found to be
as JSON, then the length of that. It is looked at through the memory map of the operating system,
so that a million rows cost milliseconds and next to no memory. Knows nothing about what rows hold.
"""

from __future__ import annotations

import mmap
import os
import sys
from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any, BinaryIO

import orjson

from backend.data.reading.values import Form, Stamp

VERSION = 1
"""Of the index file, and of what scanners find: a new one makes the stored ones unknown."""

_KEPT_IN_MEMORY = 1 << 11
"""Numbers, two a row."""

_WIDTH = 8

PAIR = 2 * _WIDTH
"""Bytes of the start and the end of a row."""

Told = Callable[[bytes], None]
"""Called with the pairs of rows that were found, as native 64-bit numbers, some hundred at a time
and each once. The last of all rows may stand for what is wrong at the end of the file."""


class Tail(Enum):
    """How a file ends."""

    CLOSED = "closed"
    TRUNCATED = "truncated"  # inside the array: what came after is missing
    LOST = "lost"  # no row can be made out any more
    UNPACKED = "unpacked"  # the gz file is cut off or damaged
    MORE = "more"  # behind the array of an object comes more than plain values


@dataclass(frozen=True)
class Index:
    """Byte offsets of the rows of a file's plain text.

    Attributes:
        spans: Start and end of each row, one after the other; Parquet has none.
        tail: Where it is not closed, the last row stands for what is wrong there.
    """

    spans: Sequence[int]
    tail: Tail = Tail.CLOSED

    @property
    def count(self) -> int:
        """Number of rows."""
        return len(self.spans) // 2

    def span(self, place: int) -> tuple[int, int]:
        """Where the row at that place, counted from 0, begins and ends."""
        return self.spans[2 * place], self.spans[2 * place + 1]

    def start(self, place: int) -> int:
        """Where the row at that place begins."""
        return self.spans[2 * place]


class Spans:
    """Takes the places of rows as they are found; with a file, only the last lie in memory.

    Args:
        told: Told of rows when they are moved to the file.

    Attributes:
        pairs: Those in memory.
        last_end: Where the last row ended; 0 before there is one.
    """

    def __init__(self, file: BinaryIO | None = None, told: Told | None = None) -> None:
        self._file = file
        self._told = told
        self._written = 0
        self.pairs = array("Q")
        self.last_end = 0

    @property
    def count(self) -> int:
        """Number of rows so far."""
        return (self._written + len(self.pairs)) // 2

    def add(self, start: int, end: int) -> None:
        """One row."""
        self.pairs.append(start)
        self.pairs.append(end)
        self.last_end = end
        if len(self.pairs) >= _KEPT_IN_MEMORY:
            self.flush()

    def add_many(self, pairs: bytes) -> None:
        """Rows as native 64-bit pairs of start and end."""
        self.pairs.frombytes(pairs)
        self.last_end = self.pairs[-1] if pairs else self.last_end
        if len(self.pairs) >= _KEPT_IN_MEMORY:
            self.flush()

    def flush(self) -> None:
        """Move what is in memory to the file, if there is one."""
        if self._file is not None:
            pairs = self.pairs.tobytes()
            self._file.write(pairs)
            if self._told is not None:
                self._told(pairs)
            self._written += len(self.pairs)
            self.pairs = array("Q")


# --- The file -----------------------------------------------------------------------------------


def write_footer(file: BinaryIO, path: Path, stamp: Stamp, form: Form, tail: Tail) -> None:
    """End an index file behind its pairs."""
    footer = {**_identity(path, stamp), "form": asdict(form), "tail": tail.value}
    content = orjson.dumps(footer)
    file.write(content + len(content).to_bytes(_WIDTH, "big"))


def load(index_file: Path, path: Path, stamp: Stamp) -> tuple[Form, Index] | None:
    """The stored index of a file as it is now; None where there is none that is whole."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        content = memoryview(_mapped(index_file))
        length = int.from_bytes(content[-_WIDTH:], "big")
        pairs = len(content) - _WIDTH - length
        footer = orjson.loads(content[pairs:-_WIDTH])
        if any(footer[key] != value for key, value in _identity(path, stamp).items()):
            return None
        spans: Sequence[int] = content[:pairs].cast("Q")
        return _form(footer["form"]), Index(spans, Tail(footer["tail"]))
    return None


def _mapped(file: Path) -> mmap.mmap:
    # Nothing in the cache is a link; one that is was put there by somebody else.
    handle = os.open(file, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    try:
        os.utime(file)  # used now: the least used are cleared first
        return mmap.mmap(handle, 0, access=mmap.ACCESS_READ)
    finally:
        os.close(handle)


def _identity(path: Path, stamp: Stamp) -> dict[str, Any]:
    return {
        "version": VERSION,
        "order": sys.byteorder,
        "path": os.fsencode(path).hex(),
        "stamp": [stamp.inode, stamp.size, stamp.modified],
    }


def _form(fields: dict[str, Any]) -> Form:
    return Form(**{**fields, "columns": tuple(fields["columns"])})
