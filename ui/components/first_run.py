"""The strip of first steps above the tabs: what is next, one button that does it, and how it goes.

Whether a page shows it is the browser's to say (``assets/js/first_run.js``): it was hidden there,
or asked for. What it says comes with what the header asks by itself, and only while it is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from backend.first_steps import STEPS, FirstSteps, State, Step
from backend.text import LANGUAGES, text
from ui.components.actions import script
from ui.html import Safe, element, join
from ui.wiring import Refresh

RIDER = "first-run"
"""What the strip asks goes along with the header's pulse under this name."""


class FirstRun:
    """The strip.

    Attributes:
        strip: Makes an event of the name of each step, and ``asked`` where somebody wants it back.
        refresh: Brings it up to date.
    """

    def __init__(self, steps: FirstSteps) -> None:
        self.steps = steps

    def lay_out(self) -> None:
        """Place the strip where the surrounding blocks are."""
        offer = self.steps.state().offer
        self.strip = gr.HTML(
            # The room that it takes, without a step: by the time that somebody comes another one
            # may be next, and in another language.
            value={"offer": offer.value, "content": ""},
            html_template='<section class="mt-first"><div class="mt-live"></div></section>',
            js_on_load=script("patch.js", "first_run.js"),
            apply_default_css=False,
            elem_id="first-run",
        )
        self.refresh = Refresh(self.show, [self.strip])

    def show(self, language: str) -> dict[str, Any]:
        """The strip as it is now."""
        state = self.steps.state()
        return {
            "language": language,
            "offer": state.offer.value,
            "step": state.step.value,
            "content": strip(language, state),
        }

    def ride(self, asked: Any) -> dict[str, Any]:
        """The same for a browser, which may ask with anything."""
        return self.show(asked if asked in LANGUAGES else LANGUAGES[0])

    def on(self, step: Step) -> Callable[..., Any]:
        """The event of a step's button."""
        event: Callable[..., Any] = getattr(self.strip, step.value)
        return event


def strip(language: str, state: State) -> Safe:
    """The strip's content."""
    title = element("strong", text(language, "welcome.title"), cls="mt-first-title")
    return join([title, _track(state), _said(state, language), _buttons(state, language)])


def _track(state: State) -> Safe:
    """A dot for each step; the words beside it say the same."""
    at = [*STEPS, Step.DONE].index(state.step)
    marks = ["done"] * at + ["next"] + ["later"] * (len(STEPS) - at - 1)
    dots = (element("span", cls=f"mt-first-dot mt-first-{mark}") for mark in marks[: len(STEPS)])
    return element("span", *dots, cls="mt-first-track", aria_hidden="true")


def _said(state: State, language: str) -> Safe:
    said: list[object] = []
    if state.step is not Step.DONE:
        number = STEPS.index(state.step) + 1
        counted = text(language, "welcome.counted", number=number, of=len(STEPS))
        said = [element("span", counted, cls="mt-quiet")]
    manner = "going" if state.going else "failed" if state.failed else "say"
    said.append(text(language, f"welcome.{state.step.value}.{manner}", name=state.name))
    return element("p", *said, cls="mt-first-said", role="status")


def _buttons(state: State, language: str) -> Safe:
    step = state.step.value
    if state.going:
        share = {} if state.share is None else {"value": f"{state.share:.3f}"}
        label = text(language, "welcome.title")
        main = element("progress", max=1, aria_label=label, **share)
    else:
        words = text(language, f"welcome.{step}.do")
        cls = "mt-button mt-button-primary"
        main = element("button", words, type="button", cls=cls, data_step=step)
    hide = text(language, "welcome.hide")
    return element(
        "div",
        main,
        element("button", hide, type="button", cls="mt-button", data_step="hide"),
        cls="mt-first-buttons",
    )
