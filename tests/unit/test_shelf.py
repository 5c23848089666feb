"""The shelf on the page: what is asked before something is deleted."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest

from backend.services import Services
from backend.workspace import Workspace
from tests.fakes.tiny_model import make_tiny_model
from ui.components.shelf_view import Shelf
from ui.i18n import Words


@pytest.fixture
def shelf(workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Shelf:
    """One model, which Chat holds."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    make_tiny_model(workspace.models / "org" / "tiny", ["x"])
    monkeypatch.setattr(Services, "loaded_models", lambda _: ["org/tiny"])
    with gr.Blocks():
        return Shelf(Services.of(workspace), Words("en"), gr.Radio(["en", "zh"]))


@pytest.mark.parametrize(
    "language, freed, user",
    [("en", "This frees", "It is loaded in Chat"), ("zh", "删除", "请先卸载")],
)
def test_the_question_names_what_uses_it(
    shelf: Shelf, language: str, freed: str, user: str
) -> None:
    models, datasets = (str(table) for table in shelf.show(language, ("model", "org/tiny")))
    assert freed in models and user in models and 'data-action="delete_now"' in models
    assert user not in datasets
    assert user not in str(shelf.show(language, None)[0]), "only when it is asked"
    assert user not in str(shelf.show(language, ("model", "org/gone"))[0])
