"""Dropdowns whose choices are what is on disk.

What was chosen is handed to the callback, which says what is wrong with it. Gradio refuses a value
that is not in the list it remembers for the page, in English and with a traceback in the terminal.
But that list is one step behind or ahead whenever something leaves the disk while an event of the
page is under way: the person did nothing wrong. All that is chosen is looked up on disk by the
callback, whose sentence says what happened in the reader's language.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

UNSENT = object()
"""What no page can have sent: the value goes in any case."""


def choices_now(choices: Sequence[Any], *, sent: Any, kept: Any) -> dict[str, Any]:
    """The choices that there are now, for a dropdown that the page sent with the value ``sent``.

    The value goes back only where it can't be ``kept`` as it was: while this was on its way the
    person may have chosen another, which the answer to an older event must not undo.
    """
    update: dict[str, Any] = gr.update(choices=list(choices))
    return update if kept == sent else {**update, "value": kept}


def _as_sent(_component: gr.Dropdown | gr.CheckboxGroup, payload: Any) -> Any:
    return payload


def take_choices_as_sent() -> None:
    """Apply it to the components of this process.

    Not a subclass: Gradio makes a component anew from its class at each update, and writes a stub
    file beside the source of each class that it finds.
    """
    gr.Dropdown.preprocess = _as_sent  # type: ignore[method-assign]
    gr.CheckboxGroup.preprocess = _as_sent  # type: ignore[method-assign]
