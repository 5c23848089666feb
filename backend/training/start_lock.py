"""The lock under which runs are queued, started and deleted: one process at a time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from backend.errors import RunError
from backend.locks import held
from backend.workspace import Workspace

_SECONDS = 20.0


@contextmanager
def one_at_a_time(workspace: Workspace) -> Iterator[None]:
    """Held while runs are started or queued: a double click or a second dashboard waits.

    Raises:
        RunError: another process holds it for too long.
    """
    busy = RunError("training.errors.start_busy")
    with held(workspace.runs / ".start.lock", seconds=_SECONDS, busy=busy):
        yield
