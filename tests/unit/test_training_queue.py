"""The queue: order, restarts, cancelling, and that no run is ever trained by two trainers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backend.data.registry import delete_prepared
from backend.data.versions import users_of_prepared
from backend.errors import RunError
from backend.files import read_json, write_json
from backend.library.removal import obstacles
from backend.training import advancing, layout, making, queue
from backend.training.devices import Gpu
from backend.training.pumping import Pump
from backend.training.runs import RunState, find_run, list_runs
from backend.training.supervisor import Supervisor
from backend.workspace import Workspace
from tests.conftest import ROOT
from tests.fakes.fake_trainer import STARTS
from tests.fakes.ready_workspace import DATASET, FAKE_TRAINER, VALUES
from tests.fakes.trainers import Make, until, wait_until

LONG = ("--steps", "1000", "--step-seconds", "0.05")


def named(name: str) -> dict[str, object]:
    return {**VALUES, "run_name": name}


def order(trainers: Supervisor) -> list[str]:
    return [run.id for run in trainers.queue()]


def starts(folder: Path) -> int:
    try:
        return len((folder / STARTS).read_text(encoding="utf-8").splitlines())
    except FileNotFoundError:
        return 0


def test_a_queue_of_three_goes_on_after_a_restart(ready: Workspace, make: Make) -> None:
    """The dashboard is gone after three clicks; the next one finds the queue and works it off."""
    before = make("--steps", "10", "--step-seconds", "0.05")
    runs = [before.start(named(name)) for name in ("a", "b", "c")]
    assert [run.state for run in runs[1:]] == [RunState.QUEUED] * 2 and runs[0].state.active
    assert not (runs[1].folder / layout.LAUNCH).exists()

    pump = Pump(make("--steps", "10"), seconds=0.05)
    pump.start()
    try:
        done = [until(ready, run, RunState.FINISHED) for run in runs]
    finally:
        pump.close()
    assert [starts(run.folder) for run in done] == [1, 1, 1]
    for one, following in zip(done, done[1:], strict=False):
        ended = (one.folder / layout.EXIT).stat().st_mtime_ns
        assert (following.folder / layout.LAUNCH).stat().st_mtime_ns >= ended, "never two at once"


def test_a_cancelled_run_is_never_started(ready: Workspace, make: Make) -> None:
    trainers = make(*LONG)
    going, waits, last = (trainers.start(named(name)) for name in ("a", "b", "c"))
    assert trainers.cancel(waits.id).state is RunState.STOPPED
    assert trainers.stop(last.id, now=False).state is RunState.STOPPED, "stop does the same"
    with pytest.raises(RunError, match="not in the queue"):
        trainers.cancel(waits.id)
    trainers.stop(going.id, now=True)
    trainers.pump()
    assert trainers.active() is None and starts(waits.folder) == starts(last.folder) == 0


def test_runs_change_places(ready: Workspace, make: Make) -> None:
    trainers = make(*LONG)
    for name in ("going", "a", "b", "c"):
        trainers.start(named(name))
    assert order(trainers) == ["a", "b", "c"]
    trainers.move("c", up=True)
    assert order(trainers) == ["a", "c", "b"]
    trainers.move("c", up=True)
    trainers.move("c", up=True)  # at the front already
    assert order(trainers) == ["c", "a", "b"]
    trainers.move("c", up=False)
    trainers.move("b", up=False)  # at the end already
    assert order(trainers) == ["a", "c", "b"]
    with pytest.raises(RunError, match="not in the queue"):
        trainers.move("going", up=True)


def test_places_that_are_the_same_are_counted_anew(ready: Workspace, make: Make) -> None:
    trainers = make(*LONG)
    for name in ("going", "a", "b", "c"):
        trainers.start(named(name))
    for name in ("a", "b", "c"):
        write_json(ready.runs / name / layout.QUEUED, {"order": 1.0})
    trainers.move("c", up=True)
    assert order(trainers) == ["a", "c", "b"]


def test_what_a_queued_run_needs_can_not_be_deleted(ready: Workspace, make: Make) -> None:
    trainers = make(*LONG)
    trainers.start(named("going"))
    trainers.start(named("waits"))
    assert len(obstacles(ready, "model", str(VALUES["model"]))) == 2
    assert set(users_of_prepared(ready, DATASET)[0]) == {"going", "waits"}


def test_a_queued_run_whose_data_is_gone_fails_with_the_reason(
    ready: Workspace, make: Make
) -> None:
    """It stays in the list with its reason, and the next one gets its turn."""
    trainers = make("--steps", "20", "--step-seconds", "0.05")
    going = trainers.start({**named("going"), "dataset": "notes-split"})
    lost = trainers.start(named("lost"))
    last = trainers.start({**named("last"), "dataset": "notes-split"})
    delete_prepared(ready, DATASET)
    until(ready, going, RunState.FINISHED)
    wait_until(lambda: trainers.pump() or not order(trainers))  # type: ignore[func-returns-value]
    failed = find_run(ready, lost.id)
    assert failed.state is RunState.FAILED and failed.failure is not None
    assert failed.failure.key == "data.errors.prepared_missing"
    until(ready, last, RunState.FINISHED)


DASHBOARD = """
import json, os, pathlib, sys
from backend.training import launching, layout
from backend.training.supervisor import Supervisor
from backend.workspace import Workspace

