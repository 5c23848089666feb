"""What is asked of a trainer while it lives: to stop, or to save a checkpoint and go on.

A request is a file in the run's folder, which the trainer looks for between two steps.
"""

from __future__ import annotations

import math
import time
from datetime import UTC, datetime
from pathlib import Path

from backend.errors import RunError
from backend.files import write_json
from backend.processes import end_group
from backend.training import layout
from backend.training.runs import Run, RunState, process_of

DOUBLE_CLICK_SECONDS = 0.7
"""Within this time a second press on stop is the first one's double click."""


def stop(run: Run, *, now: bool) -> None:
    """Ask a trainer to save a full checkpoint and end, or end it at once.

    What is asked for is what the person was offered, not what the run's state suggests: a plain
    stop never takes away the checkpoint that an earlier one is saving. Ending within
    ``DOUBLE_CLICK_SECONDS`` of such a stop is its double click, landing on the button's next offer,
    and does nothing.

    Raises:
        RunError: the run has ended already.
        OSError: its folder can't be written.
    """
    if not run.state.active:
        raise RunError("training.errors.not_running", run=run.id)
    if run.state is RunState.STOPPING and (not now or just_asked_to_stop(run)):
        return
    write_json(run.folder / layout.STOP, {"now": now})
    if now and (process := process_of(run.folder)):
        end_group(process)


def just_asked_to_stop(run: Run) -> bool:
    """Whether a press on stop may still be the second one of a double click."""
    asked = run.state is RunState.STOPPING
    return asked and age(run.folder / layout.STOP) < DOUBLE_CLICK_SECONDS


def checkpoint(run: Run) -> None:
    """Ask a trainer for a full checkpoint after its current step; it goes on training.

    Raises:
        RunError: no trainer lives that is not stopping.
        OSError: the folder can't be written.
    """
    if run.state not in (RunState.STARTING, RunState.RUNNING):
        raise RunError("training.errors.no_checkpoint_now", run=run.id)
    write_json(run.folder / layout.CHECKPOINT, {"since": datetime.now(UTC).isoformat()})


def age(path: Path) -> float:
    """Seconds since a file was written; endless for one that is not there."""
    try:
        return abs(time.time() - path.stat().st_mtime)
    except FileNotFoundError:
        return math.inf
