"""Starting and stopping, with a trainer that trains nothing but writes the real files."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from backend.errors import DataError, HyperparameterError, LibraryError, RunError, WorkspaceError
from backend.files import read_json
from backend.training import asking, launching, layout, making
from backend.training.curves import series_of
from backend.training.runs import RunState, find_run, list_runs, read_progress
from backend.training.supervisor import Supervisor
from backend.workspace import Workspace
from tests.fakes.ready_workspace import VALUES
from tests.fakes.trainers import Make, until, wait_until


def test_a_run_goes_from_start_to_end(ready: Workspace, make: Make) -> None:
    trainers = make("--steps", "5")
    run = trainers.start({**VALUES, "run_name": "first"})
    assert run.id == "first" and run.state.active
    assert run.values["run_name"] == "first" and run.values["lora_rank"] == 8
    assert run.config["output_dir"] == str(run.folder)
    done = until(ready, run, RunState.FINISHED)
    assert done.exit_code == 0 and trainers.active() is None
    assert [one.name for one in done.checkpoints()] == ["checkpoint-5", "final"]
    assert series_of(done.folder).step.tolist() == [1, 2, 3, 4, 5]
    progress = read_progress(done)
    assert progress is not None and (progress.step, progress.total) == (5, 5)


def test_the_trainer_has_a_session_of_its_own_and_is_reaped(ready: Workspace, make: Make) -> None:
    run = make("--step-seconds", "0.1").start(VALUES)
    assert run.pid is not None and os.getsid(run.pid) == run.pid != os.getsid(0)
    until(ready, run, RunState.FINISHED)
    wait_until(lambda: not Path(f"/proc/{run.pid}").exists())


def test_a_run_without_a_name_gets_one(ready: Workspace, make: Make) -> None:
    trainers = make("--steps", "1")
    first = trainers.start(VALUES)
    assert first.id.startswith("tiny-lora-")
    until(ready, first, RunState.FINISHED)
    second = trainers.start({**VALUES, "seed": 7})
    assert second.id != first.id


def test_a_double_click_makes_one_run(ready: Workspace, make: Make) -> None:
    """Eight clicks at the same moment, on two pages."""
    trainers = [make("--step-seconds", "0.5"), make("--step-seconds", "0.5")]
    started: list[str] = []
    gate = threading.Barrier(8)

    def click(number: int) -> None:
        gate.wait()
        started.append(trainers[number % 2].start(VALUES).id)

    clicks = [threading.Thread(target=click, args=(number,)) for number in range(8)]
    for one in clicks:
        one.start()
    for one in clicks:
        one.join()
    assert len(started) == 8 and len(set(started)) == 1
    assert [run.id for run in list_runs(ready)] == started[:1]


def test_another_dashboard_sees_and_stops_the_run(ready: Workspace, make: Make) -> None:
    run = make("--steps", "1000", "--step-seconds", "0.02").start(VALUES)
    other = make()
    active = other.active()
    assert active is not None and active.id == run.id
    until(ready, run, RunState.RUNNING)
    wait_until(lambda: len(series_of(run.folder).step))
    assert other.stop(run.id, now=False).state in (RunState.STOPPING, RunState.STOPPED)
    stopped = until(ready, run, RunState.STOPPED)
    names = [one.name for one in stopped.checkpoints()]
    assert len(names) == 2 and names[-1] == "final" and stopped.checkpoints()[0].complete


def test_a_stop_while_it_starts_ends_it_with_nothing_saved(ready: Workspace, make: Make) -> None:
    trainers = make("--start-seconds", "60")
    run = trainers.start(VALUES)
    assert run.state is RunState.STARTING
    trainers.stop(run.id, now=False)
    assert until(ready, run, RunState.STOPPED).checkpoints() == []


def test_a_second_stop_ends_it_at_once(ready: Workspace, make: Make) -> None:
    """Even a trainer that hears neither the request nor SIGTERM."""
    trainers = make("--steps", "1000", "--step-seconds", "0.05", "--deaf")
    run = trainers.start(VALUES)
    until(ready, run, RunState.RUNNING)
    assert trainers.stop(run.id, now=False).state is RunState.STOPPING
    time.sleep(asking.DOUBLE_CLICK_SECONDS)
    assert trainers.stop(run.id, now=True).state is RunState.STOPPED
    assert find_run(ready, run.id).exit_code is None
    with pytest.raises(RunError, match="has ended already"):
        trainers.stop(run.id, now=True)


def test_a_plain_stop_never_ends_what_another_page_is_stopping(
    ready: Workspace, make: Make
) -> None:
    """A second page still offered "stop and save", and its click lost the checkpoint."""
    trainers = make("--steps", "1000", "--step-seconds", "0.05", "--deaf")
    run = trainers.start(VALUES)
    until(ready, run, RunState.RUNNING)
    trainers.stop(run.id, now=False)
    time.sleep(asking.DOUBLE_CLICK_SECONDS)
    assert trainers.stop(run.id, now=False).state is RunState.STOPPING
    assert read_json(run.folder / layout.STOP) == {"now": False}


def test_a_double_click_on_stop_is_one_stop(
    ready: Workspace, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second click of two came as "end at once" and the checkpoint was lost."""
    # Two calls one after the other may lie further apart on a busy machine.
    monkeypatch.setattr(asking, "DOUBLE_CLICK_SECONDS", 60.0)
    trainers = make("--steps", "1000", "--step-seconds", "0.3")
    run = trainers.start(VALUES)
    until(ready, run, RunState.RUNNING)
    assert trainers.stop(run.id, now=False).state is RunState.STOPPING
    assert trainers.stop(run.id, now=True).state is RunState.STOPPING
    stopped = until(ready, run, RunState.STOPPED)
    assert stopped.exit_code == 0 and stopped.checkpoints()[0].complete


