"""Waits for trainers that a test has started, and ends them: they outlive it on purpose."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from backend.processes import end_group
from backend.training.pumping import Pump
from backend.training.runs import Run, RunState, find_run, list_runs, log_tail, process_of
from backend.training.supervisor import Supervisor
from backend.workspace import Workspace

Make = Callable[..., Supervisor]


@contextmanager
def supervised(workspace: Workspace) -> Iterator[Supervisor]:
    """A supervisor whose queue moves as that of a dashboard, since the trainer of a run that has
    ended may take its time to go, and the next run waits for it. Its trainers end with it."""
    supervisor = Supervisor(workspace)
    pump = Pump(supervisor, seconds=0.1)
    pump.start()
    try:
        yield supervisor
    finally:
        pump.close()
        end_trainers(workspace, patience=0.5)


def end_trainers(workspace: Workspace, *, patience: float = 2.0) -> None:
    """Kill every trainer of a workspace, so that no test leaves a process behind."""
    for run in list_runs(workspace):
        if process := process_of(run.folder):
            end_group(process, patience=patience)


def wait_until(true: Callable[[], object], seconds: float = 60.0) -> None:
    """Look until something is so, which may take long on a busy machine."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "took too long"
        time.sleep(0.01)


def until(workspace: Workspace, run: Run, *states: RunState, seconds: float = 60.0) -> Run:
    """The run once it has come to one of these states; a failure on the way is shown."""
    over = {*states, RunState.FAILED}
    wait_until(lambda: find_run(workspace, run.id).state in over, seconds)
    found = find_run(workspace, run.id)
    assert found.state in states, f"{found.state}: {found.failure}\n{log_tail(found, 40)}"
    return found
