"""What a screen reader hears of something that goes on, instead of each figure as it changes.

A live region that holds figures is read anew several times a second. Here the place that shows them
carries the words for the ear beside those for the eye, and changes them a few times in all; the
page's announcer (``assets/js/speak.js``), which is its only region for what goes on, says them.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from backend.text import ASSETS, text


def announcer() -> gr.HTML:
    """Place the region, which can't be seen."""
    return gr.HTML(
        html_template='<div role="status"></div>',
        js_on_load=(ASSETS / "js" / "speak.js").read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id="spoken",
        elem_classes="mt-heard",
    )


def says(key: str, words: str) -> dict[str, Any]:
    """Attributes of an element that is heard when its words are others than before.

    Args:
        key: Of what goes on, not of the element: what is said of another thing is no news.
        words: "" for nothing worth hearing.
    """
    return {"data_say_key": key, "data_say": words}


def state_said(language: str, name: str, state: str) -> str:
    """What something is doing, or how it ended."""
    return text(language, "app.spoken.state", name=name, state=state)


def share_said(language: str, name: str, done: float, total: float) -> str:
    """How far something is, in tenths; "" before the first."""
    percent = int(10 * done / total) * 10 if total > 0 else 0
    return text(language, "app.spoken.share", name=name, percent=percent) if percent else ""
