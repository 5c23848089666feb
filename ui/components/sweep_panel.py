"""A sweep: several values for up to three fields, the runs that come of it, and their start."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from backend.errors import HyperparameterError, MedTuneError
from backend.services import Services
from backend.text import text
from backend.training.sweep import MOST_FIELDS, SWEPT, SweepRun, plan_sweep
from ui.components.difference_table import said, setting_label
from ui.components.form import Form
from ui.components.slot import slot
from ui.components.titles import title
from ui.errors import told
from ui.html import Safe, element, join, table
from ui.i18n import Words
from ui.wiring import PRIVATE


class SweepPanel:
    """The fold's components.

    Attributes:
        queued: Whether the last press queued its runs; ``started`` is the event that sets it.
    """

    def __init__(self, services: Services, words: Words) -> None:
        self._services = services
        with words.make(
            gr.Accordion, {"label": "hyperparameters.sweep.title"}, open=False, elem_id="sweep"
        ):
            title(words, "hyperparameters.sweep.help", level="p")
            self.axes = [part for number in range(MOST_FIELDS) for part in _axis(words, number)]
            self.plan = slot("sweep-plan")
            self.start = words.make(
                gr.Button, {"value": "hyperparameters.sweep.start"}, elem_id="sweep-start"
            )
        self.queued = gr.State(False)

    def wire(self, language: gr.Radio, form: Form) -> None:
        """Let the button queue the runs."""
        self.started = self.start.click(lambda: False, None, self.queued, **PRIVATE).then(
            told(self._starter(form)), [language, *self.axes, *form.inputs], self.queued, **PRIVATE
        )

    def show(self, language: str, asked: Sequence[Any], values: Mapping[str, Any]) -> Safe:
        """The runs that would be queued; ``asked`` are the values of ``axes``."""
        try:
            return sweep_view(plan_sweep(values, _pairs(asked)), language)
        except MedTuneError as error:
            return element("p", error.sentence(language), cls="mt-bad", role="status")

    def _starter(self, form: Form) -> Any:
        def begin(_language: str, *asked: Any) -> bool:
            count = len(self.axes)
            runs = plan_sweep(form.values(asked[count:]), _pairs(asked[:count]))
            if not runs:
                raise HyperparameterError("training.errors.sweep_empty")
            for run in runs:
                if run.problem is not None:
                    raise run.problem
            self._services.supervisor.start_all([run.values for run in runs])
            self._services.acceptance.stop()
            return True

        return begin


def sweep_view(runs: Sequence[SweepRun], language: str) -> Safe:
    """The runs that would be queued, each with its values, and which can't be trained with."""
    if not runs:
        return Safe("")
    fields = list(runs[0].changes)
    headers = ["", *(setting_label(name, language) for name in fields), ""]
    rows = [
        [
            number,
            *(said(name, run.changes[name], language) for name in fields),
            element("span", run.problem.sentence(language), cls="mt-bad") if run.problem else "",
        ]
        for number, run in enumerate(runs, start=1)
    ]
    count = text(language, "hyperparameters.sweep.count", count=len(runs))
    shown = table(headers, rows, numeric=frozenset({0}))
    return join([element("p", count, role="status"), shown])


def _axis(words: Words, number: int) -> tuple[Any, Any]:
    with gr.Row():
        field = words.make(
            gr.Dropdown,
            {"label": "hyperparameters.sweep.field", "choices": _fields},
            value=None,
            elem_id=f"sweep-field-{number}",
        )
        values = words.make(
            gr.Textbox,
            {"label": "hyperparameters.sweep.values"},
            max_lines=1,
            placeholder="1e-4, 2e-4" if number == 0 else None,
            elem_id=f"sweep-values-{number}",
        )
    return field, values


def _fields(language: str) -> list[tuple[str, str]]:
    return [("–", ""), *((setting_label(name, language), name) for name in SWEPT)]


def _pairs(asked: Sequence[Any]) -> list[tuple[str | None, str]]:
    """Field and words of each axis, in what the page sends."""
    return [(asked[at] or None, str(asked[at + 1] or "")) for at in range(0, len(asked), 2)]
