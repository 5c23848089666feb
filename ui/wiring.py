"""What tabs hand to the dashboard, so that what crosses tabs is wired in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PRIVATE: Mapping[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""For the page's own events: nothing flickers over what they fill, and no API lists them."""

CARRYING: Mapping[str, Any] = {**PRIVATE, "trigger_mode": "multiple"}
"""For events that carry something of their own (which button, where a line was let go). Gradio's
"once" would forget the second while the first is being dealt with, and its "always_last" sends the
first one's data again in place of the last one's."""


@dataclass(frozen=True)
class Refresh:
    """Shows the present state of what is on disk: on load, on coming to the tab, on a new language.

    ``show`` takes the language and the values of ``inputs``.
    """

    show: Callable[..., Any]
    outputs: Sequence[Any]
    inputs: Sequence[Any] = field(default=())
