"""One wrapper that turns errors meant for people into a message on the page.

Anything that is not a ``MedTuneError`` propagates: Gradio logs its traceback.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import wraps
from html import escape
from typing import Any

import gradio as gr

from backend.errors import MedTuneError
from backend.text import text

SECONDS = 15
"""How long a message stays: long enough to read, and repeated ones do not pile up."""


def told(callback: Callable[..., Any], *, fills: bool = True) -> Callable[..., Any]:
    """Wrap a callback whose first argument is the reader's language.

    A ``MedTuneError`` becomes a message that can be read at leisure; the outputs keep what they
    show. ``gr.Error`` is not raised, since Gradio then covers every output with "Error".

    Args:
        fills: Whether its event has outputs.
    """
    if inspect.isgeneratorfunction(callback):

        @wraps(callback)
        def stream(language: str, *inputs: Any) -> Any:
            try:
                yield from callback(language, *inputs)
            except MedTuneError as error:
                tell(language, error)
                yield gr.skip()

        return stream

    @wraps(callback)
    def once(language: str, *inputs: Any) -> Any:
        try:
            return callback(language, *inputs)
        except MedTuneError as error:
            tell(language, error)
            return gr.skip() if fills else None

    return once


def tell(language: str, error: MedTuneError) -> None:
    """Show an error's sentence. Gradio renders messages as HTML, hence the escape."""
    gr.Warning(
        escape(error.sentence(language)), title=text(language, "app.error_title"), duration=SECONDS
    )
