"""From a data file to a dataset that can be trained on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backend.data.look import Look, SeenRow, doubt_in
from backend.data.meaning.mapping import ColumnMap, Role, Shape
from backend.data.preparing import find_preparing, offered_name, start_preparing
from backend.data.recipe import settings_of
from backend.data.registry import PreparedDataset, find_prepared, list_prepared
from backend.data.study_values import Fate
from backend.data.tasks import Task, TaskState
from backend.errors import CallError, DataError
from backend.problems import Problem
from backend.services import Services
from backend.text import text
from ui.outside.endpoint import await_until

MOST_ROWS = 50
"""Rows that are shown of a file at once."""


class DatasetActions:
    """The Data tab for programs."""

    def __init__(self, services: Services) -> None:
        self._workspace = services.workspace
        self._desk = services.desk

    def look_at_data(
        self,
        language: str,
        source: str,
        first_row: int = 1,
        rows: int = 3,
        wait_seconds: float = 0,
    ) -> dict[str, Any]:
        """What a data file holds: its format, what the checks found in all rows, and some rows as
        they would be taught. The checks run in a process of their own; until they are done their
        counts are not there yet.

        Args:
            source: Id of a data file, from `list_data_files`.
            first_row: Number of the first row to show, from 1.
            rows: How many rows to show, 0 to 50.
            wait_seconds: Wait until the checks are done, for 0 to 60 seconds.

        Returns:
            An object: `source`, `file` (json, jsonl, csv, tsv, parquet), `rows` (null until they
            are counted), `shape` (medical_o1, alpaca, chat, qa, choice, preference; null where none
            fits), `columns` (role: names), `problem` (why it can't be prepared, or what to mind;
            null), `checked` (done, running, failed, interrupted; null where they can't run),
            `becomes` (rows by what becomes of them: taught, unusable, by_hand, by_check,
            over_cutoff; null until the checks are done), `findings` (of each check: `check`,
            `name`, `rows`, `remedied`), `shown` (rows with `row`, `system`, `question`, `answer`
            with its reasoning in a think block, `becomes`, `notes`).
        """
        if first_row < 1:
            raise CallError("outside.errors.first", name="first_row")
        if not 0 <= rows <= MOST_ROWS:
            raise CallError("outside.errors.rows", name="rows", most=MOST_ROWS)

        def over() -> bool:
            task = self._desk.look(source).task
            return task is None or task.state is not TaskState.RUNNING

        self._desk.begin(self._desk.look(source))
        await_until(over, wait_seconds)
        look = self._desk.look(source)
        shown = self._desk.rows(look, self._desk.numbers(look, "all", first_row, rows))
        return {**_seen(look, language), "shown": [_row(one, language) for one in shown]}

    def prepare_dataset(
        self,
        language: str,
        source: str,
        name: str = "",
        validation_share: float = 0.1,
        seed: int = 42,
        shape: str = "",
        columns: dict[str, Any] | None = None,
        prompt: str = "",
        answer: str = "",
        reasoning: bool = True,
    ) -> dict[str, Any]:
        """Make a dataset for training from a data file, in a process of its own; follow it with
        `follow_dataset`. The checks' remedies are applied as they stand on the page: as advised
        where nobody chose otherwise. The file itself is never changed. Where the page says that
        rows over the cutoff are dropped, their tokens are counted first: this refuses and says so,
        until a later call finds them counted.

        Args:
            source: Id of a data file, from `list_data_files`.
            name: Of the dataset; a free one after the file where it is empty.
            validation_share: Share of the rows to keep for validation, 0 to below 1.
            seed: Another seed keeps other rows for validation.
            shape: medical_o1, alpaca, chat, qa, choice or preference; as found where it is empty.
            columns: Role (question, input, reasoning, answer, system, history, messages, options,
                correct, chosen, rejected) to the name of its column, or a list of names for
                options; null for those that were found.
            prompt: Template of the user's words, such as `{question}`; empty for the shape's own.
            answer: Template of the answer without its reasoning; empty for the shape's own.
            reasoning: Teach the reasoning that is there; false leaves it out.

        Returns:
            As `follow_dataset`.
        """
        look = self._desk.look(source)
        if shape or columns or prompt or answer or not reasoning:
            wanted = _understood(look, shape, columns or {})
            wanted = replace(
                wanted,
                prompt=prompt or wanted.prompt,
                answer=answer or wanted.answer,
                reasoning=reasoning,
            )
            look = self._desk.look(source, columns=self._desk.counted(look, wanted))
        settings = settings_of(
            name.strip() or offered_name(self._workspace, source),
            percent=validation_share * 100,
            seed=seed,
        )
        self._count_first(look)
        recipe = look.recipe
        task = start_preparing(
            self._workspace,
            look.path,
            recipe,
            settings,
            evaluation=look.evaluation,
            lengths=self._desk.lengths_folder(look) if recipe.cutoff else None,
        )
        return self._told(settings.name, task, language)

    def _count_first(self, look: Look) -> None:
        """Let tokens be counted by which rows are to be dropped, where they are not.

        Raises:
            CallError: they are being counted.
            DataError: they can't be.
        """
        if not look.draft.drop or look.lengths is not None or not look.columns or look.fault:
            return
        if (problem := look.measuring.problem if look.measuring else None) is not None:
            raise DataError(problem.key, **problem.params)
        self._workspace.check_writable()
        self._desk.measure(look)
        raise CallError("outside.errors.counting", cutoff=look.draft.cutoff)

    def follow_dataset(self, language: str, name: str, wait_seconds: float = 0) -> dict[str, Any]:
        """How far the preparation of a dataset is, or what became of it.

        Args:
            name: Of the dataset.
            wait_seconds: Wait until it is prepared or has failed, for 0 to 60 seconds.

        Returns:
            An object: `name`, `state` (running, done, failed, interrupted), `step` (what it is at,
            a sentence), `done` and `total` (of that step, in units of its own; total is 0 where
            unknown), `problem` (why it failed, a sentence or null), and once it is done
            `train_rows`, `validation_rows`, `repaired_rows`, `left_out_rows`, `source`.
        """

        def over() -> bool:
            task = find_preparing(self._workspace, name)
            return task is None or task.state is not TaskState.RUNNING

        await_until(over, wait_seconds)
        return self._told(name, find_preparing(self._workspace, name), language)

    def list_datasets(self, language: str) -> list[dict[str, Any]]:
        """The datasets that can be trained on, the newest first.

        Returns:
            A list of objects: `name`, `train_rows`, `validation_rows`, `repaired_rows`,
            `left_out_rows`, `source` (the file that it was made from), `created` (ISO 8601, UTC).
        """
        found = sorted(list_prepared(self._workspace), key=lambda one: one.created, reverse=True)
        return [{"name": one.name, **_counts(one), "created": one.created} for one in found]

    def _told(self, name: str, task: Task | None, language: str) -> dict[str, Any]:
        if task is None or task.state is TaskState.DONE:
            return {**_progress(name, "done"), **_counts(find_prepared(self._workspace, name))}
        if task.state is TaskState.RUNNING:
            step = text(language, f"data.steps.{task.step or 'starting'}", name=name)
            return _progress(name, "running", step, task.done, task.total)
        problem = task.problem or Problem("data.errors.task_interrupted")
        return {**_progress(name, task.state.value), "problem": problem.sentence(language)}


def _progress(
    name: str, state: str, step: str = "", done: int = 0, total: int = 0
) -> dict[str, Any]:
    said = {"name": name, "state": state, "step": step, "done": done, "total": total}
    return {**said, "problem": None}


def _counts(dataset: PreparedDataset) -> dict[str, Any]:
    report = dataset.report
    return {
        "train_rows": report.train_rows,
        "validation_rows": report.validation_rows,
        "repaired_rows": report.mended,
        "left_out_rows": report.left_out_rows,
        "source": report.source,
    }


def _understood(look: Look, shape: str, columns: Mapping[str, Any]) -> ColumnMap:
    """How the rows are understood, with what a program says in place of what was found."""
    found = look.columns
    if not shape and found is None:
        raise DataError("data.errors.no_columns", name=look.path.name)
    shapes, roles = {one.value: one for one in Shape}, {one.value: one for one in Role}
    if shape and shape not in shapes:
        raise CallError("outside.errors.choice", name="shape", choices=", ".join(shapes))
    named: dict[Role, tuple[str, ...]] = {}
    for role, names in columns.items():
        several = names if isinstance(names, list) else [names]
        if role not in roles or not all(isinstance(one, str) for one in several):
            raise CallError("outside.errors.roles", name="columns", roles=", ".join(roles))
        named[roles[role]] = tuple(several)
    if found is not None and shape in ("", found.shape.value):
        return replace(found, columns={**found.columns, **named})
    return ColumnMap(shapes[shape], named)


def _seen(look: Look, language: str) -> dict[str, Any]:
    columns, task, selection = look.columns, look.task, look.selection
    problem = look.fault or doubt_in(look)
    if columns is None:
        problem = Problem("data.problems.shape_unknown")
    decisions = look.draft.decisions
    counts = look.study.check_counts() if look.study else {}
    becomes = (
        {fate.name.lower(): rows for fate, rows in selection.counts().items()}
        if (selection)
        else None
    )
    return {
        "source": look.source_id,
        "file": look.reader.kind,
        "rows": look.reader.count if look.reader.complete else None,
        "shape": columns.shape.value if columns else None,
        "columns": {role.value: list(names) for role, names in columns.columns.items()}
        if columns
        else {},
        "problem": problem.sentence(language) if problem else None,
        "checked": task.state.value if task else None,
        "becomes": becomes,
        "findings": [
            {
                "check": check,
                "name": text(language, f"data.checks.{check}.name"),
                "rows": count.rows,
                "remedied": decisions.applies(check),
            }
            for check, count in counts.items()
        ],
    }


def _row(seen: SeenRow, language: str) -> dict[str, Any]:
    lesson = seen.lesson
    notes = [one.sentence(language) for one in seen.findings]
    return {
        "row": seen.row.number,
        "system": lesson.system if lesson else "",
        "question": lesson.question if lesson else "",
        "answer": lesson.output if lesson else "",
        "becomes": Fate(seen.fate).name.lower(),
        "notes": [seen.problem.sentence(language), *notes] if seen.problem else notes,
    }
