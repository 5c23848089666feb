"""A file is studied and a dataset prepared by real processes, LLaMA-Factory's loader included."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from backend.data.decisions import Decisions
from backend.data.preparing import (
    cancel_preparing,
    find_preparing,
    forget_preparing,
    list_preparing,
    prepared_by,
    start_preparing,
)
from backend.data.reading.reader import RowReader
from backend.data.recipe import PrepareSettings, Recipe
from backend.data.registry import list_prepared, read_entries
from backend.data.studies import Request, columns_of, find_study, start_study, study_in
from backend.data.tasks import PROCESS, Task, TaskState
from backend.errors import DataError
from backend.files import read_json
from backend.workspace import Workspace
from tests.fakes.ready_workspace import medical_rows

pytestmark = pytest.mark.integration

SETTINGS = PrepareSettings("x", validation_share=0.2)


@pytest.fixture
def source(workspace: Workspace) -> Path:
    """Twenty rows, of which one refuses and one repeats another."""
    rows = medical_rows(20)
    rows[4] = {**rows[4], "Response": "I'm sorry, but I can't help with that."}
    rows[9] = rows[2]
    path = workspace.raw_datasets / "rows.json"
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


@pytest.fixture(autouse=True)
def nothing_left(workspace: Workspace) -> Iterator[None]:
    yield
    cancel_preparing(workspace, SETTINGS.name)


def until(look: Callable[[], Task | None], wanted: Callable[[Task], bool]) -> Task:
    """The task, once it is as wanted or has ended."""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        task = look()
        assert task is not None
        if wanted(task) or task.state is not TaskState.RUNNING:
            assert wanted(task), f"{task}\n{(task.folder / 'task.log').read_text()}"
            return task
        time.sleep(0.02)
    raise AssertionError(f"not within two minutes: {look()}")


def done(task: Task) -> bool:
    return task.state is TaskState.DONE


def recipe_of(workspace: Workspace, source: Path) -> Recipe:
    columns = columns_of(RowReader.open(source, cache=workspace.cache))
    return Recipe(columns, Decisions().advised_for(columns))


def test_a_study_is_made_by_a_process_of_its_own(workspace: Workspace, source: Path) -> None:
    request = Request(source, recipe_of(workspace, source).columns)
    assert find_study(workspace, request) is None
    assert start_study(workspace, request).state is TaskState.RUNNING
    found = study_in(until(lambda: find_study(workspace, request), done))
    assert (found.rows, found.usable) == (20, 20)
    counts = {name: count.examples for name, count in found.check_counts().items()}
    assert counts == {"refusal": (5,), "exact_duplicate": (10,)}
    assert start_study(workspace, request).state is TaskState.DONE, "it is not made again"


def test_a_killed_preparation_leaves_nothing_and_can_be_started_again(
    workspace: Workspace, source: Path
) -> None:
    """Killed at the latest moment, while LLaMA-Factory loads the rows that are written already."""
    recipe = recipe_of(workspace, source)
    start_preparing(workspace, source, recipe, SETTINGS)
    task = until(lambda: find_preparing(workspace, "x"), lambda task: task.step == "load")
    with pytest.raises(DataError, match="“x” exists already"):
        start_preparing(workspace, source.with_name("other.json"), recipe, SETTINGS)
    pid = read_json(task.folder / PROCESS)["pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: find_preparing(workspace, "x"), lambda task: task.state is TaskState.INTERRUPTED)
    with suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)  # the loader, which would end by itself
    assert list_prepared(workspace) == [] and read_entries(workspace) == {}
    assert not (workspace.prepared_datasets / "x").exists()

    start_preparing(workspace, source, recipe, SETTINGS)
    task = until(lambda: find_preparing(workspace, "x"), done)
    made = prepared_by(workspace, task)
    assert made is not None and [made] == list_prepared(workspace)
    assert (made.report.train_rows, made.report.validation_rows) == (14, 4)
    assert made.report.left_out == {"by_check": 2}
    assert set(read_entries(workspace)) == {"x", "x_validation"}
    folders = [path.name for path in workspace.prepared_datasets.iterdir() if path.is_dir()]
    assert folders == ["x"], "what the killed one left is cleared"
    assert [one.folder for one in list_preparing(workspace, source)] == [task.folder]
    with pytest.raises(DataError, match="“x” exists already"):
        start_preparing(workspace, source, recipe, SETTINGS)
    forget_preparing(workspace, "x")
    assert list_preparing(workspace, source) == []