def test_an_attempt_knows_where_its_log_begins(ready: Workspace, make: Make) -> None:
    trainers = make("--steps", "4", "--save-steps", "2", "--fail-at", "3")
    run = until(ready, trainers.start(VALUES), RunState.FAILED)
    assert read_json(run.folder / layout.LAUNCH)["log_offset"] == 0
    printed = (run.folder / layout.LOG).stat().st_size
    again = make("--steps", "4").resume(run.id)
    until(ready, again, RunState.FINISHED)
    assert read_json(run.folder / layout.LAUNCH)["log_offset"] == printed > 0


def test_a_killed_trainer_is_interrupted(ready: Workspace, make: Make) -> None:
    trainers = make("--steps", "10", "--die-at", "4", "--save-steps", "2")
    run = until(ready, trainers.start(VALUES), RunState.INTERRUPTED)
    assert run.failure is not None
    assert [one.name for one in run.checkpoints() if one.complete] == ["checkpoint-2"]
    assert trainers.active() is None, "the next run may start"


def test_a_failure_keeps_its_reason(ready: Workspace, make: Make) -> None:
    trainers = make("--fail-at", "2", "--message", "ValueError: nothing fits")
    run = until(ready, trainers.start(VALUES), RunState.FAILED)
    assert run.exit_code == 1 and run.failure is not None
    assert "ValueError: nothing fits" in run.failure.sentence("en")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"model": "gone"}, LibraryError),
        ({"dataset": "gone"}, DataError),
        ({"template": ""}, HyperparameterError),
        ({"template": "deepseek_r9"}, HyperparameterError),
        ({"learning_rate": "x"}, HyperparameterError),
        ({"eval_steps": 5}, HyperparameterError),
        ({"run_name": "../up"}, WorkspaceError),
        ({"run_name": "a/b"}, WorkspaceError),
        ({"run_name": "."}, WorkspaceError),
    ],
)
def test_what_can_not_start_leaves_nothing(
    ready: Workspace, make: Make, changes: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        make().start({**VALUES, **changes})
    assert not [path for path in ready.runs.iterdir() if not path.name.endswith(".lock")]


def test_a_model_that_is_not_whole_is_refused_by_its_problem(ready: Workspace, make: Make) -> None:
    (ready.models / "tiny" / "model.safetensors").unlink()
    with pytest.raises(LibraryError) as caught:
        make().start(VALUES)
    assert caught.value.key == "library.problems.weights_missing"


def test_what_is_checked_is_what_would_start(ready: Workspace, make: Make) -> None:
    trainers = make("--steps", "1")
    trainers.check({**VALUES, "run_name": "mine"})
    assert list_runs(ready) == [], "nothing was started"
    until(ready, trainers.start({**VALUES, "run_name": "mine"}), RunState.FINISHED)
    with pytest.raises(RunError, match="already a run named"):
        trainers.check({**VALUES, "run_name": "mine"})
    (ready.models / "tiny" / "model.safetensors").unlink()
    with pytest.raises(LibraryError) as caught:
        trainers.check(VALUES)
    assert caught.value.key == "library.problems.weights_missing"


def test_a_taken_name_is_refused_and_the_run_untouched(ready: Workspace, make: Make) -> None:
    trainers = make("--steps", "1")
    run = until(ready, trainers.start({**VALUES, "run_name": "mine"}), RunState.FINISHED)
    before = (run.folder / layout.RUN).read_bytes()
    with pytest.raises(RunError, match="already a run named"):
        trainers.start({**VALUES, "run_name": "mine", "seed": 7})
    assert (run.folder / layout.RUN).read_bytes() == before


def test_a_full_disk_at_the_start_is_one_sentence_and_nothing_half_made(
    ready: Workspace, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: object) -> None:
        raise OSError(28, "No space left on device")

    for name in ("write_text", "write_json"):
        monkeypatch.setattr(making, name, full)
        with pytest.raises(RunError, match="No space left on device"):
            make().start(VALUES)
        monkeypatch.undo()
        assert list_runs(ready) == []


def test_a_disk_that_fills_after_the_launch_takes_the_trainer_along(
    ready: Workspace, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = launching.write_json
    pids: list[int] = []

    def full(path: Path, content: Any) -> None:
        if path.name == layout.PROCESS:
            pids.append(content["pid"])
            raise OSError(28, "No space left on device")
        write(path, content)

    monkeypatch.setattr(launching, "write_json", full)
    with pytest.raises(RunError, match="No space left"):
        make("--start-seconds", "60").start(VALUES)
    assert list_runs(ready) == [] and len(pids) == 1
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_a_trainer_that_can_not_be_started_is_one_sentence(ready: Workspace) -> None:
    with pytest.raises(RunError, match="could not be started"):
        Supervisor(ready, command=("/no/such/program",)).start(VALUES)
    assert list_runs(ready) == []


def test_a_trainer_that_dies_at_once_is_not_starting_for_ever(ready: Workspace, make: Make) -> None:
    run = Supervisor(ready, command=(sys.executable, "-c", "raise SystemExit(3)")).start(VALUES)
    until(ready, run, RunState.INTERRUPTED)


def test_a_lock_left_by_a_crash_does_not_bar_the_next_start(ready: Workspace, make: Make) -> None:
    (ready.runs / ".start.lock").write_text("held by nobody", encoding="utf-8")
    until(ready, make("--steps", "1").start(VALUES), RunState.FINISHED)


def test_a_stop_that_can_not_be_written_says_so(
    ready: Workspace, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainers = make("--steps", "1000", "--step-seconds", "0.05")
    run = trainers.start(VALUES)

    def full(path: Path, content: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(asking, "write_json", full)
    with pytest.raises(RunError, match="Read-only"):
        trainers.stop(run.id, now=False)


def test_stopping_a_stranger_is_refused(make: Make) -> None:
    with pytest.raises(RunError):
        make().stop("../../etc", now=False)


def test_a_reused_id_is_never_signalled(ready: Workspace, make: Make) -> None:
    """The trainer is gone and its id belongs to another program: a stop must not hit that."""
    run = until(ready, make("--steps", "1").start(VALUES), RunState.FINISHED)
    process = read_json(run.folder / layout.PROCESS)
    (run.folder / layout.EXIT).unlink()
    bystander = os.getpid()
    (run.folder / layout.PROCESS).write_text(
        f'{{"pid": {bystander}, "born": "{process["born"]}"}}', encoding="utf-8"
    )
    assert find_run(ready, run.id).state is RunState.INTERRUPTED
    with pytest.raises(RunError, match="has ended already"):
        make().stop(run.id, now=False)


def test_the_environment_is_offline_and_without_other_launchers(
    ready: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    from backend.training.environment import environment

    monkeypatch.setenv("FORCE_TORCHRUN", "1")
    monkeypatch.setenv("LOCAL_RANK", "3")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2,3")
    monkeypatch.setenv("PYTHONPATH", "/mine")
    variables = environment(ready)
    assert variables["HF_HUB_OFFLINE"] == "1" and "FORCE_TORCHRUN" not in variables
    assert "LOCAL_RANK" not in variables and variables["CUDA_VISIBLE_DEVICES"] == "2"
    assert variables["PYTHONPATH"].endswith(f"{os.pathsep}/mine")
    assert variables["HF_DATASETS_CACHE"].startswith(str(ready.cache))


def test_signals_to_the_dashboard_do_not_reach_the_trainer(ready: Workspace, make: Make) -> None:
    """Ctrl-C in the terminal goes to the dashboard's process group; the trainer is in another."""
    run = make("--steps", "1000", "--step-seconds", "0.05").start(VALUES)
    assert run.pid is not None and os.getpgid(run.pid) != os.getpgid(0)
    os.kill(run.pid, signal.SIGKILL)
    until(ready, run, RunState.INTERRUPTED)
