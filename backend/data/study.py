"""One pass over all rows of a file: what makes a lesson, what the checks find, what is a duplicate.

The rows are dealt out to all cores in ranges; what comes back is small. Knows nothing about pages.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.data.checks.duplicates import Duplicates, Sketches, find_duplicates
from backend.data.checks.overlap import Evaluation
from backend.data.checks.passages import encoded
from backend.data.checks.reading import flags_of_notes
from backend.data.checks.registry import bit_of, flag_of
from backend.data.checks.remedies import remedied
from backend.data.checks.scan import flags_of_each
from backend.data.meaning.choice import Numbering
from backend.data.meaning.convert import Converted, compile_map
from backend.data.meaning.detect import numbering_in
from backend.data.meaning.lesson import Lesson
from backend.data.meaning.mapping import ColumnMap, Shape
from backend.data.reading.reader import RowReader, Stamp
from backend.data.study_values import Study
from backend.errors import DataError
from backend.problems import Problem

Progress = Callable[[str, int, int], None]
"""Called with a step (a key below ``data.steps``), how much of it is done, and of how much."""

RANGE_ROWS = 1000
"""Rows dealt out at a time; a file of fewer is read in this very process."""

BATCH_ROWS = 48
"""Rows whose texts are looked at together: what they become fits in a core's cache."""

KINDS_LIMIT = 200
"""So many kinds of faults are told apart; what comes after counts as the last of them."""

_OVERLAP = flag_of("evaluation_overlap")


@dataclass
class _Part:
    """What was found in a range of rows.

    Attributes:
        lessons: Places in the range of the rows that make a lesson; ``sketches`` has these only.
        digests: A number for each lesson's question.
        numbering: What the rows say of where numbers of right options count from.
    """

    problems: dict[int, Problem] = field(default_factory=dict)
    lessons: list[int] = field(default_factory=list)
    flags: list[int] = field(default_factory=list)
    digests: list[int] = field(default_factory=list)
    sketches: Sketches = field(default_factory=Sketches)
    numbering: Numbering = Numbering()
    rows: int = 0


@dataclass(frozen=True)
class Job:
    """What is studied.

    Attributes:
        cache: Folder where indexes of files and unpacked copies lie.
        evaluation: Rows that a model will later be scored on; None where none are chosen.
        mended: Ids of the checks whose repairs and masks are applied. Rows are compared as they
            are taught: two that differ in a telephone number only are one when it is masked.
    """

    source: Path
    cache: Path
    columns: ColumnMap
    evaluation: Evaluation | None = None
    mended: tuple[str, ...] = ()


def study(job: Job, progress: Progress, *, processes: int | None = None) -> Study:
    """Study a file.

    Args:
        processes: As many read at the same time; all cores where None.

    Raises:
        DataError: the file can't be read, or changes meanwhile.
    """
    reader = RowReader.open(
        job.source, cache=job.cache, progress=lambda done, total: progress("scan", done, total)
    )
    reader.sha256()  # by which the lengths of the same content are found
    parts = []
    with _ranges(job, reader, processes) as found:
        for part in found:
            parts.append(part)
            progress("study", sum(one.rows for one in parts), reader.count)
    progress("duplicates", 0, 0)
    return _joined(parts)


@contextmanager
def _ranges(job: Job, reader: RowReader, processes: int | None) -> Iterator[Iterable[_Part]]:
    """The parts in the order of the file."""
    starts = range(0, reader.count, RANGE_ROWS)
    ranges = [(start, min(start + RANGE_ROWS, reader.count)) for start in starts]
    workers = min(processes or os.cpu_count() or 1, len(ranges))
    if workers <= 1:
        yield (_study_range(job, reader, first, end) for first, end in ranges)
        return
    pool = _pool(job, reader.stamp, workers)
    try:
        yield map(_read, pool.map(_study_mine, ranges))
    finally:
        pool.shutdown(cancel_futures=True)


def _pool(job: Job, stamp: Stamp, workers: int) -> ProcessPoolExecutor:
    # A fork has the evaluation file's windows without copying them; elsewhere they are sent once.
    method = "fork" if "fork" in multiprocessing.get_all_start_methods() else None
    context = multiprocessing.get_context(method)
    return ProcessPoolExecutor(workers, context, initializer=_begin, initargs=(job, stamp))


def _read(part: _Part | Problem) -> _Part:
    if isinstance(part, Problem):
        raise DataError(part.key, **part.params)
    return part


# --- In a process of the pool -------------------------------------------------------------------