write = launching.write_json

def killed(path, content):
    if path.name == layout.PROCESS:
        os._exit(9)
    write(path, content)

launching.write_json = killed
trainer = (sys.executable, *sys.argv[3:])
workspace = Workspace.open(pathlib.Path(sys.argv[1]))
Supervisor(workspace, command=trainer).start(json.loads(sys.argv[2]))
"""


def test_a_dashboard_killed_between_start_and_note_leaves_one_trainer(
    ready: Workspace, make: Make
) -> None:
    """The next dashboard saw a queued run, started a second trainer, and both wrote one log."""
    options = ("--silent-seconds", "1", "--steps", "5")
    command = [sys.executable, "-c", DASHBOARD, str(ready.root), json.dumps(named("once"))]
    killed = subprocess.run([*command, str(FAKE_TRAINER), *options], cwd=ROOT, timeout=60)
    assert killed.returncode == 9
    run = find_run(ready, "once")
    trainers = make(*options)
    trainers.pump()
    assert find_run(ready, "once").state is not RunState.INTERRUPTED
    until(ready, run, RunState.FINISHED)
    trainers.pump()
    assert starts(run.folder) == 1
    assert run.checkpoints()[0].complete


def test_a_trainer_that_finds_another_one_at_work_leaves_without_a_word(
    ready: Workspace, make: Make
) -> None:
    run = until(ready, make(*LONG).start(named("taken")), RunState.RUNNING)
    second = subprocess.run(
        [sys.executable, str(FAKE_TRAINER), str(run.folder)],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert second.returncode == 1 and "another trainer" in second.stderr
    assert find_run(ready, run.id).state is RunState.RUNNING and starts(run.folder) == 1


def test_a_reused_process_id_does_not_hold_up_the_queue(ready: Workspace, make: Make) -> None:
    """After a restart of the machine the trainer's id belongs to some other program."""
    trainers = make("--steps", "1")
    old = until(ready, trainers.start(named("old")), RunState.FINISHED)
    process = read_json(old.folder / layout.PROCESS)
    (old.folder / layout.EXIT).unlink()
    write_json(old.folder / layout.PROCESS, {**process, "pid": os.getpid()})
    assert find_run(ready, old.id).state is RunState.INTERRUPTED
    assert trainers.start(named("new")).state is not RunState.QUEUED


def test_a_trainer_killed_early_is_not_started_again_by_the_queue(
    ready: Workspace, make: Make
) -> None:
    """A ticket that was left in the folder would train from the beginning over its own log."""
    trainers = make("--steps", "10", "--die-at", "3", "--save-steps", "2")
    run = trainers.start(named("killed"))
    until(ready, run, RunState.INTERRUPTED)
    assert not (run.folder / layout.QUEUED).exists()
    trainers.pump()
    assert find_run(ready, run.id).state is RunState.INTERRUPTED and starts(run.folder) == 1


def test_runs_on_different_gpus_train_at_the_same_time(
    ready: Workspace, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    two = tuple(Gpu(number, f"GPU-{number}", "test", 8, 8, 8.6) for number in (0, 1))
    for module in (advancing, making):
        monkeypatch.setattr(module, "gpus", lambda: two)
    trainers = make(*LONG)
    first = trainers.start({**named("a"), "devices": "0"})
    second = trainers.start({**named("b"), "devices": ""})
    third = trainers.start({**named("c"), "devices": "1"})
    assert (first.devices, second.devices) == ("0", "1") and second.state.active
    assert third.state is RunState.QUEUED and third.devices == "1"
    with pytest.raises(RunError, match="still going"):
        trainers.delete(first.id)
    with pytest.raises(RunError, match="still going"):
        trainers.delete(third.id)
    trainers.stop(second.id, now=True)
    trainers.pump()
    assert find_run(ready, third.id).state is not RunState.QUEUED


def test_nothing_is_read_where_nothing_waits(
    ready: Workspace, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue is looked at once a second for as long as the dashboard is up."""
    until(ready, make("--steps", "1").start(VALUES), RunState.FINISHED)

    def fail(_: Workspace) -> None:
        raise AssertionError("all runs were read")

    monkeypatch.setattr(queue, "list_runs", fail)
    make().pump()
    monkeypatch.undo()
    assert len(list_runs(ready)) == 1
