"""A training as the page starts one, timed. Knows nothing about what it is compared with."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from backend.training.runs import Run, RunState, find_run, log_tail, process_of
from backend.training.supervisor import Supervisor
from backend.workspace import Workspace


def trained(workspace: Workspace, values: Mapping[str, Any]) -> tuple[Run, float]:
    """The finished run, and its seconds from pressing start until the trainer's process is gone.

    Raises:
        RuntimeError: it did not finish; with the end of its log.
    """
    began = time.perf_counter()
    run = Supervisor(workspace).start(values)
    process = process_of(run.folder)
    while process and process.is_alive():
        time.sleep(0.01)
    seconds = time.perf_counter() - began
    run = find_run(workspace, run.id)
    if run.state is not RunState.FINISHED:
        raise RuntimeError(f"the run {run.state}:\n{log_tail(run, 30)}")
    return run, seconds
