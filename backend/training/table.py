"""Rows of numbers in the order of their steps, which grow without being copied.

What was handed out stays as it was: rows are written behind those that anybody has seen, and a
table that must change one of those moves to new memory first.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from backend.training.series import Floats

_FIRST = 64
"""Rows that an empty table has room for."""


class Table:
    """Columns of float64; the first is the step and rises strictly.

    Args:
        columns: How many, the step included.
    """

    def __init__(self, columns: int) -> None:
        self._data = np.full((columns, _FIRST), math.nan)
        self.rows = 0

    def column(self, number: int) -> Floats:
        """One column, not to be written to. Later changes to the table are not seen in it."""
        view = self._data[number, : self.rows]
        view.flags.writeable = False
        return view

    def add(self, rows: Iterable[Sequence[float]]) -> float:
        """Append rows; one whose step is not beyond the last takes the place of all from there on.

        A training that went on from a checkpoint logs its steps once more, and these count.

        Returns:
            The smallest step that is new or other than before; infinity where there is none.
        """
        fresh: list[Sequence[float]] = []
        touched = math.inf
        for row in rows:
            touched = min(touched, row[0])
            while fresh and fresh[-1][0] >= row[0]:
                fresh.pop()
            fresh.append(row)
        if fresh:
            self.cut(self.place(touched))
            self.put(self.rows, np.array(fresh, dtype=np.float64).T)
        return touched

    def place(self, step: float) -> int:
        """The number of rows before ``step``."""
        return int(np.searchsorted(self._data[0, : self.rows], step))

    def cut(self, rows: int) -> None:
        """Keep the first ``rows`` rows."""
        if rows < self.rows:
            self._data = self._data.copy()
            self.rows = rows

    def put(self, start: int, values: Floats) -> None:
        """Write rows from row ``start`` on, which must be the table's end.

        Args:
            values: Of shape (columns, new rows).
        """
        end = start + values.shape[1]
        while end > self._data.shape[1]:
            self._data = np.concatenate([self._data, np.full_like(self._data, math.nan)], axis=1)
        self._data[:, start:end] = values
        self.rows = end

    def fill(self, column: int, start: int, values: Floats) -> None:
        """Change a column from row ``start`` on, in rows that have been handed out to nobody."""
        self._data[column, start : start + len(values)] = values
