"""The queue: runs that wait for their turn, as files in their folders.

Knows the order and nothing about devices or processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from backend.files import read_json, write_json
from backend.training import layout
from backend.training.metrics import finite
from backend.training.runs import Run, RunState, list_runs
from backend.workspace import Workspace


def waiting(workspace: Workspace) -> list[Run]:
    """The queued runs, the next one first."""
    # Asked once a second: that no run waits is told by one look into each folder.
    if not any(workspace.runs.glob(f"[!.]*/{layout.QUEUED}")):
        return []
    return in_order([run for run in list_runs(workspace) if run.state is RunState.QUEUED])


def in_order(runs: Sequence[Run]) -> list[Run]:
    """Queued runs as the queue has them."""
    return sorted(runs, key=lambda run: (_order(run.folder), run.created, run.id))


def ticket(after: Sequence[Run]) -> dict[str, object]:
    """What ``queued.json`` holds for a run behind those that wait already."""
    last = max((_order(run.folder) for run in after), default=0.0)
    return {"order": last + 1.0, "since": datetime.now(UTC).isoformat()}


def move(runs: Sequence[Run], run_id: str, *, up: bool) -> None:
    """Give a run the place of the one before or behind it; at an end nothing happens.

    Raises:
        OSError: the order can't be written.
    """
    ids = [run.id for run in runs]
    here = ids.index(run_id)
    beside = here - 1 if up else here + 1
    if not 0 <= beside < len(ids):
        return
    beyond = beside - 1 if up else beside + 1
    near = _order(runs[beside].folder)
    far = _order(runs[beyond].folder) if 0 <= beyond < len(ids) else near + (-2 if up else 2)
    if near == far:  # two dashboards of an earlier day gave the same number: count anew
        others = [run for run in runs if run.id != run_id]
        others.insert(beside, runs[here])
        for number, run in enumerate(others, start=1):
            _place(run.folder, float(number))
        return
    _place(runs[here].folder, (near + far) / 2)


def _place(folder: Path, order: float) -> None:
    entry = read_json(folder / layout.QUEUED)
    kept = entry if isinstance(entry, dict) else {}
    write_json(folder / layout.QUEUED, {**kept, "order": order})


def _order(folder: Path) -> float:
    entry = read_json(folder / layout.QUEUED)
    order = finite(entry.get("order")) if isinstance(entry, dict) else None
    return 0.0 if order is None else order
