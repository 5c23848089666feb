"""Going on from a checkpoint: which can be used, and what becomes of what came after it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import HyperparameterError, RunError
from backend.files import read_json
from backend.training import layout, resuming
from backend.training.checkpoints import faults, list_checkpoints, newest_whole
from backend.training.progress import progress_of
from backend.training.resuming import CheckpointError
from backend.training.runs import Run, RunState, find_run
from backend.workspace import Workspace
from tests.fakes.logged import logged
from tests.fakes.ready_workspace import VALUES
from tests.fakes.trainers import Make, until, wait_until

DYING = ("--steps", "20", "--save-steps", "4", "--die-at", "11")


@pytest.fixture
def killed(ready: Workspace, make: Make) -> Run:
    """A run of 20 steps that was killed after step 11; checkpoints at 4 and 8."""
    run = make(*DYING).start({**VALUES, "run_name": "killed"})
    return until(ready, run, RunState.INTERRUPTED)


def steps(folder: Path) -> list[int]:
    return [entry["current_steps"] for entry in logged(folder)]


def test_a_killed_run_goes_on_and_its_curve_too(ready: Workspace, make: Make, killed: Run) -> None:
    # The line that it was writing when it was killed.
    with (killed.folder / layout.TRAINER_LOG).open("a", encoding="utf-8") as file:
        file.write('{"current_steps": 12, "lo')
    before = (killed.folder / layout.TRAINER_LOG).stat().st_ino
    trainers = make("--steps", "20", "--step-seconds", "0.05", "--start-seconds", "0.3")
    resumed = trainers.resume(killed.id)
    assert resumed.state is RunState.STARTING, "the old log is no sign that it trains"
    assert (killed.folder / layout.TRAINER_LOG).stat().st_ino != before, "readers notice"
    done = until(ready, killed, RunState.FINISHED)
    assert steps(done.folder) == list(range(1, 21)) and done.attempts == 2
    kept = done.folder / layout.ATTEMPTS / "1"
    assert steps(kept) == [9, 10, 11]
    assert (kept / layout.TRAINER_LOG).read_text(encoding="utf-8").endswith('"lo')
    assert read_json(kept / layout.PROCESS)["pid"] == killed.pid != done.pid
    assert "importing\n" * 1 in (done.folder / layout.LOG).read_text(encoding="utf-8")


def test_later_checkpoints_are_kept_out_of_the_way(
    ready: Workspace, make: Make, killed: Run
) -> None:
    """They belong to another training by then, and would be taken for this one's."""
    trainers = make("--steps", "20", "--die-at", "6")
    trainers.resume(killed.id, "checkpoint-4")
    again = until(ready, killed, RunState.INTERRUPTED)
    assert [one.name for one in again.checkpoints()] == ["checkpoint-4"]
    assert (again.folder / layout.ATTEMPTS / "1" / "checkpoint-8").is_dir()
    make("--steps", "7").resume(killed.id)
    done = until(ready, killed, RunState.FINISHED)
    assert steps(done.folder) == list(range(1, 8)) and done.attempts == 3


@pytest.mark.parametrize("damage", ["gone", "cut"])
@pytest.mark.parametrize(
    "name",
    [
        "adapter_model.safetensors", "adapter_config.json", "optimizer.pt", "scheduler.pt",
        "rng_state.pth", "trainer_state.json",
    ],
)  # fmt: skip
def test_a_damaged_file_is_named_and_the_checkpoint_before_offered(
    make: Make, killed: Run, name: str, damage: str
) -> None:
    file = killed.folder / "checkpoint-8" / name
    if damage == "gone":
        file.unlink()
    else:
        file.write_bytes(file.read_bytes()[:-3] or b"{")
    damaged = next(one for one in killed.checkpoints() if one.name == "checkpoint-8")
    said = [problem.sentence("en") for problem in faults(damaged)]
    assert len(said) == 1 and name in said[0]
    if name == "adapter_config.json" and damage == "cut":
        return  # two bytes of a fake's "{}"; the real one is refused like the others
    with pytest.raises(CheckpointError, match=name) as caught:
        make().resume(killed.id, "checkpoint-8")
    assert caught.value.offer == "checkpoint-4"
    assert newest_whole(killed.checkpoints()) == "checkpoint-4"


