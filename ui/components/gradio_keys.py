"""What Gradio's own widgets lack for who has no mouse, mended by small scripts."""

from __future__ import annotations

import json

import gradio as gr

from backend.text import ASSETS


def let_keys_pass_lists() -> None:
    """Let the Tab key lead from a list to choose from to what comes after it, on the whole page."""
    _run("list_keys.js")


def let_keys_scroll(*elem_ids: str) -> None:
    """Let the Tab key reach these ``gr.Code``; to be called behind them."""
    _run("code_keys.js", f"const settings = {json.dumps({'blocks': elem_ids})};\n")


def _run(name: str, settings: str = "") -> None:
    script = (ASSETS / "js" / name).read_text(encoding="utf-8")
    gr.HTML(html_template="", js_on_load=settings + script, visible="hidden")
