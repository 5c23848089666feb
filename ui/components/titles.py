"""Titles and sentences between what a tab holds, in the page's language.

Not ``gr.Markdown``: for a heading it brings ninety kilobytes of scripts that nothing else needs.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from backend.text import text
from ui.components.slot import slot
from ui.html import Safe, element
from ui.i18n import Words


def title(words: Words, key: str, *, level: str = "h3", **options: Any) -> gr.HTML:
    """A heading, or what another element has around it.

    Args:
        key: Of its words.
        level: The element: ``h2`` to ``h4``, or ``p``.
    """

    def said(language: str) -> Safe:
        return element(level, text(language, key))

    return words.make(slot, {"value": said}, **options)
