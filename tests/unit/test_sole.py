"""Two dashboards on one workspace: the second reads only, and says so."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from backend.chat.conversations import delete
from backend.errors import MedTuneError, WorkspaceError
from backend.files import read_json, write_json
from backend.services import Services
from backend.staging import staging
from backend.training.runs import RunState, find_run, list_runs
from backend.workspace import Workspace
from tests.conftest import ROOT
from tests.fakes.ready_workspace import VALUES
from tests.fakes.trainers import Make, until

HOLDER = """
import pathlib, sys, time
from backend.sole import Sole
from backend.workspace import Workspace
assert Sole.take(Workspace.open(pathlib.Path(sys.argv[1])))
print("held", flush=True)
time.sleep(300)
"""


@pytest.fixture
def first(workspace: Workspace) -> Iterator[subprocess.Popen[str]]:
    """Another process that has the workspace open."""
    command = [sys.executable, "-c", HOLDER, str(workspace.root)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.fixture
def second(workspace: Workspace, first: subprocess.Popen[str]) -> Iterator[Services]:
    services = Services.open(workspace)
    yield services
    services.close()


def test_the_second_reads_and_changes_nothing(
    ready: Workspace, make: Make, second: Services, tmp_path: Path
) -> None:
    assert second.read_only and second.pump is None
    before = sorted(path.name for path in ready.runs.iterdir())
    (ready.root / "note.json").write_text("1", encoding="utf-8")
    assert read_json(ready.root / "note.json") == 1 and list_runs(ready) == []
    rows = tmp_path / "rows.json"
    rows.write_text('[{"Question": "Why?", "Response": "So."}]', encoding="utf-8")
    changes = [
        lambda: second.supervisor.start(VALUES),
        lambda: second.supervisor.stop("x", now=True),
        lambda: second.supervisor.delete("x"),
        lambda: second.downloads.forget("x"),
        lambda: second.verifier.start("model", "tiny"),
        lambda: second.importer.import_dataset(rows, "copy.json"),
        lambda: write_json(ready.root / "note.json", 2),
        lambda: delete(ready, "x"),
        lambda: staging(ready.runs, ".x-").__enter__(),
    ]
    for change in changes:
        with pytest.raises(MedTuneError) as caught:
            change()
        if caught.value.key.startswith("training.errors.run_missing"):
            continue  # what is not there can't be stopped
        assert isinstance(caught.value, WorkspaceError), caught.value
        assert caught.value.key == "workspace.errors.read_only"
    write_json(ready.cache / "index.json", 1)
    write_json(tmp_path / "elsewhere.json", 1)
    assert sorted(path.name for path in ready.runs.iterdir()) == before


def test_what_a_killed_dashboard_held_is_free(
    workspace: Workspace, first: subprocess.Popen[str]
) -> None:
    assert Services.open(workspace).read_only
    first.kill()
    first.wait()
    services = Services.open(workspace)
    try:
        assert not services.read_only
    finally:
        services.close()
    again = Services.open(workspace)
    again.close()
    assert not again.read_only, "closed, it lets the next one in"


def test_the_dashboards_thread_moves_the_queue_and_ends_with_it(
    ready: Workspace, make: Make
) -> None:
    trainers = make("--steps", "20", "--step-seconds", "0.05")
    trainers.start({**VALUES, "run_name": "a"})
    waits = trainers.start({**VALUES, "run_name": "b"})
    services = Services.open(ready)
    try:
        # Its supervisor would start the real trainer: here one that stands for it is enough.
        object.__setattr__(services.supervisor._line, "launcher", trainers._line.launcher)
        until(ready, waits, RunState.FINISHED)
    finally:
        services.close()
    assert not any(thread.name == "queue of runs" for thread in threading.enumerate())
    assert find_run(ready, waits.id).pid not in (None, os.getpid())
