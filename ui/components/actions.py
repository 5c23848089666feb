"""HTML with buttons in it, brought up to date in place, whose clicks reach a callback."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from backend.text import ASSETS
from ui.errors import told
from ui.html import Safe, element
from ui.wiring import CARRYING


def action_slot(elem_id: str, **options: Any) -> gr.HTML:
    """A place for HTML made by ``ui.html``; ``on_press`` says who hears of its buttons, and a
    ``Pulse`` may fill it."""
    return gr.HTML(
        value="",
        html_template='<div class="mt-live"></div>',
        js_on_load=script("patch.js", "actions.js"),
        apply_default_css=False,
        elem_id=elem_id,
        **options,
    )


def script(*names: str) -> str:
    """Scripts of ``assets/js`` as one body."""
    return "\n".join((ASSETS / "js" / name).read_text(encoding="utf-8") for name in names)


def on_press(
    slot: gr.HTML,
    act: Callable[..., Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
) -> Any:
    """Let ``act`` hear of each press of an ``action_button`` in the slot, one after another.

    ``act`` takes the inputs, the first of which is the language, and ``event: gr.EventData``, which
    ``pressed`` reads. Returns the event, for what follows it.
    """
    return slot.click(told(act), inputs, outputs, **CARRYING)


def action_button(words: str, action: str, target: str, *, tone: str = "", **more: object) -> Safe:
    """A button that means ``action`` on ``target``; ``tone`` is "", "primary" or "bad"."""
    return element(
        "button",
        words,
        type="button",
        cls=f"mt-button mt-button-{tone}" if tone else "mt-button",
        data_action=action,
        data_target=target,
        **more,
    )


def pressed(event: gr.EventData) -> tuple[str, str]:
    """Action and target of a click. It comes from a browser, so it may be anything."""
    data: Any = event._data if isinstance(event._data, dict) else {}
    action, target = data.get("action"), data.get("target")
    if not isinstance(action, str) or not isinstance(target, str):
        return "", ""
    return action, target
