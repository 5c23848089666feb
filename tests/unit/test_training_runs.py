"""A run's state, progress and checkpoints, from what lies in its folder."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from backend.errors import RunError
from backend.files import read_json, write_json
from backend.processes import ProcessId, end_group
from backend.training import layout, runs
from backend.training.progress import seconds_of
from backend.training.runs import (
    RunState,
    find_run,
    list_runs,
    log_tail,
    process_of,
    read_progress,
)
from backend.workspace import Workspace

LONG_AGO = "2026-01-01T00:00:00+00:00"


def make_run(
    workspace: Workspace, name: str = "first", *, created: str = LONG_AGO, **files: Any
) -> Path:
    """A run's folder; keywords are ``process``, ``stop``, ``exit``."""
    folder = workspace.runs / name
    folder.mkdir()
    write_json(folder / layout.RUN, {"id": name, "created": created, "values": {"seed": 1}})
    names = {"process": layout.PROCESS, "stop": layout.STOP, "exit": layout.EXIT}
    for kind, content in files.items():
        write_json(folder / names[kind], content)
    return folder


def log(folder: Path, *entries: dict[str, Any]) -> None:
    with (folder / layout.TRAINER_LOG).open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(entry) + "\n" for entry in entries)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that stands for a trainer."""
    process = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True
    )
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def alive(sleeper: subprocess.Popen[bytes]) -> dict[str, Any]:
    process = ProcessId.of(sleeper.pid)
    assert process is not None
    return asdict(process)


DEAD = {"pid": 999_999_999, "born": "boot:1"}


# --- State --------------------------------------------------------------------------------------


def test_states_while_a_trainer_lives(workspace: Workspace, alive: dict[str, Any]) -> None:
    folder = make_run(workspace, process=alive)
    assert find_run(workspace, "first").state is RunState.STARTING
    (folder / layout.METRICS).write_text("{}\n", encoding="utf-8")
    run = find_run(workspace, "first")
    assert run.state is RunState.RUNNING and run.pid == alive["pid"] and run.state.active
    write_json(folder / layout.STOP, {"now": False})
    assert find_run(workspace, "first").state is RunState.STOPPING


@pytest.mark.parametrize(
    ("files", "state"),
    [
        ({"exit": {"code": 0, "reason": "finished"}}, RunState.FINISHED),
        ({"exit": {"code": 0, "reason": "stopped"}}, RunState.STOPPED),
        ({"exit": {"code": 1, "reason": "failed"}}, RunState.FAILED),
        ({"exit": {"code": 1, "reason": "???"}}, RunState.FAILED),
        ({}, RunState.INTERRUPTED),
        ({"stop": {"now": False}}, RunState.INTERRUPTED),
        ({"stop": {"now": True}}, RunState.STOPPED),
    ],
)
def test_states_when_the_trainer_is_gone(
    workspace: Workspace, files: dict[str, Any], state: RunState
) -> None:
    make_run(workspace, process=DEAD, **files)
    run = find_run(workspace, "first")
    assert run.state is state and not run.state.active


def test_the_exit_file_counts_more_than_a_process_that_lingers(
    workspace: Workspace, alive: dict[str, Any]
) -> None:
    make_run(workspace, process=alive, exit={"code": 0, "reason": "finished"})
    assert find_run(workspace, "first").state is RunState.FINISHED


def test_a_reused_process_id_is_not_taken_for_the_trainer(
    workspace: Workspace, alive: dict[str, Any]
) -> None:
    """After a restart of the machine the id belongs to some other program, which is alive."""
    make_run(workspace, process={**alive, "born": "another-boot:5"})
    assert find_run(workspace, "first").state is RunState.INTERRUPTED


def test_a_zombie_is_not_alive(sleeper: subprocess.Popen[bytes], alive: dict[str, Any]) -> None:
    process = ProcessId(**alive)
    assert process.is_alive()
    sleeper.kill()
    deadline = time.monotonic() + 5
    while process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not process.is_alive(), "killed but not reaped"
    assert ProcessId.of(sleeper.pid) is None
    end_group(process)  # nothing to end, and nothing else is hit


def test_a_folder_is_starting_for_a_moment_without_a_process(workspace: Workspace) -> None:
    now = datetime.now(UTC)
    make_run(workspace, "young", created=now.isoformat())
    make_run(workspace, "old", created=(now - timedelta(minutes=1)).isoformat())
    make_run(workspace, "odd", created="yesterday")
    states = {run.id: run.state for run in list_runs(workspace)}
    assert states["young"] is RunState.STARTING
    assert states["old"] is states["odd"] is RunState.INTERRUPTED


@pytest.mark.parametrize("content", [[], {"pid": "1"}, {"pid": 1}, None, "x"])
def test_a_damaged_process_file_names_no_process(workspace: Workspace, content: Any) -> None:
    folder = make_run(workspace, process=content)
    assert process_of(folder) is None
    assert find_run(workspace, "first").state is RunState.INTERRUPTED


# --- List ---------------------------------------------------------------------------------------


def test_runs_are_listed_newest_first_and_strangers_left_out(workspace: Workspace) -> None:
    make_run(workspace, "a", created="2026-01-02T00:00:00+00:00")
    make_run(workspace, "b", created="2026-01-03T00:00:00+00:00")
    make_run(workspace, "c", created="2026-01-01T00:00:00+00:00")
    make_run(workspace, ".hidden")
    (workspace.runs / "empty").mkdir()
    (workspace.runs / "broken").mkdir()
    (workspace.runs / "broken" / layout.RUN).write_text("{", encoding="utf-8")
    (workspace.runs / "file.txt").write_text("x", encoding="utf-8")
    assert [run.id for run in list_runs(workspace)] == ["b", "a", "c"]


@pytest.mark.parametrize("run_id", ["gone", "", "../runs/first", "a/b", "x" * 500, "/etc"])
def test_a_run_that_is_not_there_is_named(workspace: Workspace, run_id: str) -> None:
    make_run(workspace)
    with pytest.raises(RunError):
        find_run(workspace, run_id)


def test_an_ended_run_is_read_once_and_again_when_it_went_on(
    workspace: Workspace, alive: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three pages that watch a run asked for all others too, file by file, four times a second."""
    reads: list[Path] = []

    def read(path: Path) -> Any:
        reads.append(path)
        return read_json(path)

    monkeypatch.setattr(runs, "read_json", read)
    folder = make_run(workspace, exit={"reason": "stopped", "code": 0})
    (first,) = list_runs(workspace)
    reads.clear()
    assert list_runs(workspace) == [first]
    assert not reads
    (folder / layout.EXIT).unlink()
    write_json(folder / layout.PROCESS, alive)
    assert find_run(workspace, "first").state is RunState.STARTING
    write_json(folder / layout.EXIT, {"reason": "finished", "code": 0})
    assert find_run(workspace, "first").state is RunState.FINISHED
    write_json(folder / layout.RUN, {"created": LONG_AGO, "values": {"seed": 2}})
    assert find_run(workspace, "first").values == {"seed": 2}


