"""One pass over all rows of a file: what makes a lesson, what the checks find, what is a duplicate.

The rows are dealt out to all cores in ranges; what comes back is small. Knows nothing about pages.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any

from backend.data.checks.likeness import can_spread
from backend.data.checks.overlap import Evaluation
from backend.data.checks.passages import Text, text_of
from backend.data.checks.reading import flags_of_notes
from backend.data.checks.registry import flag_of
from backend.data.checks.remedies import remedied
from backend.data.checks.scan import BATCH_BYTES, flags_of_each
from backend.data.checks.sketches import Sketches
from backend.data.forked import forked, heard, told
from backend.data.meaning.convert import compile_map
from backend.data.meaning.detect import numbering_in
from backend.data.meaning.lesson import Lesson, Turn
from backend.data.meaning.mapping import ColumnMap, Shape
from backend.data.reading.index import PAIR
from backend.data.reading.opening import stamp_of
from backend.data.reading.reader import RowReader, Stamp
from backend.data.reading.values import Form
from backend.data.study_parts import Part, joined
from backend.data.study_values import Study
from backend.data.tasks import Progress
from backend.errors import DataError
from backend.problems import Problem

RANGE_ROWS = 1000
"""Rows dealt out at a time; a file of fewer is read in this very process."""

EARLY_BYTES = 8 << 20
"""Of a file, for each process that is started before its rows are known."""

_OVERLAP = flag_of("evaluation_overlap")


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
    cores = processes or os.cpu_count() or 1
    stamp = stamp_of(job.source)
    spreads = can_spread()
    with ExitStack() as ending:
        pool = first = None
        early = min(cores, stamp.size // EARLY_BYTES)
        if early > 1:  # they get ready while the rows are looked for
            pool = ending.enter_context(forked(early, _begin, job, stamp))
            for _ in range(early):
                pool.submit(_get_ready)
            first = _First(pool)
        reader = RowReader.open(
            job.source,
            cache=job.cache,
            progress=lambda done, total: progress("scan", done, total),
            told=first,
        )
        reader.sha256()  # by which the lengths of the same content are found
        starts = range(first.rows if first else 0, reader.count, RANGE_ROWS)
        ranges = [(start, min(start + RANGE_ROWS, reader.count)) for start in starts]
        if pool is None and min(cores, len(ranges)) > 1:
            workers = min(cores, len(ranges))
            pool = ending.enter_context(forked(workers, _begin, job, reader.stamp))
        found = (
            map(heard, chain(first.parts() if first else (), pool.map(_study_mine, ranges)))
            if pool
            else (_study_range(job, reader, first, end) for first, end in ranges)
        )
        parts: list[Part] = []
        for part in found:
            parts.append(part)
            progress("study", sum(one.rows for one in parts), reader.count)
        progress("duplicates", 0, 0)
        return joined(parts, pool.map if pool and spreads else map)


class _First:
    """The first rows, which are studied while the rest are looked for.

    Attributes:
        rows: So many rows are dealt out.
    """

    def __init__(self, pool: ProcessPoolExecutor) -> None:
        self._pool = pool
        self._parts: list[Future[Part | Problem]] = []
        self._last = b""
        self.rows = 0

    def __call__(self, form: Form, pairs: bytes) -> None:
        known = self._last + pairs
        known, self._last = known[:-PAIR], known[-PAIR:]  # it may be no row
        self._parts.append(self._pool.submit(_study_told, form, known))
        self.rows += len(known) // PAIR

    def parts(self) -> Iterator[Part | Problem]:
        """What was found in them, range after range."""
        return (part.result() for part in self._parts)


# --- In a process of the pool -------------------------------------------------------------------

_mine: list[tuple[Job, Stamp]] = []
"""What it studies, as it was when the study began."""


def _begin(job: Job, stamp: Stamp) -> None:
    _mine[:] = [(job, stamp)]


def _get_ready() -> None:
    """Make the tables for which the first rows would wait. Most patterns are seldom needed."""
    flags_of_each([_ANY], [text_of(_ANY)])
    sketches = Sketches()
    sketches.add(_ANY, text_of(_ANY).data)
    sketches.arrays()


_ANY = Lesson((Turn("user", "为什么？"), Turn("assistant", "因为。")))


def _study_mine(bounds: tuple[int, int]) -> Part | Problem:
    """What was found in a range, or why it can't be read: an error can't be sent."""
    job, stamp = _mine[0]
    return told(lambda: _study_range(job, _opened(job.source, job.cache, stamp), *bounds))


def _study_told(form: Form, pairs: bytes) -> Part | Problem:
    """The same of rows whose places are told."""
    job, stamp = _mine[0]
    reader = RowReader.part(job.source, stamp, form, pairs)
    return told(lambda: _study_range(job, reader, 0, reader.count))


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


@dataclass
class _Batch:
    """Lessons whose texts are looked at together.

    Attributes:
        texts: What ``text_of`` gives of each lesson.
        noted: The flags of what was noted when each one's row was read.
        size: Bytes of all texts.
    """

    lessons: list[Lesson] = field(default_factory=list)
    texts: list[Text] = field(default_factory=list)
    noted: list[int] = field(default_factory=list)
    size: int = 0

    def add(self, lesson: Lesson, noted: int) -> None:
        text = text_of(lesson)
        self.lessons.append(lesson)
        self.texts.append(text)
        self.noted.append(noted)
        self.size += len(text.data)


def _study_range(job: Job, reader: RowReader, first: int, end: int) -> Part:
    part, batch = Part(rows=end - first), _Batch()
    convert = compile_map(job.columns)
    choices: list[Mapping[str, Any]] | None = [] if job.columns.shape is Shape.CHOICE else None
    for place, row in enumerate(reader.rows(first, end)):
        one = convert(row)
        if choices is not None and row.value is not None:
            choices.append(row.value)
        if one.lesson is None:
            part.problems[place] = one.problem or Problem("data.problems.unusable")
            continue
        part.lessons.append(place)
        batch.add(one.lesson, flags_of_notes(row.notes))
        if batch.size >= BATCH_BYTES:
            _look(job, part, batch)
            batch = _Batch()
    _look(job, part, batch)
    if choices is not None:
        part.numbering = numbering_in(job.columns, choices)
    return part


def _look(job: Job, part: Part, batch: _Batch) -> None:
    """Add to a part what is found in lessons."""
    mending = sum(map(flag_of, job.mended))
    all_found = flags_of_each(batch.lessons, batch.texts)
    for lesson, text, noted, found in zip(
        batch.lessons, batch.texts, batch.noted, all_found, strict=True
    ):
        taught = remedied(lesson, job.mended) if found & mending else lesson
        if job.evaluation is not None and _overlaps(job.evaluation, lesson, taught):
            found |= _OVERLAP
        part.flags.append(found | noted)
        part.digests.append(_digest(taught))
        part.sketches.add(taught, (text if taught is lesson else text_of(taught)).data)


def _overlaps(evaluation: Evaluation, lesson: Lesson, taught: Lesson) -> bool:
    """Invisible characters in a row must not hide what it has in common, nor a mask."""
    return evaluation.overlaps(taught) or (taught is not lesson and evaluation.overlaps(lesson))


def _digest(lesson: Lesson) -> int:
    """63 bits of a question, white space aside; the same on every machine."""
    words = lesson.question
    if words.isascii() and words.isprintable() and "  " not in words:
        words = words.strip()  # as the other way, in half the time
    else:
        words = " ".join(words.split())
    return int.from_bytes(blake2b(words.encode(errors="replace"), digest_size=8).digest()) >> 1