def test_what_can_not_be_resumed_is_left_as_it_is(
    ready: Workspace, make: Make, killed: Run
) -> None:
    trainers = make("--steps", "20", "--step-seconds", "0.05")
    for wrong in ("checkpoint-5", "../killed", "checkpoint-x"):
        with pytest.raises(RunError, match="no checkpoint named"):
            trainers.resume(killed.id, wrong)
    with pytest.raises(HyperparameterError, match="can't change"):
        trainers.resume(killed.id, changes={"lora_rank": 64})
    with pytest.raises(HyperparameterError, match="must be from"):
        trainers.resume(killed.id, changes={"learning_rate": 7})
    for checkpoint in ("checkpoint-4", "checkpoint-8"):
        (killed.folder / checkpoint / "optimizer.pt").unlink()
    with pytest.raises(CheckpointError, match="no whole checkpoint"):
        trainers.resume(killed.id)
    with pytest.raises(CheckpointError, match="No earlier checkpoint") as caught:
        trainers.resume(killed.id, "checkpoint-4")
    assert caught.value.offer is None
    left = find_run(ready, killed.id)
    assert left.state is RunState.INTERRUPTED and left.attempts == 1
    assert steps(left.folder) == list(range(1, 12))


def test_a_run_that_is_done_needs_more_steps(ready: Workspace, make: Make) -> None:
    run = make("--steps", "6").start(VALUES)
    until(ready, run, RunState.FINISHED)
    with pytest.raises(RunError, match="last of 6 steps"):
        make().resume(run.id)
    with pytest.raises(CheckpointError, match="final weights") as caught:
        make().resume(run.id, "final")
    assert caught.value.offer == "checkpoint-6"
    make("--steps", "9").resume(run.id, changes={"max_steps": 9})
    done = until(ready, run, RunState.FINISHED)
    assert steps(done.folder) == list(range(1, 10))
    assert done.values["max_steps"] == 9 and done.config["max_steps"] == 9
    kept = done.folder / layout.ATTEMPTS / "1"
    assert "max_steps: 6" in (kept / layout.CONFIG).read_text(encoding="utf-8")
    assert read_json(kept / layout.EXIT)["reason"] == "finished"


def test_a_double_click_on_resume_resumes_once(ready: Workspace, make: Make, killed: Run) -> None:
    trainers = make("--steps", "1000", "--step-seconds", "0.05")
    first = trainers.resume(killed.id)
    assert trainers.resume(killed.id).pid == first.pid
    assert find_run(ready, killed.id).attempts == 2


def test_a_resumed_run_waits_for_its_turn(ready: Workspace, make: Make, killed: Run) -> None:
    trainers = make("--steps", "30", "--step-seconds", "0.05")
    going = trainers.start({**VALUES, "run_name": "going"})
    assert trainers.resume(killed.id).state is RunState.QUEUED
    assert [run.id for run in trainers.queue()] == [killed.id]
    until(ready, going, RunState.FINISHED)
    wait_until(lambda: trainers.pump() or not trainers.queue())  # type: ignore[func-returns-value]
    assert steps(until(ready, killed, RunState.FINISHED).folder) == list(range(1, 31))


