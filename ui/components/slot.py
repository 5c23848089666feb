"""A place in the page that callbacks fill with HTML made by ``ui.html``."""

from __future__ import annotations

from typing import Any

import gradio as gr


def slot(elem_id: str | None = None, **options: Any) -> gr.HTML:
    """An empty place. MedTune's own style applies in it, not Gradio's for prose."""
    return gr.HTML(elem_id=elem_id, apply_default_css=False, **options)
