"""Answers go on for as long as the browser is there that asked for them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import gradio as gr

from backend.chat.under_way import Asking

MOST_PAGES = 16
"""Events that may wait for answers at the same time; an engine puts their rows into one batch."""

LOOK_SECONDS = 0.4
"""Between two looks whether the browser is still there: when it has gone, generation ends."""


class Waiting:
    """Questions that pages have asked and with which no event stays yet. Safe among threads."""

    def __init__(self) -> None:
        self._asked: dict[str | None, list[Asking]] = {}
        self._lock = threading.Lock()

    def waits(self, request: gr.Request, asking: Asking) -> None:
        """Note a question for the event that follows."""
        with self._lock:
            # A page that went in between never came for its own.
            for page, asked in list(self._asked.items()):
                if not any(one.running or one.error for one in asked):
                    del self._asked[page]
            self._asked.setdefault(request.session_hash, []).append(asking)

    def taken(self, request: gr.Request) -> list[Asking]:
        """The page's questions, which nobody else gets."""
        with self._lock:
            return self._asked.pop(request.session_hash, [])


def stay(*askings: Asking) -> Iterator[Any]:
    """Stay with questions until they are answered; when the browser leaves, stop the answers.

    Nothing is sent: the board asks for what is new. But Gradio closes a page's events when its
    browser goes, and that is how it is known here.

    Raises:
        EngineError: the answers could not be kept.
    """
    try:
        for asking in askings:
            while asking.running:
                yield gr.skip()
                asking.wait(LOOK_SECONDS)
    finally:
        for asking in askings:
            asking.stop()
    for asking in askings:
        if asking.error is not None:
            raise asking.error