@pytest.mark.parametrize("broken", [layout.CONFIG, layout.RUN, layout.RESUME])
def test_a_disk_that_fills_while_it_is_taken_back_loses_nothing(
    ready: Workspace, make: Make, killed: Run, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    writers = {"write_text": resuming.write_text, "write_json": resuming.write_json}

    def full(name: str) -> Any:
        def write(path: Path, content: Any) -> None:
            if path.parent == killed.folder and path.name == broken:
                raise OSError(28, "No space left on device")
            writers[name](path, content)

        return write

    for name in writers:
        monkeypatch.setattr(resuming, name, full(name))
    with pytest.raises(RunError, match="No space left"):
        make().resume(killed.id)
    monkeypatch.undo()
    assert find_run(ready, killed.id).state is RunState.INTERRUPTED
    make("--steps", "20").resume(killed.id)
    assert steps(until(ready, killed, RunState.FINISHED).folder) == list(range(1, 21))


def test_a_checkpoint_now_is_saved_and_the_training_goes_on(ready: Workspace, make: Make) -> None:
    trainers = make("--steps", "1000", "--step-seconds", "0.05")
    run = until(ready, trainers.start(VALUES), RunState.RUNNING)
    assert trainers.checkpoint_now(run.id).checkpoint_asked
    wait_until(lambda: not find_run(ready, run.id).checkpoint_asked)
    saved = [one for one in run.checkpoints() if not faults(one)]
    assert len(saved) == 1 and find_run(ready, run.id).state is RunState.RUNNING
    trainers.stop(run.id, now=True)
    with pytest.raises(RunError, match="not training"):
        trainers.checkpoint_now(run.id)


def test_the_time_left_counts_only_what_this_attempt_has_done(tmp_path: Path) -> None:
    """LLaMA-Factory divides the time since the resume by all steps: it promised far too little."""
    entry = {
        "current_steps": 60, "total_steps": 100, "loss": 1.0, "elapsed_time": "0:00:10",
        # As it logs: 10 s / 60 steps x 40 steps.
        "remaining_time": "0:00:06", "throughput": 600.0, "total_tokens": 6000,
    }  # fmt: skip
    (tmp_path / layout.TRAINER_LOG).write_text(json.dumps(entry) + "\n", encoding="utf-8")
    resume = {"checkpoint": "checkpoint-50", "step": 50, "tokens": 5000}
    (tmp_path / layout.RESUME).write_text(json.dumps(resume), encoding="utf-8")
    progress = progress_of(tmp_path, active=False)
    assert progress is not None
    assert progress.remaining_seconds == pytest.approx(36), "10 s for 10 steps; 40 are left"
    assert progress.tokens_per_second == pytest.approx(100)


ENTRIES = st.one_of(
    st.builds(
        lambda step, loss: json.dumps({"current_steps": step, "loss": loss}),
        st.integers(-5, 50),
        st.floats(),
    ),
    st.builds(lambda step: json.dumps({"step": step}), st.integers(-5, 50)),
    st.sampled_from(['{"current_steps": 3}', "{", "", "null", '{"current_steps": "3", "loss": 1}']),
)


@given(lines=st.lists(ENTRIES, max_size=30), step=st.integers(0, 40), tail=st.text(max_size=20))
def test_no_line_of_a_log_is_lost(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], step: int, tail: str
) -> None:
    log = tmp_path_factory.mktemp("log") / layout.TRAINER_LOG
    content = "".join(f"{line}\n" for line in lines) + tail
    log.write_bytes(content.encode("utf-8", errors="replace"))
    before, after = resuming._split(log, step)
    assert len("".join(before + after).encode()) == log.stat().st_size
    for line in before:
        entry = json.loads(line)
        assert entry.get("current_steps", entry.get("step")) <= step


def test_a_folder_that_is_no_checkpoint_is_none(tmp_path: Path) -> None:
    (tmp_path / "checkpoint-3").mkdir()
    (one,) = list_checkpoints(tmp_path)
    assert not one.complete
    missing = [str(problem.params["file"]) for problem in faults(one)]
    assert missing == [
        "model.safetensors", "config.json", "optimizer.pt", "scheduler.pt", "rng_state.pth",
        "trainer_state.json",
    ]  # fmt: skip
