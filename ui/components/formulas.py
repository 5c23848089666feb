"""Formulas in what ``ui.markdown`` made, typeset on the page by Gradio's own KaTeX."""

from __future__ import annotations

import json
from pathlib import Path

import gradio as gr

from ui.components.actions import script


def formula_script(*names: str) -> str:
    """Scripts of ``assets/js`` as one body, in which ``typeset(place)`` typesets formulas."""
    told_to_script = json.dumps({"katex": katex_files()})
    return f"const settings = {told_to_script};\n{script('patch.js', 'formulas.js', *names)}"


def answer_slot(elem_id: str, *more: str) -> gr.HTML:
    """As ``action_slot``, for answers with formulas; ``more`` are scripts that run behind it."""
    return gr.HTML(
        value="",
        html_template='<div class="mt-live"></div>',
        js_on_load=formula_script("actions.js", *more),
        apply_default_css=False,
        elem_id=elem_id,
    )


def katex_files() -> list[str]:
    """Names of KaTeX's script and style, which come with Gradio for its own Markdown; none where
    they have moved, and formulas are then shown as they were written."""
    folder = Path(gr.__file__).parent / "templates" / "frontend" / "assets"
    found = [sorted(folder.glob(f"katex-*{ending}")) for ending in (".js", ".css")]
    return [paths[0].name for paths in found] if all(found) else []
