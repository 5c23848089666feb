"""Values that the person's browser keeps from one visit to the next.

In place of ``gr.BrowserState``, which enciphers them with a key that the page itself says, and for
that fetches 71 kB of ciphers before the page is there.
"""

from __future__ import annotations

import json
from typing import Any

import gradio as gr

from ui.components.actions import script


def kept_here(name: str, value: Any) -> gr.HTML:
    """An unseen component whose value, anything that JSON has, is of this browser.

    Outside of the tabs: Gradio mounts what is in one when it is first opened.

    Args:
        name: What it is kept under.
        value: Where nothing is kept yet.
    """
    settings = f"const settings = {json.dumps({'key': f'medtune.{name}'})};\n"
    body = settings + script("kept_here.js")
    return gr.HTML(value=value, html_template="", js_on_load=body, visible="hidden")
