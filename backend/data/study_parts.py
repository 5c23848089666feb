"""What was found in ranges of rows, put together to what was found in a file.

A range's findings are small, so that they can be sent from one process to another. Knows nothing
about how they are found.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.data.checks.duplicates import Duplicates, Sketches, find_duplicates
from backend.data.checks.likeness import Spread
from backend.data.checks.registry import bit_of
from backend.data.meaning.choice import Numbering
from backend.data.study_values import Study
from backend.problems import Problem

KINDS_LIMIT = 200
"""So many kinds of faults are told apart; what comes after counts as the last of them."""


@dataclass
class Part:
    """What was found in a range of rows.

    Attributes:
        lessons: Places in the range of the rows that make a lesson; ``sketches`` has these only.
        digests: A number for each lesson's question.
        numbering: What the rows say of where numbers of right options count from.
    """

    problems: dict[int, Problem] = field(default_factory=dict)
    lessons: array[int] = field(default_factory=lambda: array("q"))
    flags: array[int] = field(default_factory=lambda: array("I"))
    digests: array[int] = field(default_factory=lambda: array("q"))
    sketches: Sketches = field(default_factory=Sketches)
    numbering: Numbering = Numbering()
    rows: int = 0


def joined(parts: Sequence[Part], spread: Spread = map) -> Study:
    """What was found in all rows, from the parts in the order of the file.

    Args:
        spread: As for ``find_duplicates``.
    """
    offsets = np.cumsum([0, *(part.rows for part in parts)])
    rows = int(offsets[-1])
    kinds = _Kinds()
    problem = np.zeros(rows, dtype=np.uint16)
    for part, offset in zip(parts, offsets, strict=False):
        for place, one in part.problems.items():
            problem[offset + place] = kinds.number(one)
    lessons = _joined((part.lessons for part in parts), np.int64)
    places = lessons + np.repeat(offsets[:-1], [len(part.lessons) for part in parts])
    found = _joined((part.flags for part in parts), np.uint32)
    digests = _joined((part.digests for part in parts), np.int64)
    twins = find_duplicates(Sketches.merge([part.sketches for part in parts]), spread=spread)
    found |= _duplicate_flags(twins)
    return Study(
        problems=kinds.found,
        problem=problem,
        flags=_spread(found, places, rows, np.uint32),
        twin=_spread(_twin_rows(twins, places), places, rows, np.int32),
        numbering=Numbering.of_all(part.numbering for part in parts),
        group=_spread(digests[_first_of_cluster(twins)], places, rows, np.int64),
    )


def _joined(arrays: Iterable[array[int]], dtype: type) -> NDArray[Any]:
    none: NDArray[Any] = np.zeros(0, dtype=dtype)
    return np.concatenate([none, *(np.frombuffer(one, dtype=dtype) for one in arrays)])


def _duplicate_flags(twins: Duplicates) -> NDArray[np.uint32]:
    """One flag a lesson at most: what is the same in all is not also called similar."""
    found = np.zeros(len(twins.cluster), dtype=np.uint32)
    for name, of in (
        ("exact_duplicate", twins.exact_of),
        ("same_question", twins.same_question),
        ("near_duplicate", twins.near_of),
    ):
        fresh = (of >= 0) & (found == 0)
        found |= fresh.astype(np.uint32) << np.uint32(bit_of(name))
    return found


def _twin_rows(twins: Duplicates, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """The number of the earlier row that each is a twin of; 0 for none."""
    of = twins.exact_of
    for other in (twins.same_question, twins.near_of):
        of = np.where(of >= 0, of, other)
    if not len(of):
        return places
    return np.where(of >= 0, places[np.maximum(of, 0)] + 1, 0)


def _first_of_cluster(twins: Duplicates) -> NDArray[np.int64]:
    """Of each lesson the position of the first one of its cluster."""
    _, first, which = np.unique(twins.cluster, return_index=True, return_inverse=True)
    return np.asarray(first[which], dtype=np.int64)


def _spread(
    values: NDArray[Any], places: NDArray[np.int64], rows: int, dtype: type
) -> NDArray[Any]:
    """Values of lessons as an array over all rows, 0 for the others."""
    spread: NDArray[Any] = np.zeros(rows, dtype=dtype)
    spread[places] = values
    return spread


class _Kinds:
    """Kinds of faults, numbered from 1 in the order in which they come."""

    def __init__(self) -> None:
        self._numbers: dict[tuple[str, str], int] = {}
        self._found: list[Problem] = []

    @property
    def found(self) -> tuple[Problem, ...]:
        return tuple(self._found)

    def number(self, problem: Problem) -> int:
        # Of faults that name a place in the text ("near …") each would be a kind of its own.
        about = str(problem.params.get("column", ""))
        kind = (problem.key, about)
        if kind not in self._numbers and len(self._found) < KINDS_LIMIT:
            self._found.append(problem)
            self._numbers[kind] = len(self._found)
        return self._numbers.get(kind, len(self._found))
