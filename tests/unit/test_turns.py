"""Which events of the page wait for each other."""

from __future__ import annotations

import gradio as gr
import pytest

from ui.turns import TICK, take_turns


def turns(page: gr.Blocks, place: str) -> set[tuple[str | None, int | str | None]]:
    """The turns of the events that fill a place, by its id."""
    (filled,) = (one for one in page.blocks.values() if getattr(one, "elem_id", None) == place)
    found = [event for event in page.fns.values() if filled in event.outputs]
    assert len(found) > 2, "a tick and others fill it"
    assert any(name == TICK for event in found for _, name in event.targets)
    return {(event.concurrency_id, event.concurrency_limit) for event in found}


@pytest.mark.parametrize(
    "place", ["downloads", "models", "rows", "run-status", "run-checkpoints", "runs", "run-log"]
)
def test_a_tick_never_overtakes_what_a_person_did(page: gr.Blocks, place: str) -> None:
    """A list drawn before a question was asked came after it, and the question was gone."""
    ((turn, limit),) = turns(page, place)
    assert turn is not None and limit == 1


def test_what_has_nothing_in_common_does_not_wait(page: gr.Blocks) -> None:
    places = ["downloads", "rows", "run-status", "runs", "run-log", "many"]
    assert len(set.union(*(turns(page, place) for place in places))) == len(places)


def test_ticks_that_share_a_place_have_one_turn() -> None:
    with gr.Blocks() as page:
        first, second, third = gr.HTML(), gr.HTML(), gr.HTML()
        button = gr.Button()
        for outputs in ([first, second], [second, third]):
            pulse = gr.HTML(js_on_load="trigger('tick')")
            pulse.tick(lambda: ["", ""], None, outputs)
        button.click(lambda: "", None, third)
        button.click(lambda: None, None, None)
    take_turns(page)
    *together, alone = page.fns.values()
    assert len({event.concurrency_id for event in together}) == 1
    assert alone.concurrency_id != together[0].concurrency_id
