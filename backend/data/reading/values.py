"""What reading a data file gives: rows, what the file was found to be, and what a search found.

Knows nothing about how any of it is found out.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from backend.problems import Problem

Kind = Literal["json_array", "json_lines", "csv", "tsv", "parquet"]

Encoding = Literal["utf-8", "utf-8-bom", "gb18030", "utf-16"]

Progress = Callable[[int, int], None]
"""Told the bytes done and the bytes in all, a few times a second; what it raises ends the work."""

ROW_LIMIT = 16 << 20
"""Longest row that is looked at, in bytes. The longest real ones stay below a megabyte."""

NESTING_LIMIT = 64
"""Deepest row. Training rows are flat, and what walks through a row must not run out of stack."""

TRIED_ROWS = 20
"""Rows by which a file is judged: the delimiter of a table, and whether any row can be read."""

BROKEN_LIMIT = 100
"""So many bad rows one after another, and the rest of the file counts as one."""


class Row(NamedTuple):
    """One row of a file. A named tuple, since a file has many: three times as fast to make as a
    frozen dataclass.

    Attributes:
        number: Its place in the file, from 1. Blank lines don't count.
        value: Its columns; None where it can't be read.
        problem: Why it can't be read; None where it can.
        notes: What was read otherwise than it is written, such as NaN.
    """

    number: int
    value: dict[str, Any] | None
    problem: Problem | None = None
    notes: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Stamp:
    """By what a file that changed is recognised."""

    inode: int
    size: int
    modified: int

    @classmethod
    def of(cls, status: os.stat_result) -> Stamp:
        return cls(status.st_ino, status.st_size, status.st_mtime_ns)


@dataclass(frozen=True)
class Form:
    """What a file was found to be.

    Attributes:
        kind: What its rows are written as, whatever its name says.
        encoding: Of its text; "utf-8" for Parquet, whose text always is.
        packed: It is packed with gzip.
        start: Offset of its first row in the plain text: behind a byte order mark, the bracket
            that opens an array, or the header of a table.
        wrapped: The array is the value of an object's key: ``{"data": […]}``.
        delimiter: Between the fields of a table; empty where it is none.
        columns: Names of a table's columns; empty where it is none.
    """

    kind: Kind
    encoding: Encoding = "utf-8"
    packed: bool = False
    start: int = 0
    wrapped: bool = False
    delimiter: str = ""
    columns: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Its bytes are UTF-8 text, or Parquet, as they lie there."""
        return not self.packed and self.encoding in ("utf-8", "utf-8-bom")


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        rows: Numbers of the rows that hold the words, from 1.
        reached: Number of the last row that was looked at.
    """

    rows: list[int]
    reached: int
