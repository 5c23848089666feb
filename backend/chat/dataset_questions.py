"""Questions from the datasets on which runs were trained, and what a run has seen of them.

Rows are read by number, through the index that the Data tab keeps too: a page costs that page,
whatever the size of the file.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from backend.chat.sheets import Question
from backend.data.checks.registry import TWINS
from backend.data.meaning.convert import convert
from backend.data.meaning.detect import DETECTED_ROWS, detect
from backend.data.meaning.lesson import Lesson
from backend.data.meaning.names import QUESTION, plain
from backend.data.meaning.records import lesson_from
from backend.data.reading.reader import RowReader
from backend.data.registry import LEFT_OUT_FILE, PreparedDataset, find_prepared, list_prepared
from backend.errors import DataError, EngineError, MedTuneError
from backend.files import read_json
from backend.training import layout
from backend.training.runs import Run, find_run
from backend.workspace import Workspace

Side = Literal["trained", "validation"]

_BLANK = re.compile(r"\n\s*\n")
_TRIES = 40
"""So many rows are drawn that turn out to be unusable, or seen, before it is given up."""


@dataclass(frozen=True)
class Seen:
    """A prepared dataset, and what a run has seen of it.

    Attributes:
        run: Id of the run; empty where no run is meant: then all rows for training are "trained".
        trained: The run was trained on the first so many rows.
        certain: The dataset is still the one on which the run was trained.
    """

    dataset: PreparedDataset
    run: str
    trained: int
    certain: bool = True

    def count(self, side: Side) -> int:
        report = self.dataset.report
        return report.validation_rows if side == "validation" else self.trained


def seen_datasets(workspace: Workspace, run_ids: Iterable[str]) -> list[Seen]:
    """The datasets of some runs, one for each run; with no run, every dataset of the workspace."""
    runs = list(dict.fromkeys(run for run in run_ids if run))
    if not runs:
        everything = list_prepared(workspace)
        return [Seen(one, "", one.report.train_rows) for one in everything]
    found = []
    for run_id in runs:
        try:
            run = find_run(workspace, run_id)
            dataset = find_prepared(workspace, str(run.values.get("dataset")))
        except MedTuneError:  # the run or its dataset is gone
            continue
        # LLaMA-Factory trains on the first ``max_samples`` rows; 0 is all of them.
        rows = dataset.report.train_rows
        trained = min(int(run.values.get("max_samples") or 0) or rows, rows)
        found.append(Seen(dataset, run.id, trained, _is_same(run, dataset)))
    return found


def _is_same(run: Run, dataset: PreparedDataset) -> bool:
    record = read_json(run.folder / layout.RECORD)
    noted = record.get("data") if isinstance(record, dict) else None
    if not isinstance(noted, dict):
        return False
    report = dataset.report
    now = {
        "source_sha256": report.source_sha256,
        "recipe": report.recipe.to_json(),
        "settings": report.settings.to_json(),
    }
    return all(noted.get(name) == value for name, value in now.items())


# --- Rows of the dataset ------------------------------------------------------------------------


def dataset_questions(
    workspace: Workspace, seen: Seen, side: Side, numbers: Sequence[int]
) -> list[Question]:
    """The questions of some rows, counted from 0; those past the last are passed over.

    Raises:
        DataError: the file can't be read.
    """
    path = seen.dataset.train_file if side == "trained" else seen.dataset.validation_file
    if path is None:
        return []
    reader = RowReader.open(path, cache=workspace.cache)
    wanted = [number for number in numbers if 0 <= number < min(reader.count, seen.count(side))]
    return [_row(seen, reader, number, side) for number in wanted]


def some_validation(
    workspace: Workspace, seen: Seen, count: int, *, seed: int = 0
) -> list[Question]:
    """As many rows for validation, by chance and in their order; the same seed takes the same."""
    rows = range(seen.count("validation"))
    chosen = sorted(random.Random(seed).sample(rows, min(count, len(rows))))
    return dataset_questions(workspace, seen, "validation", chosen)


def _row(seen: Seen, reader: RowReader, number: int, origin: str) -> Question:
    (row,) = reader.page(number, 1)
    if row.value is None:
        raise DataError("data.errors.file_changed", name=reader.path.name)
    lesson = lesson_from(row.value, seen.dataset.report.target)
    return question_of(lesson, origin, seen.dataset.name, number + 1)


def question_of(lesson: Lesson, origin: str, source: str, row: int) -> Question:
    """What a lesson asks, with its answer as the reference."""
    before = lesson.turns[: -1 if lesson.pair else -2]
    return Question(
        text=lesson.question,
        origin=origin,
        source=source,
        row=row,
        reference=lesson.output,
        system=lesson.system,
        before=tuple((turn.speaker, turn.content) for turn in before),
    )


# --- Rows that were not seen --------------------------------------------------------------------


def unseen_question(workspace: Workspace, seen: Seen, chance: random.Random) -> Question:
    """A row by chance that the run was not trained on; its origin says why.

    It is "validation", "beyond" (the run was told to take fewer rows) or "left_out" (when the
    dataset was prepared). Of those that were left out, one that repeats a row is none: its twin was
    trained on.

    Raises:
        EngineError: there is no such row, or none that can be used.
        DataError: a file can't be read.
    """
    validation = seen.count("validation")
    beyond = seen.dataset.report.train_rows - seen.trained
    left_out = _left_out(workspace, seen.dataset)
    aside = left_out.count if left_out else 0
    for _ in range(_TRIES if validation + beyond + aside else 0):
        place = chance.randrange(validation + beyond + aside)
        if place < validation:
            return dataset_questions(workspace, seen, "validation", [place])[0]
        if place < validation + beyond:
            reader = RowReader.open(seen.dataset.train_file, cache=workspace.cache)
            return _row(seen, reader, seen.trained + place - validation, "beyond")
        assert left_out is not None
        found = _from_source(workspace, seen.dataset, left_out, place - validation - beyond)
        if found is not None:
            return found
    raise EngineError("chat.questions.errors.no_unseen", name=seen.dataset.name)


def _left_out(workspace: Workspace, dataset: PreparedDataset) -> RowReader | None:
    path = dataset.folder / LEFT_OUT_FILE
    if not dataset.report.left_out_rows or not path.is_file():
        return None
    return RowReader.open(path, cache=workspace.cache)


def _from_source(
    workspace: Workspace, dataset: PreparedDataset, left_out: RowReader, place: int
) -> Question | None:
    """The row of the source that was left out; None where it repeats another, or is no question."""
    (noted,) = left_out.page(place, 1)
    why = noted.value or {}
    if set(why.get("checks", ())) & set(TWINS) or not isinstance(why.get("row"), int):
        return None
    report = dataset.report
    try:
        source = RowReader.open(workspace.root / report.source, cache=workspace.cache)
        if source.sha256() != report.source_sha256:  # other rows have these numbers now
            return None
        (row,) = source.page(why["row"] - 1, 1) or (None,)
    except DataError:  # it was deleted since
        return None
    lesson = convert(row, report.recipe.columns).lesson if row else None
    if lesson is None or not lesson.question.strip():
        return None
    return question_of(lesson, "left_out", Path(report.source).name, why["row"])


# --- Questions of a file ------------------------------------------------------------------------


def file_questions(workspace: Workspace, path: Path, *, most: int) -> list[Question]:
    """The questions of any data file whose columns are understood; a text has one on each line.

    Args:
        most: So many rows are read.

    Raises:
        EngineError: no column of it is a question.
        DataError: it can't be read.
    """
    if path.suffix.lower() in (".txt", ".md"):
        return typed_questions(path.read_text(encoding="utf-8", errors="replace"), "file", path)
    reader = RowReader.open(path, cache=workspace.cache)
    rows = reader.page(0, most)
    head = [row.value for row in rows[:DETECTED_ROWS] if row.value]
    understood = detect(head).best
    name = path.name
    if understood is not None:
        lessons = [(row.number, convert(row, understood).lesson) for row in rows]
        return [question_of(one, "file", name, number) for number, one in lessons if one]
    column = _question_column(head)
    if column is None:
        raise EngineError("chat.questions.errors.no_question", name=name)
    asked = [(row.number, row.value[column]) for row in rows if row.value and column in row.value]
    return [Question(str(text), "file", name, number) for number, text in asked if text]


def _question_column(head: Sequence[dict[str, object]]) -> str | None:
    """A file that only asks: the column that is named as questions are, or its only one."""
    columns = list(dict.fromkeys(column for row in head for column in row))
    named = [name for known in QUESTION for name in columns if plain(name) == known]
    return next(iter(named), columns[0] if len(columns) == 1 else None)


def typed_questions(
    words: str, origin: str = "typed", source: Path | None = None
) -> list[Question]:
    """One question on each line; where lines are blank between, one in each block."""
    blocks = _BLANK.split(words.strip())
    parts = blocks if len(blocks) > 1 else words.splitlines()
    name = source.name if source else ""
    return [Question(part.strip(), origin, name) for part in parts if part.strip()]
