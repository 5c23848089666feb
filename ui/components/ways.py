"""Words in empty places that lead to what is to be done next, wherever on the page they stand."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.components.actions import script

SAMPLE = "sample"
"""The way that takes the sample data."""


def build_ways() -> gr.HTML:
    """Hears of the links that ``ui.html.empty`` makes. Its ``way`` event carries a tab, see
    ``way_to``; its ``sample`` event asks for the sample data."""
    return gr.HTML(html_template="", js_on_load=script("ways.js"), visible="hidden")


def way_to(event: gr.EventData) -> str:
    """The tab that is asked for. It comes from a browser, so it may be anything."""
    said: Any = event._data if isinstance(event._data, dict) else {}
    tab = said.get("tab")
    return tab if isinstance(tab, str) else ""
