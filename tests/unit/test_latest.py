"""A look at a run that was sent before the page turned to another one shows nothing."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from backend.files import write_json
from backend.services import Services
from backend.training import layout
from backend.workspace import Workspace
from ui.components import latest
from ui.components.latest import Latest
from ui.i18n import Words
from ui.tabs.hyperparameters import HyperparametersTab
from ui.tabs.training import TrainingTab


def request(page: str) -> gr.Request:
    return gr.Request(session_hash=page)


@pytest.fixture
def tab(workspace: Workspace) -> TrainingTab:
    for hour, name in enumerate(("one", "two")):
        created = f"2026-01-01T0{hour}:00:00+00:00"
        write_json(workspace.runs / name / layout.RUN, {"created": created, "values": {}})
    services, words = Services.of(workspace), Words("en")
    with gr.Blocks():
        language = gr.Radio(["en", "zh"], value="en")
        remembered = gr.BrowserState({})
        form = HyperparametersTab(services, words, language, remembered=remembered)
        return TrainingTab(services, words, language, form=form.form)


def shows(updates: list[Any]) -> bool:
    return any(update != gr.skip() for update in updates)


def test_a_late_look_does_not_turn_the_page_back(tab: TrainingTab) -> None:
    """Of a run just started the page showed the state of the one before, "finished"."""
    assert shows(tab._tick("en", request("a"), "two", [], ""))
    tab._pick("en", request("a"), "one", [])
    assert not shows(tab._tick("en", request("a"), "two", [], ""))
    assert shows(tab._tick("en", request("a"), "one", [], ""))
    assert shows(tab._tick("en", request("b"), "two", [], "")), "another page is its own"


def test_where_nothing_is_chosen_the_newest_is(tab: TrainingTab) -> None:
    drawn = tab._show("en", request("a"), None, [], *tab._form.components)
    assert drawn[1]["value"] == "two"
    assert not shows(tab._tick("en", request("a"), None, [], ""))


@pytest.mark.parametrize("asked", [None, "gone"])
def test_a_look_turns_the_page_from_a_run_that_is_not_there(
    tab: TrainingTab, asked: str | None
) -> None:
    """A run that another page started or deleted: the page turns to the newest by itself."""
    updates = tab._tick("en", request("a"), asked, [], "")
    assert updates[0]["value"] == "two"
    assert shows(tab._tick("en", request("a"), "two", [], ""))


def test_a_page_that_never_got_the_answer_is_not_left_standing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    turned = Latest()
    turned.turn(request("a"), "one")
    assert turned.has_left(request("a"), "two")
    monkeypatch.setattr(latest, "SECONDS", 0.0)
    assert not turned.has_left(request("a"), "two")


def test_pages_that_are_gone_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latest, "MOST_PAGES", 2)
    turned = Latest()
    for page in "abc":
        turned.turn(request(page), "one")
    assert [turned.has_left(request(page), "two") for page in "abc"] == [False, True, True]
