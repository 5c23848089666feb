"""Real trainings broken off in every way, and taken up again: the losses are those of one whole."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from backend.data.preparing import prepare_now
from backend.data.recipe import PrepareSettings
from backend.files import read_json
from backend.training import layout
from backend.training.checkpoints import faults
from backend.training.resuming import CheckpointError
from backend.training.runs import Run, RunState, find_run, list_runs, process_of, read_progress
from backend.training.supervisor import Supervisor
from backend.workspace import Workspace
from tests.conftest import ROOT
from tests.fakes.full_training_disk import DISK_BYTES
from tests.fakes.logged import logged
from tests.fakes.ready_workspace import VALUES, make_ready, medical_rows
from tests.fakes.trainers import supervised, until, wait_until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]

SECONDS = 300.0

STEPS = 50
TRAINING = {**VALUES, "max_steps": STEPS, "save_steps": 10, "lora_dropout": 0.1}
"""Some epochs with a learning rate that changes and dropout, which draws from the random state."""


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_ready(Workspace.open(tmp_path_factory.mktemp("resume") / "workspace"))


@pytest.fixture(scope="module")
def trainers(ready: Workspace) -> Iterator[Supervisor]:
    with supervised(ready) as supervisor:
        yield supervisor


@pytest.fixture(scope="module")
def whole(ready: Workspace, trainers: Supervisor) -> Run:
    """The training that nothing interrupts."""
    run = trainers.start({**TRAINING, "run_name": "whole"})
    return until(ready, run, RunState.FINISHED, seconds=SECONDS)


def losses(folder: Path) -> dict[int, Any]:
    """The losses by step, every digit of them; a step that is logged twice is a fault."""
    entries = [entry for entry in logged(folder) if "loss" in entry]
    steps = [entry["current_steps"] for entry in entries]
    assert steps == sorted(set(steps)), "each step once, in order"
    return dict(zip(steps, (entry["loss"] for entry in entries), strict=True))


def reached(run: Run, step: int) -> None:
    ended = run.folder / layout.EXIT
    wait_until(lambda: max(losses(run.folder), default=0) >= step or ended.exists(), SECONDS)
    assert not ended.exists(), ended.read_text(encoding="utf-8")


def assert_same(resumed: Run, whole: Run) -> None:
    assert losses(resumed.folder) == losses(whole.folder)
    assert list(losses(resumed.folder)) == list(range(1, STEPS + 1))
    ours, theirs = (
        (run.folder / "adapter_model.safetensors").read_bytes() for run in (resumed, whole)
    )
    assert ours == theirs, "the weights at the end are the same, every bit of them"


def test_killed_and_resumed_it_is_the_training_that_was_never_interrupted(
    ready: Workspace, trainers: Supervisor, whole: Run
) -> None:
    """kill -9 of the trainer; its newest checkpoint cut short as well, and the one before taken."""
    run = trainers.run_again(whole.id)
    assert run.id != whole.id
    reached(run, 24)
    before = find_run(ready, run.id)
    assert before.pid is not None
    os.kill(before.pid, signal.SIGKILL)
    killed = until(ready, run, RunState.INTERRUPTED)
    broken_off = losses(run.folder)
    assert broken_off.items() <= losses(whole.folder).items(), "run again, the same losses"

    newest = [one for one in killed.checkpoints() if one.complete][-1]
    optimiser = newest.path / "optimizer.pt"
    optimiser.write_bytes(optimiser.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="optimizer.pt") as caught:
        trainers.resume(run.id, newest.name)
    assert caught.value.offer == f"checkpoint-{newest.step - 10}"
    assert find_run(ready, run.id).state is RunState.INTERRUPTED, "nothing was changed"

    resumed = trainers.resume(run.id, caught.value.offer)
    assert resumed.attempts == 2
    assert max(losses(run.folder)) == newest.step - 10, "the chart goes on from the checkpoint"
    done = until(ready, run, RunState.FINISHED, seconds=SECONDS)
    assert_same(done, whole)
    kept = done.folder / layout.ATTEMPTS / "1"
    assert max(losses(kept)) == max(broken_off) and (kept / newest.name).is_dir()
    steps = [json.loads(line) for line in (done.folder / layout.METRICS).read_text().splitlines()]
    noted = [entry["step"] for entry in steps if "grad_norm" in entry]
    assert noted == list(range(1, STEPS + 1))


def test_a_checkpoint_now_does_not_stop_and_a_stop_can_be_resumed(
    ready: Workspace, trainers: Supervisor, whole: Run
) -> None:
    run = trainers.start({**TRAINING, "run_name": "stopped"})
    reached(run, 3)
    assert trainers.checkpoint_now(run.id).checkpoint_asked
    wait_until(lambda: not find_run(ready, run.id).checkpoint_asked)
    asked = [one for one in run.checkpoints() if one.complete]
    assert asked and not any(faults(one) for one in asked)
    reached(run, asked[-1].step + 2)
    trainers.stop(run.id, now=False)
    stopped = until(ready, run, RunState.STOPPED)
    assert max(losses(run.folder)) < STEPS, "the machine is too slow for this test: raise STEPS"

    trainers.resume(run.id)
    done = until(ready, run, RunState.FINISHED, seconds=SECONDS)
    assert_same(done, whole)
    assert done.attempts == 2 and stopped.attempts == 1
    progress = read_progress(done)
    assert progress is not None and (progress.step, progress.total) == (STEPS, STEPS)


def test_what_a_run_depends_on_is_recorded(whole: Run) -> None:
    record = read_json(whole.folder / layout.RECORD)
    assert record["seed"] == 42 and record["data"]["source_sha256"]
    for files in (record["data"]["files"], record["model"]["files"]):
        assert len(files[0]["sha256"]) == 64, "of the very file that was read"
    assert {"torch", "transformers", "peft", "llamafactory"} <= record["versions"].keys()
    assert record["model"]["files"][0]["name"] == "model.safetensors"
    assert len(record["medtune"]["commit"]) == 40 and record["devices"] and record["python"]


def test_two_processes_train_stop_and_go_on_together(
    ready: Workspace, trainers: Supervisor
) -> None:
    """One of them would stop at a step at which the other waits for it: they hung for ever."""
    values = {**TRAINING, "processes": 2, "run_name": "together"}
    run = trainers.start(values)
    reached(run, 3)
    living = find_run(ready, run.id)
    assert living.pid is not None
    workers = psutil.Process(living.pid).children()
    assert len(workers) == 2
    trainers.stop(run.id, now=False)
    stopped = until(ready, run, RunState.STOPPED, seconds=SECONDS)
    assert stopped.exit_code == 0
    gone = process_of(run.folder)
    assert gone is not None
    wait_until(lambda: not gone.is_alive() and not any(one.is_running() for one in workers))
    last = stopped.checkpoints()[0]
    assert not faults(last) and (last.path / "rng_state_1.pth").is_file()
    first = losses(run.folder)
    printed = (run.folder / layout.LOG).read_text(encoding="utf-8").count("{'loss'")
    assert printed == len(first), "each loss is printed by one of them"

    target = last.step + 4
    trainers.resume(run.id, changes={"max_steps": target, "lr_scheduler_type": "cosine"})
    done = until(ready, run, RunState.FINISHED, seconds=SECONDS)
    after = losses(done.folder)
    assert list(after) == list(range(1, target + 1)) and first.items() <= after.items()


def test_a_stop_during_an_evaluation_does_not_wait_for_its_end(
    ready: Workspace, trainers: Supervisor
) -> None:
    """An evaluation of 20 minutes had to be sat through before the checkpoint was saved."""
    source = ready.raw_datasets / "many.json"
    source.write_text(json.dumps(medical_rows(4000)), encoding="utf-8")
    prepare_now(ready, source, PrepareSettings(name="many", validation_share=0.95))
    values = {**TRAINING, "dataset": "many", "eval_steps": 1, "per_device_train_batch_size": 1}
    run = trainers.start({**values, "run_name": "evaluating"})
    reached(run, 1)
    trainers.stop(run.id, now=False)
    stopped = until(ready, run, RunState.STOPPED, seconds=SECONDS)
    assert [one.name for one in stopped.checkpoints()] == ["checkpoint-1", "final"]
    assert not faults(stopped.checkpoints()[0])
    entries = logged(run.folder)
    assert [entry["current_steps"] for entry in entries] == [1] and "eval_loss" not in entries[0]


OWN_MOUNTS = ("unshare", "--user", "--map-root-user", "--mount")
MOUNT = f'mount -t tmpfs -o size={DISK_BYTES} none "$0" && exec "$@"'


def test_a_disk_that_fills_while_a_checkpoint_is_saved(tmp_path: Path) -> None:
    """The reason found no room either, and the run was shown as killed without a word."""
    small_disk = (*OWN_MOUNTS, "sh", "-c", MOUNT, str(tmp_path))
    if shutil.which("unshare") is None:
        pytest.skip("only Linux makes a small disk without being root (unshare)")
    tried = subprocess.run([*small_disk, "true"], capture_output=True, text=True)
    if tried.returncode:
        pytest.skip(f"this machine does not let its users mount a small disk: {tried.stderr}")
    program = (sys.executable, "-m", "tests.fakes.full_training_disk", str(tmp_path))
    played = subprocess.run([*small_disk, *program], cwd=ROOT, capture_output=True, text=True)
    assert played.returncode == 0, played.stderr
    seen = json.loads(played.stdout.splitlines()[-1])
    assert seen["state"] == "failed" and seen["problem"] == "training.failures.disk_full.full"
    assert seen["sentences"] and all(seen["sentences"])
    assert seen["whole"] and seen["newest_whole"] == seen["whole"][-1]
    assert seen["after"] == "finished", "with room made it goes on from there"
    assert seen["steps"] == list(range(1, len(seen["steps"]) + 1))


def test_all_runs_have_ended(ready: Workspace, whole: Run) -> None:
    assert not [run.id for run in list_runs(ready) if run.state.active]
