"""A dropdown's value reaches the callback, also when the page's list no longer has it."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
import pytest

from backend.errors import LibraryError
from backend.library.models import find_model
from backend.workspace import Workspace
from ui.components.choices import take_choices_as_sent


@pytest.fixture
def patched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gr.Dropdown, "preprocess", gr.Dropdown.preprocess)
    monkeypatch.setattr(gr.CheckboxGroup, "preprocess", gr.CheckboxGroup.preprocess)
    monkeypatch.setattr(gr.Radio, "preprocess", gr.Radio.preprocess)
    monkeypatch.setattr(gr.Number, "preprocess", gr.Number.preprocess)
    take_choices_as_sent()


@pytest.mark.usefixtures("patched")
def test_a_choice_that_left_the_list_is_handed_on() -> None:
    one = gr.Dropdown(choices=[], value=None, render=False)
    several = gr.Dropdown(choices=["kept"], multiselect=True, render=False)
    assert one.preprocess("gone") == "gone"
    assert one.preprocess(None) is None
    assert several.preprocess(["kept", "gone"]) == ["kept", "gone"]
    boxes = gr.CheckboxGroup(choices=["kept"], render=False)
    assert boxes.preprocess(["gone"]) == ["gone"]


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize("sent", [1, True, {"a": 1}, ["x"], [["x"]]])
def test_what_is_no_word_is_no_choice(sent: object) -> None:
    assert gr.Dropdown(choices=[], value=None, render=False).preprocess(sent) is None
    several = gr.Dropdown(choices=["a"], multiselect=True, render=False)
    assert several.preprocess([sent, "a"]) == ["a"]


@pytest.mark.usefixtures("patched")
@pytest.mark.parametrize("sent", ["5", True, {"a": 1}, [1], None])
def test_what_is_no_number_is_an_empty_field(sent: object) -> None:
    number = gr.Number(value=3, precision=0, render=False)
    assert number.preprocess(sent) is None  # type: ignore[arg-type]
    assert number.preprocess(5) == 5


@pytest.mark.usefixtures("patched")
def test_what_can_not_be_marked_is_the_first() -> None:
    """Gradio's complaint has the words of whoever sent them, to be shown as HTML."""
    marked = gr.Radio(choices=[("A", "a"), ("B", "b")], value="b", render=False)
    assert marked.preprocess("b") == "b"
    for sent in ("<img src=x>", {"a": 1}, ["a"], True):
        assert marked.preprocess(sent) == "a"
    assert marked.preprocess(None) is None


def test_what_is_gone_is_said_by_the_backend(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="gone"):
        find_model(Workspace.open(tmp_path / "workspace"), "local/gone")
