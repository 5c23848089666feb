"""Hyperparameters saved under a name, and those of earlier runs: save, load, compare, delete."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from backend.errors import MedTuneError, RunError
from backend.services import Services
from backend.text import text
from backend.training.saved import Source, compare, delete, list_sources, load, save, source_of
from ui.components.choices import UNSENT, choices_now
from ui.components.difference_table import difference_table
from ui.components.form import Form
from ui.components.slot import slot
from ui.errors import told
from ui.html import Safe, element
from ui.i18n import Words
from ui.wiring import PRIVATE

FORM = ""
"""To compare with: the form as it is."""

Fill = Callable[[Mapping[str, Any]], list[Any]]


class SettingsShelf:
    """The fold's components.

    Attributes:
        shown: What ``show`` fills; ``asked`` is what it takes.
        loaded: The event after which the form has other values.
    """

    def __init__(self, services: Services, words: Words) -> None:
        self._workspace = services.workspace
        with words.make(
            gr.Accordion, {"label": "hyperparameters.saved.title"}, open=False, elem_id="saved"
        ):
            with gr.Row(equal_height=True):
                self.name = words.make(
                    gr.Textbox,
                    {"label": "hyperparameters.saved.name"},
                    max_lines=1,
                    scale=3,
                    elem_id="saved-name",
                )
                self.save = _button(words, "save")
            with gr.Row(equal_height=True):
                self.source = _dropdown(words, "source", None)
                self.load = _button(words, "load")
                self.delete = _button(words, "delete")
            self.other = _dropdown(words, "other", FORM)
            self.difference = slot("saved-difference")
        self.asked = [self.source, self.other]
        self.shown = [self.source, self.other, self.difference]

    def wire(self, language: gr.Radio, form: Form, fill: Fill) -> None:
        """Let the buttons act on the form; ``fill`` makes its updates."""

        def values(entered: tuple[Any, ...]) -> dict[str, Any]:
            return form.values(entered)

        def do_save(spoken: str, name: str, other: str | None, *entered: Any) -> list[Any]:
            saved = save(self._workspace, name or "", values(entered))
            gr.Info(text(spoken, "hyperparameters.saved.done", name=saved.name))
            return ["", *self._drawn(spoken, saved.id, other, values(entered), sent=UNSENT)]

        def do_load(_spoken: str, chosen: str | None) -> list[Any]:
            return fill(load(self._workspace, _chosen(chosen)))

        def do_delete(spoken: str, chosen: str | None, other: str | None, *entered: Any) -> Any:
            delete(self._workspace, _chosen(chosen))
            return self._drawn(spoken, None, other, values(entered), sent=UNSENT)

        def do_compare(spoken: str, chosen: str | None, other: str | None, *entered: Any) -> Safe:
            return self._compared(spoken, chosen, other, values(entered))

        everything = [language, *self.asked, *form.inputs]
        self.save.click(
            told(do_save),
            [language, self.name, self.other, *form.inputs],
            [self.name, *self.shown],
            **PRIVATE,
        )
        self.loaded = self.load.click(
            told(do_load), [language, self.source], form.inputs, **PRIVATE
        )
        self.delete.click(told(do_delete), everything, self.shown, **PRIVATE)
        gr.on(
            [self.source.input, self.other.input],
            told(do_compare),
            everything,
            self.difference,
            trigger_mode="always_last",
            **PRIVATE,
        )

    def show(
        self, language: str, chosen: str | None, other: str | None, values: Mapping[str, Any]
    ) -> list[Any]:
        """What can be loaded now; what is chosen stays as long as it is there."""
        return self._drawn(language, chosen, other, values, sent=chosen)

    def _drawn(
        self,
        language: str,
        chosen: str | None,
        other: str | None,
        values: Mapping[str, Any],
        *,
        sent: Any,
    ) -> list[Any]:
        there = [(_words(one, language), one.id) for one in list_sources(self._workspace)]
        form = (text(language, "hyperparameters.saved.form"), FORM)
        ids = {written for _, written in there}
        kept = chosen if chosen in ids else None
        beside = other if other in ids else FORM
        return [
            choices_now(there, sent=sent, kept=kept),
            choices_now([form, *there], sent=other, kept=beside),
            self._compared(language, kept, beside, values),
        ]

    def _compared(
        self, language: str, chosen: str | None, other: str | None, values: Mapping[str, Any]
    ) -> Safe:
        one, two = source_of(chosen), source_of(other)
        if one is None:
            return Safe("")
        try:
            beside = load(self._workspace, two) if two else values
            found = compare(load(self._workspace, one), beside)
        except MedTuneError as error:
            return element("p", error.sentence(language), cls="mt-bad")
        if not found:
            return element("p", text(language, "hyperparameters.saved.same"), cls="mt-quiet")
        name = _words(two, language) if two else text(language, "hyperparameters.saved.form")
        return difference_table(found, (_words(one, language), name), language)


def _chosen(written: str | None) -> Source:
    """The source that is chosen.

    Raises:
        RunError: none is.
    """
    source = source_of(written)
    if source is None:
        raise RunError("training.errors.settings_none")
    return source


def _words(source: Source, language: str) -> str:
    if source.kind == "run":
        return text(language, "hyperparameters.saved.run", run=source.name)
    return source.name


def _button(words: Words, name: str) -> gr.Button:
    return words.make(
        gr.Button,
        {"value": f"hyperparameters.saved.{name}"},
        scale=0,
        min_width=110,
        elem_id=f"saved-{name}",
    )


def _dropdown(words: Words, name: str, value: str | None) -> gr.Dropdown:
    return words.make(
        gr.Dropdown,
        {"label": f"hyperparameters.saved.{name}", "info": f"hyperparameters.saved.{name}_help"},
        choices=[] if value is None else [value],
        value=value,
        scale=3,
        elem_id=f"saved-{name}",
    )
