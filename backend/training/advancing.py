"""Starts the queued runs whose devices are free.

Reads the queue and what runs from their folders each time; whoever calls it holds the queue's lock.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend.data.registry import find_prepared
from backend.errors import MedTuneError
from backend.files import write_json
from backend.training import layout, probing, queue
from backend.training.assigning import CPU, Turn, read, turns
from backend.training.devices import gpus
from backend.training.launching import Launcher
from backend.training.making import ready_model
from backend.training.record import make_record
from backend.training.runs import Run, find_run, is_held, list_runs
from backend.workspace import Workspace

LINGER_SECONDS = 3.0
"""How long the process of a run that has said its last word may take to go."""

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Line:
    """The queue of one workspace, as it moves on."""

    workspace: Workspace
    launcher: Launcher

    def advance(self, *, fresh: str = "") -> None:
        """Start what can start.

        Args:
            fresh: A run that a person waits for. Only of this one an error is raised; it also waits
                a moment where its devices are about to be free.

        Raises:
            MedTuneError, OSError: the ``fresh`` run can't be started.
        """
        deadline = time.monotonic() + LINGER_SECONDS
        while True:
            for turn in self._turns():
                self._start(turn, fresh)
            if not self._soon(fresh) or time.monotonic() >= deadline:
                return
            time.sleep(0.02)

    def _turns(self) -> list[Turn]:
        waiting = [(run.id, run.values) for run in queue.waiting(self.workspace)]
        if not waiting:
            return []
        held = (run for run in list_runs(self.workspace) if is_held(run))
        used = frozenset(device for run in held for device in read(run.devices or CPU))
        return list(turns(waiting, used, gpus()))

    def _soon(self, fresh: str) -> bool:
        """Whether the run waits only for processes that are ending at this moment."""
        if fresh not in [run.id for run in queue.waiting(self.workspace)]:
            return False
        held = [run for run in list_runs(self.workspace) if is_held(run)]
        return bool(held) and not any(run.state.active for run in held)

    def _start(self, turn: Turn, fresh: str) -> None:
        run = find_run(self.workspace, turn.run_id)
        try:
            model = ready_model(self.workspace, run.values["model"])
            data = find_prepared(self.workspace, run.values["dataset"])
            record = make_record(run.values, model, data, assigned=turn.gpus)
            write_json(run.folder / layout.RECORD, record)
            probing.end(self.workspace)  # it may be on these devices, and a person waits for this
            self.launcher.launch(run, turn.gpus)
        except (MedTuneError, OSError) as error:
            if run.id == fresh:
                raise
            log.warning("The queued run %s could not be started: %s", run.id, error)
            _give_up(run, error)


def write_exit(folder: Path, reason: layout.Reason, **more: Any) -> None:
    """Say in a run's folder how it ended before it came to a trainer, and take it off the queue.

    Raises:
        OSError: it can't be written.
    """
    when = datetime.now(UTC).isoformat()
    ending = {"code": None, "reason": reason, "error": None, "when": when, **more}
    write_json(folder / layout.EXIT, ending)
    (folder / layout.QUEUED).unlink(missing_ok=True)


def _give_up(run: Run, error: MedTuneError | OSError) -> None:
    if not isinstance(error, MedTuneError):
        write_exit(run.folder, "failed", error=str(error))
        return
    params = {
        name: value if isinstance(value, int) else str(value)
        for name, value in error.params.items()
    }
    problem = {"key": error.key, "params": params}
    write_exit(run.folder, "failed", error=str(error), problem=problem)