def test_an_exit_file_without_a_reason_ends_nothing_for_good(
    workspace: Workspace, alive: dict[str, Any]
) -> None:
    make_run(workspace, exit={}, process=alive)
    assert find_run(workspace, "first").state is RunState.STARTING
    write_json(workspace.runs / "first" / layout.STOP, {"now": False})
    assert find_run(workspace, "first").state is RunState.STOPPING


def test_failures_are_explained(workspace: Workspace) -> None:
    folder = make_run(workspace, exit={"code": 1, "reason": "failed", "error": "ValueError: bad"})
    failure = find_run(workspace, "first").failure
    assert failure is not None and "ValueError: bad" in failure.sentence("zh")
    write_json(folder / layout.EXIT, {"code": 1, "reason": "failed"})
    (folder / layout.LOG).write_text("OSError: no space {left}\n", encoding="utf-8")
    failure = find_run(workspace, "first").failure
    assert failure is not None and "no space {left}" in failure.sentence("en")
    (folder / layout.LOG).write_text("", encoding="utf-8")
    failure = find_run(workspace, "first").failure
    assert failure is not None and "code 1" in failure.sentence("en")
    assert log_tail(find_run(workspace, "first")) == ""


def test_an_interruption_is_explained_and_a_good_end_needs_no_words(workspace: Workspace) -> None:
    make_run(workspace, "gone", process=DEAD)
    make_run(workspace, "good", exit={"code": 0, "reason": "finished"})
    gone, good = (find_run(workspace, name) for name in ("gone", "good"))
    assert gone.failure is not None and gone.failure.sentence("zh")
    assert good.failure is None and good.exit_code == 0


# --- Progress -----------------------------------------------------------------------------------

ENTRY = {
    "current_steps": 10, "total_steps": 40, "loss": 1.5, "lr": 2e-5, "epoch": 0.5,
    "elapsed_time": "0:00:20", "remaining_time": "0:01:00", "throughput": 345.6,
}  # fmt: skip


def test_progress_of_an_ended_run_is_as_logged(workspace: Workspace) -> None:
    folder = make_run(workspace, exit={"code": 0, "reason": "stopped"})
    assert read_progress(find_run(workspace, "first")) is None
    log(folder, {**ENTRY, "current_steps": 5}, ENTRY)
    log(folder, {"current_steps": 10, "total_steps": 40, "eval_loss": 1.4, "epoch": 0.5,
                 "elapsed_time": "0:00:21", "remaining_time": "0:01:03"})  # fmt: skip
    progress = read_progress(find_run(workspace, "first"))
    assert progress is not None
    assert (progress.step, progress.total) == (10, 40)
    assert (progress.loss, progress.learning_rate, progress.epoch) == (1.5, 2e-5, 0.5)
    assert (progress.elapsed_seconds, progress.remaining_seconds) == (21.0, 63.0)
    assert progress.tokens_per_second is None


