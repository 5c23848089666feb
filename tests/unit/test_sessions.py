"""What is kept of an open page: its states and nothing that it showed."""

from __future__ import annotations

import asyncio
import inspect

import gradio as gr
import pytest
from gradio.state_holder import SessionState

from ui.sessions import Sessions, remember_signatures


def paged() -> tuple[gr.Blocks, gr.Textbox, gr.State]:
    with gr.Blocks() as page:
        box, kept = gr.Textbox(), gr.State("before")
        gr.on([], lambda: None, None, [box, kept])
    return page, box, kept


def opened(page: gr.Blocks) -> tuple[Sessions, SessionState]:
    sessions = Sessions()
    sessions.set_blocks(page)
    return sessions, sessions["one"]


def filled(page: gr.Blocks, session: SessionState, *values: object) -> list[object]:
    event = next(iter(page.fns.values()))
    return asyncio.run(page.postprocess_data(event, list(values), session))


def test_a_page_has_its_own_states_from_one_event_to_the_next() -> None:
    page, _, kept = paged()
    sessions, one = opened(page)
    filled(page, one, "a question", "after")
    assert sessions["one"] is one
    assert (one[kept._id], sessions["two"][kept._id]) == ("after", "before")


def test_a_component_that_changed_is_changed_for_its_page() -> None:
    page, box, _ = paged()
    sessions, one = opened(page)
    filled(page, one, gr.update(label="new", value="a question"), gr.skip())
    assert one[box._id].label == "new"
    assert sessions["two"][box._id] is box


def test_what_was_shown_is_not_written_down() -> None:
    page, _, _ = paged()
    _, one = opened(page)
    filled(page, one, gr.update(value="a question about a patient"), "after")
    filled(page, one, "another", "after")
    assert [*one.components] == []


@pytest.mark.parametrize("kind", [gr.Textbox, gr.HTML, gr.Row])
def test_remembered_signatures_are_the_constructors_own(kind: type[gr.blocks.Block]) -> None:
    expected = inspect.signature(kind.__init__)
    with gr.Blocks() as page:
        kind()
    remember_signatures(page)
    assert inspect.signature(kind.__init__) == expected
    remembered = inspect.unwrap(kind.__init__).__signature__  # type: ignore[attr-defined]
    assert remembered is inspect.signature(kind.__init__)
