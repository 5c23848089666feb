"""Real trainings by LLaMA-Factory of a tiny model, started, watched, stopped and killed."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.data.preparing import prepare_now
from backend.data.recipe import PrepareSettings
from backend.data.registry import delete_prepared
from backend.training import layout
from backend.training.asking import DOUBLE_CLICK_SECONDS
from backend.training.curves import series_of
from backend.training.environment import environment
from backend.training.failures import explain
from backend.training.probing import Prober, measured
from backend.training.runs import (
    Run,
    RunState,
    find_run,
    list_runs,
    log_tail,
    read_progress,
)
from backend.training.supervisor import Supervisor
from backend.workspace import Workspace
from tests.conftest import ROOT
from tests.fakes.ready_workspace import (
    DATASET,
    DATASET_WITH_VALIDATION,
    VALUES,
    make_ready,
    medical_rows,
)
from tests.fakes.trainers import supervised

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

LONG = {"max_steps": 100_000, "save_steps": 1_000_000}
"""A training that is stopped or killed before its end."""

EVEN = {"max_steps": 200, "save_steps": 1_000_000, "lr_scheduler_type": "constant"}
"""A training whose first steps do not depend on how many there are."""

DASHBOARD = """
import json, pathlib, sys, time
from backend.training.supervisor import Supervisor
from backend.workspace import Workspace
workspace = Workspace.open(pathlib.Path(sys.argv[1]))
print(Supervisor(workspace).start(json.loads(sys.argv[2])).id, flush=True)
time.sleep(300)
"""

FULL_CHECKPOINT = {
    "adapter_config.json",
    "adapter_model.safetensors",
    "optimizer.pt",
    "rng_state.pth",
    "scheduler.pt",
    "trainer_state.json",
}


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_ready(Workspace.open(tmp_path_factory.mktemp("training") / "workspace"))


@pytest.fixture(scope="module")
def trainers(ready: Workspace) -> Iterator[Supervisor]:
    with supervised(ready) as supervisor:
        yield supervisor


@pytest.fixture(scope="module")
def finished(ready: Workspace, trainers: Supervisor) -> Run:
    """A whole training with evaluation: six steps, checkpoints at 3 and 6."""
    values = {**VALUES, "dataset": DATASET_WITH_VALIDATION, "eval_steps": 3, "run_name": "whole"}
    return until(ready, trainers.start(values), RunState.FINISHED)


@pytest.fixture(scope="module")
def outlived(ready: Workspace, trainers: Supervisor) -> Run:
    """A training whose dashboard was killed with -9 as soon as it had started it."""
    command = [sys.executable, "-c", DASHBOARD, str(ready.root), json.dumps({**VALUES, **EVEN})]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as dashboard:
        assert dashboard.stdout is not None
        run_id = dashboard.stdout.readline().strip()
        dashboard.kill()
    active = trainers.active()
    assert active is not None and active.id == run_id
    return until(ready, active, RunState.FINISHED)


def wait_until(true: Callable[[], object], seconds: float = 120.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "took too long"
        time.sleep(0.05)


def until(workspace: Workspace, run: Run, state: RunState) -> Run:
    wait_until(lambda: find_run(workspace, run.id).state in (state, RunState.FAILED))
    ended = find_run(workspace, run.id)
    assert ended.state is state, log_tail(ended, 60)
    return ended


def losses(folder: Path) -> dict[int, Any]:
    """The losses by step in a ``trainer_log.jsonl``, every digit of them."""
    series = series_of(folder)
    return dict(zip(series.step.astype(int).tolist(), series.loss.tolist(), strict=True))


def logged(folder: Path) -> dict[str, list[float]]:
    """What ``trainer_log.jsonl`` says of each step, every digit of it."""
    series = series_of(folder)
    names = ("step", "loss", "learning_rate", "epoch", "eval_step", "eval_loss")
    return {name: getattr(series, name).tolist() for name in names}


def train_by_command(workspace: Workspace, run: Run, output: Path, *overrides: str) -> Path:
    """``llamafactory-cli train config.yaml`` into another folder."""
    command = [
        str(Path(sys.executable).with_name("llamafactory-cli")),
        "train",
        str(run.folder / layout.CONFIG),
        f"output_dir={output}",
        *overrides,
    ]
    done = subprocess.run(
        command, env=environment(workspace), capture_output=True, text=True, timeout=200
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return output


def test_a_training_leaves_full_checkpoints_and_its_curves(finished: Run) -> None:
    assert finished.exit_code == 0 and finished.failure is None
    checkpoints = {one.name: one for one in finished.checkpoints()}
    assert list(checkpoints) == ["checkpoint-3", "checkpoint-6", "final"]
    assert all(one.complete for one in checkpoints.values())
    saved = {path.name for path in checkpoints["checkpoint-3"].path.iterdir()}
    assert saved >= FULL_CHECKPOINT
    progress = read_progress(finished)
    assert progress is not None and (progress.step, progress.total) == (6, 6)
    assert progress.tokens_per_second and progress.loss == losses(finished.folder)[6]


def test_the_chart_shows_exactly_what_the_trainer_has_logged(finished: Run) -> None:
    """transformers' own record of the training, in the checkpoint, is the witness."""
    state = json.loads((finished.folder / "trainer_state.json").read_text(encoding="utf-8"))
    history = state["log_history"]
    trained = [entry for entry in history if "loss" in entry]
    # After the last step LLaMA-Factory evaluates once more and no longer logs it.
    evaluated = [entry for entry in history if "eval_loss" in entry][:2]
    assert logged(finished.folder) == {
        **{name: [entry[name] for entry in trained]
           for name in ("step", "loss", "learning_rate", "epoch")},
        "eval_step": [entry["step"] for entry in evaluated],
        "eval_loss": [entry["eval_loss"] for entry in evaluated],
    }  # fmt: skip
    assert len(trained) == 6 and len(evaluated) == 2


