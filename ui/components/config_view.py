"""Beside the form: the command of the training, and what LLaMA-Factory itself says of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import gradio as gr

from backend.errors import MedTuneError
from backend.services import Services
from backend.text import text
from backend.training.acceptance import Asking, Question, Verdict, question
from backend.training.preview import preview
from ui.components.form import Form
from ui.components.slot import slot
from ui.errors import told
from ui.html import Safe, element
from ui.i18n import Words
from ui.wiring import PRIVATE


class ConfigView:
    """The components, in the order in which they are laid out.

    Attributes:
        shown: What ``show`` fills.
    """

    def __init__(self, services: Services) -> None:
        self._services = services

    def lay_out_question(self, words: Words) -> None:
        """The button below the one that leads on."""
        self.ask = words.make(
            gr.Button, {"value": "hyperparameters.accept.ask"}, size="sm", elem_id="config-ask"
        )

    def lay_out(self, words: Words) -> None:
        """The rest, between the figures and the file."""
        self.said = slot("config-accepted")
        self.command = words.make(
            gr.Code,
            {"label": "hyperparameters.command"},
            language="shell",
            interactive=False,
            wrap_lines=True,
            show_line_numbers=False,
            lines=1,
            elem_id="config-command",
        )
        self.shown = [self.said, self.command]

    def wire(self, language: gr.Radio, form: Form) -> Any:
        """Let the button ask about the form; the event lasts as long as the asking."""

        def follow(spoken: str, *entered: Any) -> Iterator[Any]:
            yield from self._follow(spoken, form.values(entered))

        return self.ask.click(told(follow), [language, *form.inputs], self.said, **PRIVATE)

    def show(self, language: str, values: Mapping[str, Any]) -> list[Any]:
        """The command, and what is known of what LLaMA-Factory says; nothing for a bad form."""
        try:
            found = preview(self._services.workspace, values)
        except MedTuneError:  # the figures beside say it
            return ["", ""]
        asked = question(self._services.workspace, found.config, found.values)
        try:
            said = acceptance_view(self._services.acceptance.state(asked), language)
        except MedTuneError as error:
            said = element("p", error.sentence(language), cls="mt-bad", role="status")
        return [said, found.command]

    def begin(self, values: Mapping[str, Any]) -> None:
        """Have LLaMA-Factory asked in the background.

        Raises:
            MedTuneError: the values can't be trained with, or the process can't be started.
        """
        self._services.acceptance.ask(self._question(values))

    def _follow(self, language: str, values: Mapping[str, Any]) -> Iterator[Any]:
        state: Verdict | Asking | None = None
        for state in self._services.acceptance.watch(self._question(values)):
            yield acceptance_view(state, language)
        if not isinstance(state, Verdict):  # another question took its place, or a run started
            yield ""

    def _question(self, values: Mapping[str, Any]) -> Question:
        found = preview(self._services.workspace, values)
        return question(self._services.workspace, found.config, found.values)


def acceptance_view(state: Verdict | Asking | None, language: str) -> Safe:
    """What LLaMA-Factory says of a configuration, in one line."""
    match state:
        case Verdict(accepted=True):
            tone, words = "mt-good", text(language, "hyperparameters.accept.accepted")
        case Verdict(reason=reason):
            tone = "mt-bad"
            words = text(language, "training.errors.not_accepted", reason=reason)
        case Asking(seconds=seconds):
            words = text(language, "hyperparameters.accept.asking", seconds=round(seconds))
            return element("p", words, cls="mt-quiet")  # not read anew each second
        case _:
            return Safe("")
    return element("p", words, cls=tone, role="status")
