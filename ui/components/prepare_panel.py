"""Prepare a dataset: a name, a share for validation, what would be taught, and how it goes."""

from __future__ import annotations

from typing import Any

import gradio as gr

from backend.data.desk import Desk
from backend.data.look import Look
from backend.data.preparing import (
    cancel_preparing,
    forget_preparing,
    offered_name,
    prepared_by,
    start_preparing,
)
from backend.data.recipe import settings_of
from backend.data.tasks import Task, TaskState
from backend.problems import Problem
from backend.text import text
from backend.workspace import Workspace
from ui.components.actions import action_button, action_slot
from ui.components.data_canvas import CHOOSE, Asked, Canvas
from ui.components.data_facts import selection_facts
from ui.components.slot import slot
from ui.components.titles import title
from ui.errors import told
from ui.html import Safe, count, element, empty, facts
from ui.i18n import Words
from ui.wiring import PRIVATE


class PreparePanel:
    """The panel's components.

    Attributes:
        shown: What ``show`` fills.
    """

    def __init__(self, words: Words, *, workspace: Workspace, desk: Desk) -> None:
        self._workspace, self._desk = workspace, desk
        title(words, "data.prepare.title")
        self.summary = slot("data-summary")
        self.name = words.make(
            gr.Textbox,
            {"label": "data.prepare.name", "info": "data.prepare.name_help"},
            max_lines=1,
            elem_id="data-name",
        )
        # Numbers without bounds or precision here and below: Gradio would refuse in its own words,
        # or round; the backend says what is wrong in the reader's language.
        with gr.Row():
            self.share = words.make(
                gr.Number,
                {"label": "data.prepare.share"},
                value=10,
                min_width=110,
                elem_id="data-share",
            )
            self.seed = words.make(
                gr.Number,
                {"label": "data.prepare.seed"},
                value=42,
                min_width=90,
                elem_id="data-seed",
            )
        self.start = words.make(
            gr.Button, {"value": "data.prepare.start"}, variant="primary", elem_id="data-start"
        )
        self.result = action_slot("data-result")
        self.shown = [self.summary, self.result]

    def wire(self, canvas: Canvas) -> None:
        """Let a dataset be prepared."""

        def start(look: Look, _asked: Asked, name: str, share: Any, seed: Any) -> None:
            named = (name or "").strip() or offered_name(self._workspace, look.source_id)
            settings = settings_of(named, percent=share, seed=seed)
            start_preparing(
                self._workspace,
                look.path,
                look.recipe,
                settings,
                evaluation=look.evaluation,
                lengths=self._desk.lengths_folder(look) if look.recipe.cutoff else None,
            )

        def required(_language: str, source: str | None) -> None:
            canvas.look(source)

        canvas.acts(
            self.start.click, start, [self.name, self.share, self.seed], trigger_mode="once"
        )
        # Without a file there is nothing that could be redrawn, only something to be said.
        self.start.click(
            told(required, fills=False), [canvas.language, canvas.source], None, **PRIVATE
        )
        canvas.presses(self.result, self._act)

    def _act(self, _look: Look, _asked: Asked, action: str, target: str) -> None:
        if action == "cancel":
            cancel_preparing(self._workspace, target)
        elif action == "dismiss":
            forget_preparing(self._workspace, target)

    def offer(self, source_id: str | None, *, used: bool = False) -> dict[str, Any]:
        """The name that an empty box stands for; a name that was ``used`` leaves the box.

        Offered in grey, not filled in: the answer that brings it must not undo what was typed.
        """
        update: dict[str, Any] = gr.update(
            placeholder=offered_name(self._workspace, source_id) if source_id else ""
        )
        return {**update, "value": ""} if used else update

    def show(self, language: str, look: Look | None, task: Task | None) -> list[Any]:
        """What would be taught, and how the preparation of this file stands."""
        if look is None:
            return [empty(language, "data.prepare.empty", CHOOSE), ""]
        selection = look.selection
        summary = selection_facts(selection.counts(), language) if selection else ""
        return [summary, _result(self._workspace, task, language) if task else ""]


def _result(workspace: Workspace, task: Task, language: str) -> Safe:
    match task.state:
        case TaskState.RUNNING:
            return _progress(task, language)
        case TaskState.DONE:
            return _done(workspace, task, language)
    problem = task.problem or Problem("data.errors.task_interrupted")
    return element(
        "div",
        element("p", problem.sentence(language), cls="mt-bad", role="status"),
        _button(task, "dismiss", language),
        cls="mt-job mt-edge-bad",
    )


def _progress(task: Task, language: str) -> Safe:
    doing = text(language, f"data.steps.{task.step or 'starting'}", name=name_of(task))
    bar = (
        element("progress", value=task.done, max=task.total, aria_label=doing)
        if task.total
        else element("progress", max=1, aria_label=doing)
    )
    return element(
        "div",
        element("p", doing, role="status"),
        bar,
        _button(task, "cancel", language),
        cls="mt-job mt-edge-busy",
    )


def _done(workspace: Workspace, task: Task, language: str) -> Safe:
    made = prepared_by(workspace, task)
    if made is None:
        return Safe("")
    report = made.report
    figures = [
        ("train", report.train_rows),
        ("validation", report.validation_rows),
        ("mended", report.mended),
        ("left_out", report.left_out_rows),
    ]
    return element(
        "div",
        element("p", text(language, "data.prepare.done", name=report.name), role="status"),
        facts((text(language, f"data.prepare.{name}"), count(rows)) for name, rows in figures),
        _button(task, "dismiss", language),
        cls="mt-job mt-good",
    )


def _button(task: Task, action: str, language: str) -> Safe:
    words = text(language, f"data.prepare.{action}")
    return element("div", action_button(words, action, name_of(task)), cls="mt-buttons")


def name_of(task: Task) -> str:
    """Name of the dataset that a task prepares."""
    return str(task.asked["settings"]["name"])
