"""What the Data tab asks about a file: its rows, what they teach, what was found, what becomes of
them.

Each answer is made from the file, its draft and its study, all of them on disk.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeGuard

import numpy as np

from backend.data.checks.remedies import remedied
from backend.data.decisions import Decisions
from backend.data.drafts import Draft, changing_drafts, draft_age, read_draft, write_draft
from backend.data.look import (
    Look,
    SeenRow,
    fate_of,
    fault_in,
    filtered,
    findings_in,
    request_of,
    selected,
)
from backend.data.meaning.convert import Converted, compile_map
from backend.data.meaning.detect import (
    DETECTED_ROWS,
    Detection,
    counted,
    detect,
    numbering_in,
)
from backend.data.meaning.mapping import ColumnMap, Shape
from backend.data.reading.reader import Found, Row, RowReader, Stamp
from backend.data.studies import (
    Request,
    cancel_study,
    find_study,
    start_study,
    study_in,
)
from backend.data.tasks import Task, TaskState
from backend.data.tokens.measuring import LengthsRequest, Measuring
from backend.errors import DataError, LibraryError
from backend.library.datasets import ready_raw_dataset
from backend.library.models import find_model
from backend.workspace import Workspace

SEARCH_SECONDS = 1.0
"""So long a search goes on before it says how far it came."""

SETTLED_SECONDS = 1.5
"""A draft that was not changed for so long is taken for settled."""


class Desk:
    """The data files of one workspace."""

    def __init__(self, workspace: Workspace, measuring: Measuring) -> None:
        self._workspace, self._measuring = workspace, measuring

    def look(self, source_id: str, *, columns: ColumnMap | None = None) -> Look:
        """How it stands with a file. Costs milliseconds, whatever its size.

        Args:
            columns: Look at the rows in this way, to try it; nothing is kept.

        Raises:
            LibraryError, DataError: it can't be read.
        """
        path = ready_raw_dataset(self._workspace, source_id).path
        reader = RowReader.glance(path, cache=self._workspace.cache)
        draft = read_draft(self._workspace, source_id)
        detection = _detected(_Beginning(path, reader.stamp, reader))
        understood = columns or draft.columns or detection.best
        if understood is not None:
            draft = replace(draft, decisions=draft.decisions.advised_for(understood))
        look = Look(
            source_id=source_id,
            path=path,
            reader=reader,
            draft=draft,
            detection=detection,
            columns=understood,
            evaluation=self._evaluation(draft.evaluation),
            fault=fault_in(understood, detection.columns) if understood else None,
            numbering=numbering_in(understood, _head(reader)) if _chooses(understood) else None,
        )
        if understood is None or columns is not None:
            return look
        return self._with_study(self._with_lengths(look))

    def begin(self, look: Look) -> Look:
        """Start the study of a file, unless it is done or under way.

        Raises:
            DataError: its process can't be started.
        """
        request = request_of(look)
        if request is None or (look.task and look.task.state is not TaskState.INTERRUPTED):
            return look
        for other, task in self._otherwise_mended(look, request):
            if task.state is TaskState.RUNNING:  # of what a person has just taken back
                cancel_study(self._workspace, other)
        start_study(self._workspace, request)
        return self._with_study(look)

    def settled(self, look: Look) -> bool:
        """Whether nobody has changed the draft for a moment: a study of each key that is typed
        into a template would be one too many."""
        return draft_age(self._workspace, look.source_id) >= SETTLED_SECONDS

    def stop(self, look: Look) -> None:
        """End the study of a file."""
        request = request_of(look)
        if request is not None:
            cancel_study(self._workspace, request)

    def measure(self, look: Look) -> None:
        """Measure how long the rows are under the draft's tokenizer, or find that done.

        Raises:
            DataError: no tokenizer is chosen, or the process can't be started.
        """
        request = self._lengths_request(look)
        if request is None:
            raise DataError("data.errors.no_tokenizer")
        self._measuring.start(request)

    def stop_measuring(self, look: Look) -> None:
        """End a measurement."""
        request = self._lengths_request(look)
        if request is not None:
            self._measuring.cancel(request)

    def lengths_folder(self, look: Look) -> Path:
        """Where the lengths of a look that has some are.

        Raises:
            DataError: it has none.
        """
        request = self._lengths_request(look)
        if request is None or look.lengths is None:
            raise DataError("data.errors.lengths_lost")
        return self._measuring.folder(request)

    def draft(self, source_id: str) -> Draft:
        """What was decided about a file so far."""
        return read_draft(self._workspace, source_id)

    def change(self, source_id: str, change: Callable[[Draft], Draft]) -> None:
        """Change what was decided about a file.

        Raises:
            DataError: it can't be kept.
        """
        with changing_drafts(self._workspace):
            before = read_draft(self._workspace, source_id)
            after = change(before)
            if after != before:
                write_draft(self._workspace, source_id, after)

    def understand(self, look: Look, columns: ColumnMap) -> None:
        """Understand the rows of a file in this way from now on; a study of another way ends."""
        if look.columns == columns:
            return
        if look.task and look.task.state is TaskState.RUNNING:
            self.stop(look)
        chosen = None if columns == look.detection.best else columns
        self.change(look.source_id, lambda draft: replace(draft, columns=chosen))

    def counted(self, look: Look, columns: ColumnMap) -> ColumnMap:
        """A map with its numbers of right options counted as the first rows say.

        Raises:
            DataError: the file changed, or can't be read any more.
        """
        return counted(columns, _head(look.reader)) if _chooses(columns) else columns

    # Rows

    def rows(self, look: Look, numbers: Iterable[int]) -> list[SeenRow]:
        """The rows of these numbers that are there.

        Raises:
            DataError: the file changed, or can't be read any more.
        """
        convert = compile_map(look.columns) if look.columns and not look.fault else None
        return [self._seen(look, row, convert) for row in _rows(look.reader, list(numbers))]

    def _seen(self, look: Look, row: Row, convert: Callable[[Row], Converted] | None) -> SeenRow:
        one = convert(row) if convert else Converted(row, None, row.problem)
        place = row.number - 1
        found = findings_in(look, row, one.lesson, self._workspace.cache)
        return SeenRow(
            row=row,
            lesson=one.lesson and remedied(one.lesson, look.draft.decisions.mended),
            problem=one.problem,
            findings=found,
            fate=fate_of(look, place, one.lesson, found),
            twin=int(look.study.twin[place]) if look.study else 0,
        )

    def numbers(self, look: Look, only: str, start: int, size: int) -> list[int]:
        """Numbers of up to ``size`` rows from row ``start`` on, of those that a filter shows."""
        hit = filtered(look, only)
        if hit is None:
            return list(range(start, min(start + size, look.reader.count + 1)))
        places = np.flatnonzero(hit)
        first = int(np.searchsorted(places, start - 1))
        return [int(place) + 1 for place in places[first : first + size]]

    def search(self, look: Look, only: str, words: str, start: int, limit: int) -> Found:
        """Up to ``limit`` rows with some words from row ``start`` on, of those a filter shows.

        Takes about a second at most; what was reached by then is told.

        Raises:
            DataError: the file changed, or can't be read any more.
        """
        hit = filtered(look, only)
        if hit is None:
            return look.reader.search(words, start=start, limit=limit)
        until = time.monotonic() + SEARCH_SECONDS
        rows: list[int] = []
        reached = start - 1
        while len(rows) < limit and reached < look.reader.count:
            left = until - time.monotonic()
            if left <= 0:
                break
            found = look.reader.search(words, start=reached + 1, seconds=left)
            rows += [row for row in found.rows if hit[row - 1]]
            reached = found.reached
        return Found(rows[:limit], rows[limit - 1] if len(rows) >= limit else reached)

    def before(self, look: Look, only: str, start: int, size: int) -> int:
        """Number of the row ``size`` places before ``start``, of those that a filter shows."""
        hit = filtered(look, only)
        if hit is None:
            return max(start - size, 1)
        places = np.flatnonzero(hit)
        first = int(np.searchsorted(places, start - 1))
        return int(places[max(first - size, 0)]) + 1 if len(places) else 1

    def count(self, look: Look, only: str) -> int:
        """How many rows a filter shows."""
        hit = filtered(look, only)
        return look.reader.count if hit is None else int(hit.sum())

    def any_row(self, look: Look, only: str) -> int:
        """Number of some row that a filter shows; 1 where there is none."""
        hit = filtered(look, only)
        if hit is None:
            return random.randint(1, max(look.reader.count, 1))
        places = np.flatnonzero(hit)
        return int(random.choice(places)) + 1 if len(places) else 1

    # Inside

    def _with_study(self, look: Look) -> Look:
        request = request_of(look)
        if request is None:
            return replace(look, task=None)
        task = find_study(self._workspace, request)
        if task is not None and task.state is TaskState.DONE:
            found = self._found_in(task, look)
            if found is not None:
                return replace(found, task=task)
            task = None  # its files are gone: as if it had not been made
        for _, other in self._otherwise_mended(look, request):
            found = self._found_in(other, look) if other.state is TaskState.DONE else None
            if found is not None:
                return replace(found, task=task)
        return replace(look, task=task)

    def _found_in(self, task: Task, look: Look) -> Look | None:
        """The look with what a study found; None where that is gone, or about other rows."""
        with suppress(DataError):
            found = study_in(task)
            if not look.reader.complete:  # it was opened before the study found all rows
                whole = RowReader.open(look.path, cache=self._workspace.cache)
                look = replace(look, reader=whole)
            if found.rows == look.reader.count:
                return selected(replace(look, study=found), found)
        return None

    def _otherwise_mended(self, look: Look, request: Request) -> Iterator[tuple[Request, Task]]:
        """Studies of the same rows under the repairs and masks that were chosen before, the last
        first. What checks found is the same in all of them, so the page need not go blank while
        rows are compared anew."""
        assert look.columns is not None
        usual = Decisions().advised_for(look.columns)
        before = [one.mended for one in (*reversed(look.draft.before), usual)]
        for mended in dict.fromkeys(before):
            other = replace(request, mended=mended)
            task = find_study(self._workspace, other) if other != request else None
            if task is not None:
                yield other, task

    def _with_lengths(self, look: Look) -> Look:
        request = self._lengths_request(look)
        if request is None:
            return look
        task, lengths = self._measuring.state(request), self._measuring.lengths(request)
        return replace(look, measuring=task, lengths=lengths)

    def _lengths_request(self, look: Look) -> LengthsRequest | None:
        draft = look.draft
        if look.columns is None or look.fault or not draft.model or not draft.template:
            return None
        try:
            model = find_model(self._workspace, draft.model).path
        except LibraryError:  # deleted since
            return None
        mended = draft.decisions.mended
        return LengthsRequest(look.path, look.columns, mended, model, draft.template)

    def _evaluation(self, source_id: str) -> Path | None:
        if not source_id:
            return None
        try:
            return ready_raw_dataset(self._workspace, source_id).path
        except LibraryError:
            return None


@dataclass(frozen=True)
class _Beginning:
    """A file as it is now; each look has a reader of its own."""

    path: Path
    stamp: Stamp
    reader: RowReader = field(compare=False)


@lru_cache(maxsize=16)
def _detected(start: _Beginning) -> Detection:
    return detect(_head(start.reader))


def _head(reader: RowReader) -> list[Mapping[str, Any]]:
    """The first rows, by which the format is found."""
    return [row.value for row in reader.page(0, DETECTED_ROWS) if row.value is not None]


def _chooses(columns: ColumnMap | None) -> TypeGuard[ColumnMap]:
    return columns is not None and columns.shape is Shape.CHOICE


def _rows(reader: RowReader, numbers: list[int]) -> Iterable[Row]:
    """Rows by number; those in a row are read at once."""
    if numbers and numbers == list(range(numbers[0], numbers[0] + len(numbers))):
        return reader.page(numbers[0] - 1, len(numbers))
    return [row for number in numbers for row in reader.page(number - 1, 1)]
