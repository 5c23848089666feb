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


def _as_sent(component: gr.Dropdown | gr.CheckboxGroup, payload: Any) -> Any:
    """What was chosen; only words are, whatever is sent."""
    if payload is not None and (isinstance(component, gr.CheckboxGroup) or component.multiselect):
        return [one for one in payload if isinstance(one, str)] if isinstance(payload, list) else []
    return payload if isinstance(payload, str) else None


def _one_of_all(component: gr.Radio, payload: Any) -> Any:
    """What was marked, if anything. A page shows all that can be, and sends nothing else: who does
    gets the first, not an error with their own words in it."""
    known = [value for _, value in component.choices]
    return payload if payload is None or payload in known else next(iter(known), None)


def _number(component: gr.Number, payload: Any) -> Any:
    """What was typed; only numbers are."""
    known = isinstance(payload, int | float) and not isinstance(payload, bool)
    return _typed_number(component, payload if known else None)


_typed_number = gr.Number.preprocess


def take_choices_as_sent() -> None:
    """Apply it to the components of this process.

    Not a subclass: Gradio makes a component anew from its class at each update, and writes a stub
    file beside the source of each class that it finds.
    """
    gr.Dropdown.preprocess = _as_sent  # type: ignore[method-assign]
    gr.CheckboxGroup.preprocess = _as_sent  # type: ignore[method-assign]
    gr.Radio.preprocess = _one_of_all  # type: ignore[method-assign]
    gr.Number.preprocess = _number  # type: ignore[method-assign]
