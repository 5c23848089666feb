"""The live chart of runs: their folders' curves, and their checkpoints as markers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from backend.errors import WorkspaceError
from backend.training.runs import Run
from backend.workspace import Workspace
from ui.components.live_chart import Shown, live_chart_value

if TYPE_CHECKING:
    from backend.training.curves import Curves


def curves_in(workspace: Workspace) -> Callable[[str], Curves | None]:
    """What the chart's script asks for: no more than two looks at a run's folder."""

    def read(run_id: str) -> Curves | None:
        # numpy comes with it, which a dashboard that shows no run does without.
        from backend.training.curves import read_curves

        try:
            folder = workspace.named(workspace.runs, run_id)
        except WorkspaceError:
            return None
        return read_curves(folder) if folder.is_dir() else None

    return read


def chart_of(runs: Sequence[Run], language: str) -> dict[str, Any]:
    """The chart's value for some runs, the main one first."""
    return live_chart_value([_on_chart(run) for run in runs], language)


def _on_chart(run: Run) -> Shown:
    checkpoints = [(one.name, one.step) for one in run.checkpoints() if one.complete]
    return Shown(run.id, active=run.state.active, checkpoints=checkpoints)
