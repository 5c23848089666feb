"""Words bound to components, and the language that a browser asks for."""

from __future__ import annotations

import gradio as gr
import pytest

from backend.text import text
from ui.i18n import Words, preferred_language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("en-US,en;q=0.9", "en"),
        ("fr-FR,fr;q=0.9,zh-TW;q=0.5", "zh"),
        ("fr", "en"),
        ("", "en"),
        (";;;,,,", "en"),
    ],
)
def test_the_browsers_first_language_that_we_speak(header: str, language: str) -> None:
    assert preferred_language(header, "en") == language


def test_a_new_language_changes_words_and_nothing_else() -> None:
    """What a person typed must survive a change of language."""
    words = Words("en")
    with gr.Blocks():
        name = words.make(gr.Textbox, {"label": "data.prepare.name"}, value="typed")
        kind = words.make(
            gr.Radio,
            {"choices": lambda language: [(text(language, "download.import.model"), "model")]},
            value="model",
        )
    assert name.label == text("en", "data.prepare.name")
    assert words.components == [name, kind]
    first, second = words.updates("zh")
    assert first["label"] == text("zh", "data.prepare.name") and "value" not in first
    assert second["choices"] == [(text("zh", "download.import.model"), "model")]
    assert "value" not in second