def test_gradient_norm_and_memory_are_noted(finished: Run) -> None:
    lines = (finished.folder / layout.METRICS).read_text(encoding="utf-8").splitlines()
    begin, *steps = [json.loads(line) for line in lines]
    assert begin["event"] == "begin" and begin["total"] == 6
    assert [entry["step"] for entry in steps] == [1, 2, 3, 4, 5, 6]
    assert all(entry["grad_norm"] > 0 and entry["memory"] > 10**8 for entry in steps)


def test_the_log_has_no_progress_bars_of_the_training(finished: Run) -> None:
    written = (finished.folder / layout.LOG).read_text(encoding="utf-8")
    # That of loading the weights stays: it is drawn once.
    assert not re.search(r"(?<!\d)\d/6 \[[^\]]*(it/s|s/it)", written)
    assert written.count("{'loss'") == 6, "each logged step is a line"
    assert "\r" not in log_tail(finished, 1000)


def test_the_bare_command_trains_the_same(ready: Workspace, finished: Run, tmp_path: Path) -> None:
    """Same file, same losses, every digit of every step; evaluation included."""
    output = train_by_command(ready, finished, tmp_path / "bare")
    assert logged(output) == logged(finished.folder)
    ours, theirs = (
        (folder / "adapter_model.safetensors").read_bytes() for folder in (finished.folder, output)
    )
    assert ours == theirs


def test_a_stop_saves_a_checkpoint_from_which_the_training_goes_on(
    ready: Workspace, trainers: Supervisor, outlived: Run, tmp_path: Path
) -> None:
    """Stopped after some steps and resumed, it has the losses of the one never interrupted."""
    run = trainers.start({**VALUES, **EVEN, **LONG, "run_name": "stopped"})
    wait_until(lambda: len(losses(run.folder)) >= 3)
    trainers.stop(run.id, now=False)
    stopped = until(ready, run, RunState.STOPPED)
    assert stopped.exit_code == 0
    last, final = stopped.checkpoints()
    assert last.complete and final.complete and final.step == last.step >= 3
    assert {path.name for path in last.path.iterdir()} >= FULL_CHECKPOINT

    target = last.step + 5
    resumed = train_by_command(
        ready, run, tmp_path / "resumed",
        f"resume_from_checkpoint={last.path}", f"max_steps={target}",
    )  # fmt: skip
    both = losses(stopped.folder) | losses(resumed)
    whole = losses(outlived.folder)
    assert target in whole, "the machine is too slow for this test: raise EVEN's steps"
    assert both == {step: whole[step] for step in range(1, target + 1)}


def test_a_stop_while_it_imports_ends_it_quickly(ready: Workspace, trainers: Supervisor) -> None:
    run = trainers.start({**VALUES, **LONG, "run_name": "early"})
    time.sleep(0.5)
    assert trainers.stop(run.id, now=False).state in (RunState.STOPPING, RunState.STOPPED)
    began = time.monotonic()
    stopped = until(ready, run, RunState.STOPPED)
    # A fraction of what the imports alone would take.
    assert time.monotonic() - began < 5
    assert stopped.exit_code == 0 and stopped.checkpoints() == []
    assert not (run.folder / layout.TRAINER_LOG).exists()