_mine: list[tuple[Job, Stamp]] = []
"""What it studies, as it was when the study began."""


def _begin(job: Job, stamp: Stamp) -> None:
    _mine[:] = [(job, stamp)]
    Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Else a process whose parent was killed would wait for the next range for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _study_mine(bounds: tuple[int, int]) -> _Part | Problem:
    """What was found in a range, or why it can't be read: an error can't be sent."""
    job, stamp = _mine[0]
    try:
        return _study_range(job, _opened(job.source, job.cache, stamp), *bounds)
    except DataError as error:
        return Problem(error.key, {name: str(value) for name, value in error.params.items()})


@lru_cache(maxsize=1)
def _opened(source: Path, cache: Path, stamp: Stamp) -> RowReader:
    """The file as it was when the study began.

    Raises:
        DataError: it changed since.
    """
    reader = RowReader.open(source, cache=cache)
    if reader.stamp != stamp:
        raise DataError("data.errors.file_changed", name=source.name)
    return reader


# --- A range ------------------------------------------------------------------------------------


def _study_range(job: Job, reader: RowReader, first: int, end: int) -> _Part:
    part = _Part(rows=end - first)
    convert = compile_map(job.columns)
    choices: list[Mapping[str, Any]] = []
    rows, place = reader.rows(first, end), 0
    while batch := list(islice(rows, BATCH_ROWS)):
        _study_batch(job, part, place, map(convert, batch))
        if job.columns.shape is Shape.CHOICE:
            choices += [row.value for row in batch if row.value is not None]
        place += len(batch)
    if job.columns.shape is Shape.CHOICE:
        part.numbering = numbering_in(job.columns, choices)
    return part


def _study_batch(job: Job, part: _Part, first: int, rows: Iterable[Converted]) -> None:
    """Add to a part what is found in rows, of which the first has that place in it."""
    lessons: list[Lesson] = []
    noted: list[int] = []
    for place, one in enumerate(rows, start=first):
        if one.lesson is None:
            part.problems[place] = one.problem or Problem("data.problems.unusable")
            continue
        part.lessons.append(place)
        lessons.append(one.lesson)
        noted.append(flags_of_notes(one.row.notes))
    mending = sum(map(flag_of, job.mended))
    texts = list(map(encoded, lessons))
    for lesson, text, found, notes in zip(
        lessons, texts, flags_of_each(lessons, texts), noted, strict=True
    ):
        taught = remedied(lesson, job.mended) if found & mending else lesson
        if job.evaluation is not None and _overlaps(job.evaluation, lesson, taught):
            found |= _OVERLAP
        part.flags.append(found | notes)
        part.digests.append(_digest(taught))
        part.sketches.add(taught, text if taught is lesson else encoded(taught))


def _overlaps(evaluation: Evaluation, lesson: Lesson, taught: Lesson) -> bool:
    """Invisible characters in a row must not hide what it has in common, nor a mask."""
    return evaluation.overlaps(taught) or (taught is not lesson and evaluation.overlaps(lesson))


def _digest(lesson: Lesson) -> int:
    """63 bits of a question, white space aside; the same on every machine."""
    words = " ".join(lesson.question.split())
    return int.from_bytes(blake2b(words.encode(errors="replace"), digest_size=8).digest()) >> 1


# --- Putting the parts together -----------------------------------------------------------------


def _joined(parts: Sequence[_Part]) -> Study:
    offsets = np.cumsum([0, *(part.rows for part in parts)])
    rows = int(offsets[-1])
    kinds = _Kinds()
    problem = np.zeros(rows, dtype=np.uint16)
    for part, offset in zip(parts, offsets, strict=False):
        for place, one in part.problems.items():
            problem[offset + place] = kinds.number(one)
    places = np.concatenate(
        [
            np.array(part.lessons, dtype=np.int64) + offset
            for part, offset in zip(parts, offsets, strict=False)
        ]
        or [np.zeros(0, dtype=np.int64)]
    )
    found = np.array([flag for part in parts for flag in part.flags], dtype=np.uint32)
    digests = np.array([digest for part in parts for digest in part.digests], dtype=np.int64)
    twins = find_duplicates(Sketches.merge([part.sketches for part in parts]))
    found |= _duplicate_flags(twins)
    return Study(
        problems=kinds.found,
        problem=problem,
        flags=_spread(found, places, rows, np.uint32),
        twin=_spread(_twin_rows(twins, places), places, rows, np.int32),
        numbering=Numbering.of_all(part.numbering for part in parts),
        group=_spread(digests[_first_of_cluster(twins)], places, rows, np.int64),
    )


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
