"""What tabs hand to the dashboard, so that what crosses tabs is wired in one place."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

PRIVATE: Mapping[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
"""For the page's own events: nothing flickers over what they fill, and no API lists them."""


@dataclass(frozen=True)
class Refresh:
    """Shows the present state of what is on disk: on load, on coming to the tab, on a new language.

    ``show`` takes the language and the values of ``inputs``; ``options`` go to the event.
    """

    show: Callable[..., Any]
    outputs: Sequence[Any]
    inputs: Sequence[Any] = field(default=())
    options: Mapping[str, Any] = field(default_factory=dict)
