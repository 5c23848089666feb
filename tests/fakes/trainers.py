"""Ends trainers that a test has started: they outlive the dashboard on purpose."""

from __future__ import annotations

from backend.processes import end_group
from backend.training.runs import list_runs, process_of
from backend.workspace import Workspace


def end_trainers(workspace: Workspace) -> None:
    """Kill every trainer of a workspace, so that no test leaves a process behind."""
    for run in list_runs(workspace):
        process = process_of(run.folder)
        if run.state.active and process:
            end_group(process)
