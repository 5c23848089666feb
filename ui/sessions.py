"""What Gradio keeps of each open page: the values of its states, and components that changed.

An event that changes a component makes it anew here, for which Gradio reads the signature of its
constructor out of its code; it does so twice for each, and those never change.

Gradio also writes down the page's whole configuration at each visit, and each value since, so that
a link can lead back to it (``gr.DeepLinkButton``). MedTune has no such link. The record would be
1 MB of memory for an hour and a twentieth of a second of the server at each visit, some of it again
at each event, and a copy of what people ask in the chat.
"""

from __future__ import annotations

import inspect
from types import FunctionType, SimpleNamespace
from typing import Any

from gradio.blocks import Blocks
from gradio.state_holder import SessionState, StateHolder


def remember_signatures(page: Blocks) -> None:
    """Of all constructors that components of the page go through."""
    kinds = {kind for block in page.blocks.values() for kind in type(block).__mro__}
    for kind in kinds:
        made = inspect.unwrap(vars(kind).get("__init__", object.__init__))
        if isinstance(made, FunctionType):
            made.__signature__ = inspect.signature(made)  # type: ignore[attr-defined]


class Sessions(StateHolder):
    """Gradio's, by the name that each page has for itself."""

    def __getitem__(self, session_id: str) -> SessionState:
        if session_id not in self.session_data:
            self.session_data[session_id] = Session(self.blocks)
        return super().__getitem__(session_id)


class Session(SessionState):
    """Gradio's, with nothing written down."""

    def __init__(self, blocks: Blocks) -> None:
        super().__init__(SimpleNamespace(default_config=blocks.default_config, blocks={}))
        self.blocks_config.config_for_block = _nothing


def _nothing(*_: Any) -> dict[str, Any]:
    return {}
