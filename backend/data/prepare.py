"""Turn a data file into a dataset that LLaMA-Factory trains on: study, convert, split, register.

All or nothing: the dataset is built in a hidden folder that takes its name when it is whole, and
only after LLaMA-Factory itself has loaded it. The same file, recipe and settings give the same
rows, byte for byte. The source is only read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from orjson import OPT_APPEND_NEWLINE, dumps

from backend.data.card import card_of
from backend.data.checks.registry import flag_of
from backend.data.meaning.convert import maker_of
from backend.data.meaning.faults import Unusable, blank
from backend.data.meaning.lesson import Lesson
from backend.data.meaning.records import recorder_of, target_of
from backend.data.reading.reader import RowReader, Stamp
from backend.data.recipe import PrepareSettings, Recipe
from backend.data.registry import (
    CARD_FILE,
    LEFT_OUT_FILE,
    REPORT_FILE,
    TRAIN_FILE,
    VALIDATION_FILE,
    entries_of,
    read_entries,
    register,
    validation_name,
)
from backend.data.report import CheckReport, Report
from backend.data.split import validation_rows
from backend.data.study_values import Fate, Selection, Study, select
from backend.data.synced import SyncedFile
from backend.data.tasks import Progress
from backend.errors import DataError
from backend.files import write_json, write_text
from backend.staging import clear_leftovers, staging
from backend.workspace import Workspace

Load = Callable[[Path, Sequence[str]], int]
"""Loads entries of a registry as LLaMA-Factory does, and says how many rows it would train on."""

_STAGING = ".preparing-"
_FLUSH_ROWS = 500


@dataclass(frozen=True)
class Plan:
    """What is made from what.

    Attributes:
        stamp: By what a change of the source is recognised, from before it was studied.
        study: Of the rows as the recipe mends them, which decides what is a duplicate.
        over: Which rows are dropped since they are over the recipe's cutoff; None where none are.
    """

    source: Path
    stamp: Stamp
    recipe: Recipe
    settings: PrepareSettings
    study: Study
    over: NDArray[np.bool_] | None = None


@dataclass
class _Written:
    """Counts of what is written."""

    train: int = 0
    validation: int = 0
    mended: int = 0
    system: bool = False
    left_out: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        return self.train + self.validation

    def leave_out(self, reason: str) -> None:
        self.left_out[reason] = self.left_out.get(reason, 0) + 1


def prepare(
    workspace: Workspace, plan: Plan, *, progress: Progress, load: Load | None = None
) -> Report:
    """Make the dataset ``plan.settings.name`` and register it.

    Args:
        progress: What it raises ends the preparation, leaving nothing.
        load: Asks LLaMA-Factory whether it can train on the rows; None where nobody is asked.

    Raises:
        WorkspaceError: the name can't be one.
        DataError: the source can't be read, has no usable row, LLaMA-Factory does not take it, or
            the name is taken.
    """
    target = free_target(workspace, plan.settings)
    try:
        clear_leftovers(workspace.prepared_datasets, _STAGING)
        with staging(workspace.prepared_datasets, _STAGING) as folder:
            report = _build(workspace, folder, plan, progress)
            if load is not None:
                progress("load", 0, 0)
                _try_loading(folder, report, load)
            _publish(workspace, folder, target, report)
    except OSError as error:  # a full disk, a folder that can't be written
        reason = error.strerror or str(error)
        raise DataError(
            "data.errors.not_written", name=plan.settings.name, reason=reason
        ) from error
    return report


def free_target(workspace: Workspace, settings: PrepareSettings) -> Path:
    """Where the dataset will be.

    Raises:
        WorkspaceError, DataError: the settings are none, or the name is taken.
    """
    if not 0 <= settings.validation_share < 1:
        raise DataError("data.errors.share_bad")
    target = workspace.named(workspace.prepared_datasets, settings.name)
    taken = {settings.name, validation_name(settings.name)} & read_entries(workspace).keys()
    if taken or target.exists():
        raise DataError("data.errors.name_taken", name=settings.name)
    return target


def _build(workspace: Workspace, folder: Path, plan: Plan, progress: Progress) -> Report:
    """Write all files of the dataset into ``folder``."""
    selection = select(plan.study, plan.recipe.decisions, plan.over)
    if not selection.taught:
        count = plan.study.rows
        raise DataError("data.errors.no_good_row", name=plan.source.name, count=count)
    reader = RowReader.open(plan.source, cache=workspace.cache)
    if reader.stamp != plan.stamp:  # what was found is about other rows
        raise DataError("data.errors.file_changed", name=plan.source.name)
    written = _write_rows(folder, reader, plan, selection, progress)
    if not written.rows:
        raise DataError("data.errors.no_good_row", name=plan.source.name, count=plan.study.rows)
    report = _report(workspace, reader, plan, written)
    write_json(folder / REPORT_FILE, report.to_json())
    write_text(folder / CARD_FILE, card_of(report))
    return report


# --- Rows ---------------------------------------------------------------------------------------


def _write_rows(
    folder: Path, reader: RowReader, plan: Plan, selection: Selection, progress: Progress
) -> _Written:
    aside = _set_aside(plan, selection)
    written = _Written()
    record_of = recorder_of(target_of(plan.recipe.columns))
    count = reader.count
    with ExitStack() as files:
        train = files.enter_context(SyncedFile(folder / TRAIN_FILE))
        validation = files.enter_context(SyncedFile(folder / VALIDATION_FILE))
        left_out = files.enter_context(SyncedFile(folder / LEFT_OUT_FILE))
        write = train.file.write, validation.file.write  # looked up once, not for each row
        sides = [0, 0]
        for place, lesson, why in _lessons(reader, plan, selection, written):
            number = place + 1
            if number % _FLUSH_ROWS == 0 or number == count:
                progress("write", number, count)
                train.go_on()
            if lesson is None:
                left_out.file.write(_line({"row": number, **why}))
            else:
                side = aside[place]
                sides[side] += 1
                write[side](dumps(record_of(lesson), option=OPT_APPEND_NEWLINE))
        written.train, written.validation = sides
    if not written.validation:
        (folder / VALIDATION_FILE).unlink()
    return written


def _set_aside(plan: Plan, selection: Selection) -> bytes:
    """One byte a row: 1 where it is for validation."""
    taught = selection.fate == Fate.TAUGHT
    aside = np.zeros(len(taught), dtype=bool)
    aside[taught] = validation_rows(
        plan.study.group[taught], plan.settings.validation_share, seed=plan.settings.seed
    )
    return aside.tobytes()


def _line(value: Mapping[str, object]) -> bytes:
    return dumps(value, option=OPT_APPEND_NEWLINE)


def _lessons(
    reader: RowReader, plan: Plan, selection: Selection, written: _Written
) -> Iterator[tuple[int, Lesson | None, Mapping[str, object]]]:
    """The place of each row with what is taught by it, or why nothing is."""
    make = maker_of(plan.recipe.columns)
    mended, excluding = plan.recipe.decisions.mended, plan.recipe.decisions.excluding
    # As the study saw it: to look again in all rows costs more than all the rest.
    to_mend = ((plan.study.flags & np.uint32(sum(map(flag_of, mended)))) != 0).tobytes()
    fates = selection.fate.tobytes()  # one by one, bytes are read ten times as fast as an array
    taught = int(Fate.TAUGHT)  # plain numbers are compared five times as fast
    values = reader.values(place for place, fate in enumerate(fates) if fate == taught)
    for place, number in enumerate(fates):
        if number != taught:
            fate = Fate(number)
            written.leave_out(fate.name.lower())
            yield place, None, _why(plan.study, place, fate, excluding)
            continue
        value = next(values, None)
        try:
            lesson = make(value or {})
        except Unusable as error:  # the study saw a lesson: the file changed in between
            raise DataError("data.errors.file_changed", name=reader.path.name) from error
        if to_mend[place] and (better := _mended(lesson, mended)) is not lesson:
            if _is_empty(better):
                written.leave_out("emptied")
                yield place, None, {"why": "emptied"}
                continue
            written.mended += 1
            lesson = better
        if lesson.system:
            written.system = True
        yield place, lesson, _TAUGHT


_TAUGHT: Mapping[str, object] = {}


def _mended(lesson: Lesson, applied: Collection[str]) -> Lesson:
    # Imported when there is something to mend: to compile the patterns takes 15 ms.
    from backend.data.checks.remedies import remedied

    return remedied(lesson, applied)


def _why(study: Study, place: int, fate: Fate, excluding: int) -> Mapping[str, object]:
    if fate is Fate.UNUSABLE:
        problem = study.problems[int(study.problem[place]) - 1]
        return {"why": "unusable", "problem": problem.key, "params": dict(problem.params)}
    if fate is Fate.BY_CHECK:
        return {"why": "by_check", "checks": study.checks_of(place, excluding)}
    return {"why": fate.name.lower()}


def _is_empty(lesson: Lesson) -> bool:
    return blank(lesson.question) or blank(lesson.output)


# --- The whole ----------------------------------------------------------------------------------


def _try_loading(folder: Path, report: Report, load: Load) -> None:
    """Let LLaMA-Factory load the rows from a registry of their own beside the folder.

    Raises:
        DataError: it does not, or would leave rows out.
    """
    entries = entries_of(report.name, report, folder=folder.name)
    write_json(folder.parent / "dataset_info.json", entries)
    loaded = load(folder.parent, list(entries))
    expected = report.train_rows + report.validation_rows
    if loaded != expected:
        raise DataError(
            "data.errors.loaded_fewer", name=report.name, loaded=loaded, expected=expected
        )


def _publish(workspace: Workspace, folder: Path, target: Path, report: Report) -> None:
    """Give the whole dataset its name, then its entry; take it back where the entry is refused."""
    try:
        folder.rename(target)
    except OSError as error:  # another process was first
        raise DataError("data.errors.name_taken", name=report.name) from error
    try:
        register(workspace, report.name, report)
    except DataError:
        target.rename(folder)
        raise


def _place_of(source: Path, workspace: Workspace) -> str:
    """A path that stays true when the workspace is moved, where the file moves with it."""
    if source.is_relative_to(workspace.root):
        return source.relative_to(workspace.root).as_posix()
    return str(source)


def _report(workspace: Workspace, reader: RowReader, plan: Plan, written: _Written) -> Report:
    study, decisions = plan.study, plan.recipe.decisions
    return Report(
        name=plan.settings.name,
        source=_place_of(reader.path, workspace),
        source_sha256=reader.sha256(),
        source_rows=reader.count,
        target=target_of(plan.recipe.columns),
        system=written.system,
        train_rows=written.train,
        validation_rows=written.validation,
        mended=written.mended,
        left_out=dict(sorted(written.left_out.items())),
        unusable=tuple((problem, count.rows) for problem, count in study.problem_counts()),
        checks={
            name: CheckReport(count.rows, decisions.applies(name))
            for name, count in study.check_counts().items()
        },
        recipe=plan.recipe,
        settings=plan.settings,
    )