def test_a_stop_while_it_loads_ends_it_whole(ready: Workspace, trainers: Supervisor) -> None:
    """Between imports and first step the stop comes before or just after the training's begin."""
    run = trainers.start({**VALUES, **LONG, "run_name": "loading"})
    wait_until(lambda: "Model config" in log_tail(run, 10_000))
    trainers.stop(run.id, now=False)
    stopped = until(ready, run, RunState.STOPPED)
    assert stopped.exit_code == 0
    assert all(one.complete for one in stopped.checkpoints())


def test_a_second_stop_ends_it_at_once(ready: Workspace, trainers: Supervisor) -> None:
    run = trainers.start({**VALUES, **LONG, "run_name": "twice"})
    wait_until(lambda: losses(run.folder))
    began = time.monotonic()
    trainers.stop(run.id, now=False)
    time.sleep(DOUBLE_CLICK_SECONDS)
    if find_run(ready, run.id).state is RunState.STOPPING:  # else it was quicker than the test
        trainers.stop(run.id, now=True)
    assert find_run(ready, run.id).state is RunState.STOPPED
    assert time.monotonic() - began < 5
    assert trainers.active() is None


def test_a_killed_trainer_is_interrupted_and_keeps_its_checkpoints(
    ready: Workspace, trainers: Supervisor
) -> None:
    run = trainers.start({**VALUES, **LONG, "save_steps": 2, "run_name": "killed"})
    wait_until(lambda: len(losses(run.folder)) >= 4)
    assert run.pid is not None
    os.kill(run.pid, signal.SIGKILL)
    killed = until(ready, run, RunState.INTERRUPTED)
    assert killed.failure is not None and killed.exit_code is None
    assert any(one.complete for one in killed.checkpoints())


def test_the_training_outlives_the_dashboard(outlived: Run) -> None:
    """The web process was killed with -9; another one found the run and all of its points."""
    assert sorted(losses(outlived.folder)) == list(range(1, EVEN["max_steps"] + 1))
    assert outlived.exit_code == 0


def test_a_failure_of_llama_factory_is_explained(ready: Workspace, trainers: Supervisor) -> None:
    broken = ready.prepared_datasets / DATASET / "data.jsonl"
    whole = broken.read_bytes()
    broken.write_bytes(b"")
    try:
        run = trainers.start({**VALUES, "run_name": "failing"})
        wait_until(lambda: not find_run(ready, run.id).state.active)
    finally:
        broken.write_bytes(whole)
    failed = find_run(ready, run.id)
    assert failed.state is RunState.FAILED and failed.exit_code == 1
    explanation = explain(failed)
    assert explanation is not None and explanation.kind == "data"
    assert any("Error" in line for line in explanation.evidence)
    assert "Traceback (most recent call last)" in log_tail(failed)


def test_a_dataset_prepared_anew_under_its_old_name_is_not_served_from_the_cache(
    ready: Workspace, trainers: Supervisor
) -> None:
    source = ready.raw_datasets / "again.json"
    for word in ("first", "second"):
        rows = [{**row, "Response": f"The {word} answer."} for row in medical_rows(8)]
        source.write_text(json.dumps(rows), encoding="utf-8")
        prepare_now(ready, source, PrepareSettings(name="again", validation_share=0.0))
        run = trainers.start(
            {**VALUES, "dataset": "again", "max_steps": 1, "run_name": f"again-{word}"}
        )
        done = until(ready, run, RunState.FINISHED)
        assert f"The {word} answer." in (done.folder / layout.LOG).read_text(encoding="utf-8")
        delete_prepared(ready, "again")
    cached = ready.cache / "huggingface" / "datasets"
    assert cached.is_dir(), "the cache is in the workspace"


def test_full_fine_tuning_and_packing_train_too(ready: Workspace, trainers: Supervisor) -> None:
    values = {**VALUES, "finetuning_type": "full", "packing": True, "max_steps": 2}
    done = until(ready, trainers.start({**values, "run_name": "full"}), RunState.FINISHED)
    assert [one.name for one in done.checkpoints()] == ["checkpoint-2", "final"]
    assert all(one.complete for one in done.checkpoints())
    assert (done.folder / "model.safetensors").is_file()


def test_a_probe_measures_ten_real_steps_and_leaves_nothing(ready: Workspace) -> None:
    prober = Prober(ready)
    listed = {run.id for run in list_runs(ready)}
    probe = prober.start({**VALUES, "finetuning_type": "full", "learning_rate": 1e-5})
    wait_until(lambda: (run := prober.current()) is None or not run.state.active)
    left = prober.current()
    assert left is None, log_tail(left, 60)
    assert not probe.folder.exists() and {run.id for run in list_runs(ready)} == listed
    found = measured(ready)[-1]
    assert found.tokens_per_second > 10
    assert found.memory > 500_000_000, "torch alone takes as much"
