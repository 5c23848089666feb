"""What each page was last turned to, so that a late answer does not turn it back."""

from __future__ import annotations

import time
from collections import OrderedDict

import gradio as gr

SECONDS = 10.0
"""For so long an answer may be late. Afterwards what the page says counts, which may never have got
the answer that was to turn it."""

MOST_PAGES = 1000


class Latest:
    """For each page, by Gradio's session: what was last chosen in it, by the person or for them."""

    def __init__(self) -> None:
        self._turned: OrderedDict[str, tuple[str | None, float]] = OrderedDict()

    def turn(self, request: gr.Request, chosen: str | None) -> None:
        page = request.session_hash or ""
        self._turned[page] = (chosen, time.monotonic())
        self._turned.move_to_end(page)
        if len(self._turned) > MOST_PAGES:
            self._turned.popitem(last=False)

    def has_left(self, request: gr.Request, asked: str | None) -> bool:
        """Whether the page has been turned to something else since it ``asked`` about this."""
        chosen, when = self._turned.get(request.session_hash or "", (asked, 0.0))
        return chosen != asked and time.monotonic() - when < SECONDS
