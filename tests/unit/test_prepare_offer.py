"""The name that the Data tab offers never takes the place of one that is typed."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest

from backend.data.desk import Desk
from backend.data.tokens.measuring import Measuring
from backend.workspace import Workspace
from ui.components.prepare_panel import PreparePanel
from ui.i18n import Words


@pytest.fixture
def panel(workspace: Workspace) -> PreparePanel:
    with gr.Blocks():
        return PreparePanel(
            Words("en"), workspace=workspace, desk=Desk(workspace, Measuring(workspace))
        )


def test_it_is_offered_in_grey(panel: PreparePanel) -> None:
    offered = panel.offer("sample/medical_en")
    assert offered["placeholder"] == "medical_en" and "value" not in offered


def test_a_name_that_was_used_leaves_the_box(panel: PreparePanel, workspace: Workspace) -> None:
    Path(workspace.prepared_datasets / "medical_en").mkdir(parents=True)
    (workspace.prepared_datasets / "medical_en" / "report.json").write_text("{}")
    offered = panel.offer("sample/medical_en", used=True)
    assert offered["value"] == "" and offered["placeholder"].startswith("medical_en")


def test_without_a_file_there_is_none(panel: PreparePanel) -> None:
    assert panel.offer(None)["placeholder"] == ""
