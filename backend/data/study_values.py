"""What one pass over all rows of a file found, and what becomes of each row by the decisions.

Findings are arrays with one entry a row, so that a file of a million rows costs a few megabytes and
no row is read again to count them. Knows nothing about how the pass is made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.data.checks.registry import CHECKS, TWINS, flag_of
from backend.data.decisions import Decisions
from backend.data.meaning.choice import Numbering
from backend.problems import Problem

EXAMPLES = 5
"""So many rows are named beside a count."""


_OF_TWINS = np.uint32(sum(map(flag_of, TWINS)))


class Fate(IntEnum):
    """What becomes of a row, and on whose word."""

    TAUGHT = 0
    UNUSABLE = 1  # it can't be read, or makes no lesson
    BY_HAND = 2
    BY_CHECK = 3
    OVER_CUTOFF = 4


@dataclass(frozen=True)
class Count:
    """How many rows, and the numbers of the first few."""

    rows: int
    examples: tuple[int, ...]

    @classmethod
    def of(cls, hit: NDArray[np.bool_]) -> Count:
        """Of an array with one entry a row."""
        places = np.flatnonzero(hit)
        return cls(len(places), tuple(int(place) + 1 for place in places[:EXAMPLES]))


@dataclass(frozen=True)
class Study:
    """The findings over all rows of a file under one column map.

    Attributes:
        problems: Why rows can't be used, each kind once; ``problem`` refers to them.
        problem: uint16 a row: 0, or 1 + the place in ``problems``.
        flags: uint32 a row: bit i says that ``CHECKS[i]`` found something.
        twin: int32 a row: number of the earlier row of which this is a duplicate, exact or near,
            or whose question it repeats; 0 where there is none.
        group: int64 a row: rows of one group (duplicates, one question) share a number and go
            to one side of a split. The same file gives the same numbers.
        compared: Of an evaluation file the rows that were looked for, and all its rows; None where
            none is chosen.
        numbering: What all rows say of where the numbers of right options count from; nothing
            where they are told otherwise, or there are no options.
    """

    problems: tuple[Problem, ...]
    problem: NDArray[np.uint16]
    flags: NDArray[np.uint32]
    twin: NDArray[np.int32]
    group: NDArray[np.int64]
    compared: tuple[int, int] | None = None
    numbering: Numbering = Numbering()

    @property
    def rows(self) -> int:
        """All rows of the file."""
        return len(self.problem)

    @property
    def usable(self) -> int:
        """Rows that make a lesson."""
        return int((self.problem == 0).sum())

    def problem_counts(self) -> list[tuple[Problem, Count]]:
        """Each kind of fault that makes rows unusable, the most frequent first."""
        counted = [
            (problem, Count.of(self.problem == place))
            for place, problem in enumerate(self.problems, start=1)
        ]
        return sorted(counted, key=lambda one: -one[1].rows)

    def found(self, check_id: str) -> NDArray[np.bool_]:
        """Which rows a check found something in."""
        bit = next(bit for bit, check in enumerate(CHECKS) if check.id == check_id)
        return (self.flags >> np.uint32(bit) & np.uint32(1)).astype(bool)

    def check_counts(self) -> dict[str, Count]:
        """Of each check that found something, in the checks' order."""
        counts = {check.id: Count.of(self.found(check.id)) for check in CHECKS}
        return {name: count for name, count in counts.items() if count.rows}

    def checks_of(self, place: int, among: int = 0xFFFFFFFF) -> list[str]:
        """Ids of the checks that found something in the row at ``place``, counted from 0.

        Args:
            among: Flags of the checks that are asked for.
        """
        found = int(self.flags[place]) & among
        return [check.id for bit, check in enumerate(CHECKS) if found >> bit & 1]

    def save(self, folder: Path) -> None:
        """Write the arrays into ``folder``; raises OSError."""
        for name in _ARRAYS:
            np.save(folder / f"{name}.npy", getattr(self, name))

    @classmethod
    def load(
        cls,
        folder: Path,
        problems: Sequence[Problem],
        compared: tuple[int, int] | None = None,
        numbering: Numbering | None = None,
    ) -> Study:
        """What ``save`` wrote; only what is looked at is read.

        Raises:
            OSError, ValueError: it is not there, or damaged.
        """
        arrays: dict[str, Any] = {
            name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS
        }
        return cls(tuple(problems), compared=compared, numbering=numbering or Numbering(), **arrays)


_ARRAYS = ("problem", "flags", "twin", "group")


@dataclass(frozen=True)
class Selection:
    """What becomes of each row: the study under a person's decisions.

    Attributes:
        fate: uint8 a row, a ``Fate``.
    """

    fate: NDArray[np.uint8]

    @property
    def taught(self) -> int:
        return int((self.fate == Fate.TAUGHT).sum())

    def counts(self) -> Mapping[Fate, int]:
        """Rows of each fate; every fate is there."""
        counted = np.bincount(self.fate, minlength=len(Fate))
        return {fate: int(counted[fate]) for fate in Fate}


def select(study: Study, decisions: Decisions, over: NDArray[np.bool_] | None = None) -> Selection:
    """Apply decisions to a study.

    Args:
        over: Rows that are longer than the cutoff and are to be dropped; None where none are.
    """
    fate = np.zeros(study.rows, dtype=np.uint8)
    if over is not None:
        fate[over] = Fate.OVER_CUTOFF
    excluding = np.uint32(decisions.excluding)
    fate[(study.flags & excluding & ~_OF_TWINS) != 0] = Fate.BY_CHECK
    kept = _places(decisions.kept, study.rows)
    fate[kept] = Fate.TAUGHT
    fate[_places(decisions.excluded, study.rows)] = Fate.BY_HAND
    fate[study.problem != 0] = Fate.UNUSABLE
    copies = (study.flags & excluding & _OF_TWINS) != 0
    if copies.any():
        _leave_out_copies(fate, copies, np.asarray(study.twin), kept)
    return Selection(fate)


def _leave_out_copies(
    fate: NDArray[np.uint8],
    copies: NDArray[np.bool_],
    twin: NDArray[np.int32],
    kept: NDArray[np.int64],
) -> None:
    """Of rows that repeat one another leave out all but one: the first, or where that is not taught
    the first that is, one kept by hand before others. Else what they say would be lost with it.

    Args:
        copies: Rows that are left out for what they repeat.
        twin: Of each the number of the earlier row that it repeats.
        kept: Places of the rows that a person keeps.
    """
    first = np.arange(len(fate))
    first[copies] = twin[copies] - 1
    while not np.array_equal(further := first[first], first):  # to the first of all, by doubling
        first = further
    taught = fate == Fate.TAUGHT
    by_hand = np.zeros(len(fate), dtype=bool)
    by_hand[kept] = True
    orphans = np.flatnonzero(copies & taught & ~taught[first])
    # In the order in which they may stand in for the first one.
    orphans = orphans[np.lexsort((orphans, ~by_hand[orphans], first[orphans]))]
    heirs = orphans[np.unique(first[orphans], return_index=True)[1]]
    left_out = copies & taught & ~by_hand
    left_out[heirs] = False
    fate[left_out] = Fate.BY_CHECK


def _places(rows: frozenset[int], count: int) -> NDArray[np.int64]:
    """Positions of row numbers; those that the file does not have are left out."""
    # Before numpy sees them: a damaged draft may hold numbers that are beyond its own.
    return np.array([row - 1 for row in rows if 1 <= row <= count], dtype=np.int64)
