"""Preparing a dataset as a task: asked for on the page, done in a process of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from backend.data.decisions import Decisions
from backend.data.meaning.mapping import ColumnMap
from backend.data.prepare import Plan, free_target, prepare
from backend.data.reading.reader import RowReader
from backend.data.recipe import PrepareSettings, Recipe
from backend.data.registry import PreparedDataset, find_prepared, prepared_folders
from backend.data.studies import Request, columns_of, obtain_study
from backend.data.tasks import Progress, Task, TaskState, cancel_task, read_task, start_task
from backend.errors import DataError
from backend.workspace import Workspace, check_name

_HOME = "preparing"


def start_preparing(
    workspace: Workspace,
    source: Path,
    recipe: Recipe,
    settings: PrepareSettings,
    *,
    evaluation: Path | None = None,
    lengths: Path | None = None,
) -> Task:
    """Prepare a dataset in a process of its own.

    Args:
        evaluation: The file that the recipe names.
        lengths: Folder of the measured lengths, where the recipe has a cutoff.

    Raises:
        WorkspaceError, DataError: the settings are none, the name is taken, or the process can't
            be started.
    """
    workspace.check_writable()  # the process that prepares would not know
    free_target(workspace, settings)
    folder = _folder(workspace, settings.name)
    before = read_task(folder)
    if before and before.state is TaskState.RUNNING and before.asked.get("source") != str(source):
        raise DataError("data.errors.name_taken", name=settings.name)
    if before and before.state is not TaskState.RUNNING:
        cancel_task(folder)  # of a dataset of that name that was deleted since, or that failed
    asked = asked_to_prepare(workspace, source, recipe, settings, evaluation, lengths)
    running = before is not None and before.state is TaskState.RUNNING
    asked["asked"] = before.asked.get("asked") if before and running else time.time()
    return start_task(folder, asked)


def asked_to_prepare(
    workspace: Workspace,
    source: Path,
    recipe: Recipe,
    settings: PrepareSettings,
    evaluation: Path | None = None,
    lengths: Path | None = None,
) -> dict[str, Any]:
    """What ``do_prepare`` is asked, but when."""
    return {
        "task": "prepare",
        "workspace": str(workspace.root),
        "source": str(source),
        "recipe": recipe.to_json(),
        "settings": settings.to_json(),
        "evaluation": str(evaluation) if evaluation else "",
        "lengths": str(lengths) if lengths else "",
    }


def find_preparing(workspace: Workspace, name: str) -> Task | None:
    """The task that prepares the dataset of that name, or did."""
    return read_task(_folder(workspace, name))


def list_preparing(workspace: Workspace, source: Path) -> list[Task]:
    """The tasks that prepare a file, or did, the newest first."""
    home = workspace.cache / _HOME
    folders = [one for one in home.iterdir() if one.is_dir()] if home.is_dir() else []
    tasks = [task for folder in folders if (task := read_task(folder))]
    mine = [task for task in tasks if task.asked.get("source") == str(source)]
    return sorted(mine, key=lambda task: task.asked.get("asked", 0), reverse=True)


def offered_name(workspace: Workspace, source_id: str) -> str:
    """A name for the prepared dataset after its source, with a number where it is taken."""
    taken = {one.name for one in prepared_folders(workspace)}
    stem = source_id.replace("\\", "/").split("/")[-1].split(".")[0]
    plain = "".join(letter if letter.isalnum() or letter in "_-" else "-" for letter in stem)
    base = plain.strip("-")[:60] or "dataset"
    names = [base, *(f"{base}-{number}" for number in range(2, len(taken) + 3))]
    return next(name for name in names if name not in taken)


def cancel_preparing(workspace: Workspace, name: str) -> None:
    """End a preparation; nothing of it is kept."""
    cancel_task(_folder(workspace, name))


def forget_preparing(workspace: Workspace, name: str) -> None:
    """Take a task that has ended off the page."""
    task = find_preparing(workspace, name)
    if task and task.state is not TaskState.RUNNING:
        cancel_task(task.folder)


def do_prepare(asked: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Do a task that ``start_preparing`` asked for; returns its result."""
    workspace = Workspace(Path(asked["workspace"]))
    source, recipe = Path(asked["source"]), Recipe.from_json(asked["recipe"])
    evaluation = Path(asked["evaluation"]) if asked["evaluation"] else None
    stamp = RowReader.open(source, cache=workspace.cache, progress=_scanning(progress)).stamp
    request = Request(source, recipe.columns, evaluation, recipe.decisions.mended)
    found = obtain_study(workspace, request, progress)
    over = None
    if recipe.cutoff:
        from backend.data.tokens.cutoff import over_cutoff
        from backend.data.tokens.lengths import Lengths

        lengths = Lengths.load(Path(asked["lengths"]))
        over = over_cutoff(lengths, recipe.cutoff.tokens, found.rows)
    plan = Plan(source, stamp, recipe, PrepareSettings(**asked["settings"]), found, over)

    def load(folder: Path, names: Any) -> int:
        from backend.data.tokens.loading import load_through_llamafactory

        return load_through_llamafactory(folder, names, cache=workspace.cache).rows

    report = prepare(workspace, plan, progress=progress, load=load)
    return {"name": report.name}


def prepared_by(workspace: Workspace, task: Task) -> PreparedDataset | None:
    """The dataset that a task made; None where it is not there any more."""
    with suppress(DataError):
        return find_prepared(workspace, str(task.result["name"]))
    return None


def prepare_now(
    workspace: Workspace,
    source: Path,
    settings: PrepareSettings,
    recipe: Recipe | None = None,
) -> PreparedDataset:
    """Prepare a dataset here and now as it is advised, without asking LLaMA-Factory.

    Raises:
        WorkspaceError, DataError: as ``prepare``.
    """
    free_target(workspace, settings)
    reader = RowReader.open(source, cache=workspace.cache)
    chosen = recipe or _advised(columns_of(reader))
    request = Request(source, chosen.columns, mended=chosen.decisions.mended)
    found = obtain_study(workspace, request, _silent)
    plan = Plan(source, reader.stamp, chosen, settings, found)
    prepare(workspace, plan, progress=_silent)
    return find_prepared(workspace, settings.name)


def _advised(columns: ColumnMap) -> Recipe:
    return Recipe(columns, Decisions().advised_for(columns))


def _scanning(progress: Progress) -> Callable[[int, int], None]:
    return lambda done, total: progress("scan", done, total)


def _silent(_step: str, _done: int, _total: int) -> None:
    """Nobody watches."""


def _folder(workspace: Workspace, name: str) -> Path:
    return workspace.cache / _HOME / check_name(name)