def test_time_goes_on_between_two_lines(workspace: Workspace, alive: dict[str, Any]) -> None:
    folder = make_run(workspace, process=alive)
    log(folder, {**ENTRY, "current_steps": 5}, ENTRY)
    age = time.time() - 7
    os.utime(folder / layout.TRAINER_LOG, (age, age))
    progress = read_progress(find_run(workspace, "first"))
    assert progress is not None and progress.remaining_seconds is not None
    assert progress.elapsed_seconds == pytest.approx(27, abs=2)
    assert progress.remaining_seconds == pytest.approx(53, abs=2)


def test_a_trainer_that_hangs_is_not_shown_as_all_but_done(
    workspace: Workspace, alive: dict[str, Any]
) -> None:
    folder = make_run(workspace, process=alive)
    log(folder, {**ENTRY, "current_steps": 5}, ENTRY)
    age = time.time() - 3600
    os.utime(folder / layout.TRAINER_LOG, (age, age))
    progress = read_progress(find_run(workspace, "first"))
    # 30 steps are left; at the next line, five steps on, 25 of them will be.
    assert progress is not None and progress.remaining_seconds == pytest.approx(60 * 25 / 30)


def test_the_last_loss_is_found_behind_many_evaluations(workspace: Workspace) -> None:
    folder = make_run(workspace, exit={"reason": "finished", "code": 0})
    steps = {"total_steps": 100, "elapsed_time": "0:00:10", "remaining_time": "0:00:10"}
    log(folder, *[{"current_steps": n, "loss": 5.0 - n, **steps} for n in (1, 2)])
    log(folder, *[{"current_steps": 2, "eval_loss": 1.0, **steps} for _ in range(100)])
    progress = read_progress(find_run(workspace, "first"))
    assert progress is not None and (progress.step, progress.loss) == (2, 3.0)


def test_progress_before_the_first_line(workspace: Workspace, alive: dict[str, Any]) -> None:
    folder = make_run(workspace, process=alive)
    begin = {"step": 0, "time": time.time() - 5, "event": "begin", "total": 40}
    (folder / layout.METRICS).write_text(json.dumps(begin) + "\n", encoding="utf-8")
    progress = read_progress(find_run(workspace, "first"))
    assert progress is not None and (progress.step, progress.total) == (0, 40)
    assert progress.elapsed_seconds == pytest.approx(5, abs=2)
    assert progress.remaining_seconds is None and progress.loss is None
    (folder / layout.METRICS).write_text("{", encoding="utf-8")
    assert read_progress(find_run(workspace, "first")) is None


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [
        ("0:00:00", 0), ("0:01:05", 65), ("12:00:00", 43_200), ("1 day, 0:00:01", 86_401),
        ("2 days, 3:00:00", 183_600), ("", None), ("soon", None), (5, None), (None, None),
    ],
)  # fmt: skip
def test_durations_are_read(duration: Any, seconds: float | None) -> None:
    assert seconds_of(duration) == seconds
    if isinstance(seconds, int):
        assert str(timedelta(seconds=seconds)) == duration


# --- Checkpoints --------------------------------------------------------------------------------


def save_checkpoint(folder: Path, step: int, *, name: str = "adapter_model.safetensors") -> None:
    folder.mkdir(exist_ok=True)
    save_file({"weight": np.ones((8, 8), np.float32)}, folder / name)
    write_json(folder / "trainer_state.json", {"global_step": step})


def test_checkpoints_come_by_step_and_the_final_one_last(workspace: Workspace) -> None:
    folder = make_run(workspace)
    for step in (100, 20, 9):
        save_checkpoint(folder / f"checkpoint-{step}", step)
    save_checkpoint(folder, 100)
    (folder / "checkpoint-x").mkdir()
    found = find_run(workspace, "first").checkpoints()
    assert [(one.name, one.step) for one in found] == [
        ("checkpoint-9", 9), ("checkpoint-20", 20), ("checkpoint-100", 100), ("final", 100)
    ]  # fmt: skip
    assert all(one.complete for one in found)
    assert found[-1].path == folder


def test_a_checkpoint_that_was_cut_short_is_not_complete(workspace: Workspace) -> None:
    """Killed while saving, a run left a checkpoint that failed only when it was loaded."""
    folder = make_run(workspace)
    for step in (1, 2, 3, 4):
        save_checkpoint(folder / f"checkpoint-{step}", step)
    (folder / "checkpoint-1" / "trainer_state.json").unlink()
    weights = folder / "checkpoint-2" / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    (folder / "checkpoint-3" / "adapter_model.safetensors").write_bytes(b"")
    complete = {one.name: one.complete for one in find_run(workspace, "first").checkpoints()}
    assert complete == {
        "checkpoint-1": False, "checkpoint-2": False, "checkpoint-3": False, "checkpoint-4": True
    }  # fmt: skip


def test_full_checkpoints_are_found_too(workspace: Workspace) -> None:
    folder = make_run(workspace)
    save_checkpoint(folder / "checkpoint-5", 5, name="model.safetensors")
    assert [one.complete for one in find_run(workspace, "first").checkpoints()] == [True]
