"""Which file is looked at, and with whose tokenizer; what the file is, and how its study goes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from backend.data.desk import Desk
from backend.data.look import Look, doubt_in
from backend.data.reading.reader import RowReader
from backend.data.tasks import Task, TaskState
from backend.library.datasets import RawDataset, said_of_unusable
from backend.library.models import list_models
from backend.library.templates import guess_template, template_names
from backend.problems import Problem
from backend.text import text
from backend.workspace import Workspace
from ui.components.actions import action_slot
from ui.components.data_canvas import CHOOSE, Asked, Canvas
from ui.components.data_facts import Source, Work, source_facts
from ui.components.slot import slot
from ui.components.ways import SAMPLE
from ui.html import Safe, element, empty
from ui.i18n import Words

STUDY = "study"


class SourcePanel:
    """The panel's components.

    Attributes:
        shown: What ``show`` fills.
        unusable: For what ``left_out`` says.
    """

    def __init__(self, words: Words, *, workspace: Workspace, desk: Desk) -> None:
        self._workspace, self._desk = workspace, desk
        with gr.Row():
            self.source = self._dropdown(words, "source", scale=3)
            self.model = self._dropdown(words, "model", scale=2)
            self.template = self._dropdown(words, "template", scale=1, min_width=170)
        self.unusable = slot("data-unusable")
        self.facts = action_slot("data-survey")
        self.shown = [self.model, self.template, self.facts]

    def _dropdown(self, words: Words, name: str, **options: Any) -> gr.Dropdown:
        return words.make(
            gr.Dropdown,
            {"label": f"data.{name}", "info": f"data.{name}_help"},
            choices=[],
            value=None,
            elem_id=f"data-{name}",
            **options,
        )

    def wire(self, canvas: Canvas) -> None:
        """Let the tokenizer be chosen, and the study be ended or begun again."""
        canvas.acts(self.model.input, self._choose_model, [self.model], refill=True)
        canvas.changes(
            self.template.input,
            lambda draft, template: replace(draft, template=template or ""),
            [self.template],
        )
        canvas.presses(self.facts, self._act)

    def show(self, language: str, look: Look | None) -> list[Any]:
        """The choices, and what the file is."""
        models = [model.id for model in list_models(self._workspace) if model.ready]
        draft = look.draft if look else None
        return [
            gr.update(choices=models, value=draft.model if draft and draft.model else None),
            gr.update(
                choices=template_names(), value=draft.template if draft and draft.template else None
            ),
            _facts(language, look) if look else _nothing(language),
        ]

    def left_out(self, language: str, files: Sequence[RawDataset]) -> Safe:
        """The files that are no choice, and why: who looks for one learns it here."""
        said = said_of_unusable(files, language)
        return element("p", said, cls="mt-quiet mt-small") if said else Safe("")

    def prefill(self, look: Look) -> Look:
        """Choose a tokenizer for a file that none was chosen for: the first model's."""
        if look.draft.model:
            return look
        ready = [model for model in list_models(self._workspace) if model.ready]
        if not ready:
            return look
        template = guess_template(ready[0].path) or ""
        self._desk.change(
            look.source_id, lambda draft: replace(draft, model=ready[0].id, template=template)
        )
        return self._desk.look(look.source_id)

    def _choose_model(self, look: Look, _asked: Asked, model_id: str | None) -> None:
        paths = {model.id: model.path for model in list_models(self._workspace)}
        path = paths.get(model_id or "")
        guess = guess_template(path) if path else None
        self._desk.change(
            look.source_id,
            lambda draft: replace(draft, model=model_id or "", template=guess or draft.template),
        )

    def _act(self, look: Look, _asked: Asked, action: str, _target: str) -> None:
        if action == "cancel":
            self._desk.stop(look)
        elif action == "retry":
            self._desk.begin(look)


def _nothing(language: str) -> Safe:
    return empty(language, "data.survey.empty", CHOOSE, SAMPLE, "download#hub-catalogue")


def _facts(language: str, look: Look) -> Safe:
    reader = look.reader
    kind = text(language, f"data.kinds.{reader.kind}")
    packed = text(language, "data.kinds.packed", kind=kind) if reader.packed else kind
    source = Source(
        name=look.path.name,
        kind=packed,
        encoding=_encoding(language, reader),
        size=reader.size,
        rows=reader.count if reader.complete else None,
        shape=look.columns.shape if look.columns else None,
        notes=_notes(look),
    )
    return source_facts(source, language, work=_work(language, look))


def _encoding(language: str, reader: RowReader) -> str:
    if reader.kind == "parquet":  # has none of its own
        return ""
    return text(language, f"data.encodings.{reader.encoding.replace('-', '_')}")


def _notes(look: Look) -> Sequence[Problem]:
    if look.columns is None:
        return [Problem("data.problems.shape_unknown")]
    return [problem for problem in (look.fault, doubt_in(look)) if problem]


def _work(language: str, look: Look) -> Work | None:
    task = look.task
    if look.columns is None or look.fault is not None:
        return None
    if task is not None and task.state is TaskState.DONE:
        return None
    if task is None or task.state is TaskState.INTERRUPTED:
        stopped = Problem("data.problems.study_stopped")
        return Work(STUDY, text(language, "data.steps.study"), problem=stopped)
    if task.problem is not None:
        return Work(STUDY, text(language, "data.steps.study"), problem=task.problem)
    return Work(
        STUDY, text(language, f"data.steps.{task.step or 'starting'}"), share=share_of(task)
    )


def share_of(task: Task) -> float | None:
    """How much of a task's step is done; None where that is unknown."""
    return min(task.done / task.total, 1.0) if task.total else None
