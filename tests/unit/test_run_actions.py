"""What can be done to the run that is shown."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict

import gradio as gr
import pytest

from backend.files import write_json
from backend.processes import ProcessId
from backend.services import Services
from backend.text import text
from backend.training import asking, layout
from backend.training.runs import Run, RunState, find_run
from backend.workspace import Workspace
from ui.components.run_actions import RunActions
from ui.components.run_view import stamp
from ui.i18n import Words


@pytest.fixture
def actions(workspace: Workspace) -> Iterator[RunActions]:
    services = Services.of(workspace)
    with gr.Blocks():
        yield RunActions(services, Words("en"))
    services.close()


@pytest.fixture
def stopping(workspace: Workspace) -> Run:
    """A run whose trainer was asked to stop a moment ago."""
    folder = workspace.runs / "one"
    write_json(folder / layout.RUN, {"created": "2026-01-01T00:00:00+00:00", "values": {}})
    process = ProcessId.of(os.getpid())
    assert process is not None
    write_json(folder / layout.PROCESS, asdict(process))
    write_json(folder / layout.STOP, {"now": False})
    run = find_run(workspace, "one")
    assert run.state is RunState.STOPPING
    return run


def test_end_at_once_is_offered_when_no_double_click_can_land_on_it(
    actions: RunActions, stopping: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a busy server the second click was dealt with so late that it seemed to be meant, and the
    checkpoint was lost."""
    monkeypatch.setattr(asking, "DOUBLE_CLICK_SECONDS", 60.0)
    assert not actions.show("en", stopping)[0]["interactive"]
    seen = stamp([stopping], stopping)
    monkeypatch.setattr(asking, "DOUBLE_CLICK_SECONDS", 0.0)
    assert stamp([stopping], stopping) != seen, "the page is drawn again when it can be pressed"
    offered = actions.show("en", stopping)[0]
    assert offered["interactive"] and offered["value"] == text("en", "training.end_now")
