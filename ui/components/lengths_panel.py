"""How long the rows are in tokens, and what a cutoff length does to them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gradio as gr

from backend.data.desk import Desk
from backend.data.look import Look
from backend.data.tasks import Task, TaskState
from backend.data.tokens.cutoff import answer_steps, effects, reasoning_steps, smallest_cutoff
from backend.data.tokens.lengths import Lengths
from backend.problems import Problem
from backend.text import text
from ui.components.actions import action_button, action_slot
from ui.components.data_canvas import Asked, Canvas
from ui.components.length_chart import (
    build_length_chart,
    cutoff_of,
    length_chart_value,
    no_lengths,
)
from ui.components.slot import slot
from ui.components.speaking import says, share_said
from ui.html import Safe, count, element, facts
from ui.i18n import Words


class LengthsPanel:
    """The panel's components.

    Attributes:
        shown: What ``show`` fills.
    """

    def __init__(self, words: Words, desk: Desk) -> None:
        self._desk = desk
        self.measure = words.make(
            gr.Button, {"value": "data.lengths.measure"}, elem_id="lengths-measure"
        )
        self.work = action_slot("lengths-work")
        self.chart = build_length_chart(words.language)
        self.effects = slot("lengths-effects")
        self.drop = words.make(
            gr.Checkbox,
            {"label": "data.lengths.drop", "info": "data.lengths.drop_help"},
            value=False,
            elem_id="lengths-drop",
        )
        self.shown = [self.measure, self.work, self.chart.component, self.effects, self.drop]

    def wire(self, canvas: Canvas, cutoff: gr.Number) -> None:
        """Let lengths be measured, and the cutoff be moved; ``cutoff`` shows it elsewhere."""
        canvas.acts(self.measure.click, self._measure, trigger_mode="once")
        canvas.presses(self.work, self._act)
        canvas.changes(
            self.drop.input, lambda draft, drop: replace(draft, drop=bool(drop)), [self.drop]
        )

        def moved(language: str, event: gr.EventData, source: str | None, *asked: Any) -> list[Any]:
            tokens = cutoff_of(event)
            if source and tokens:
                self._desk.change(source, lambda draft: replace(draft, cutoff=tokens))
            drawn = canvas.left_alone(canvas.draw(language, source, Asked.of(*asked)))
            return [*drawn, tokens or gr.skip()]

        self.chart.on_cutoff(moved, canvas.place, [*canvas.shown, cutoff])

    def _measure(self, look: Look, _asked: Asked) -> None:
        self._desk.measure(look)

    def _act(self, look: Look, _asked: Asked, action: str, _target: str) -> None:
        if action == "cancel":
            self._desk.stop_measuring(look)
        elif action == "retry":
            self._desk.measure(look)

    def show(self, language: str, look: Look | None) -> list[Any]:
        """The lengths under the draft's tokenizer, or how far their measuring is."""
        if look is None:
            off = gr.update(interactive=False)
            return [off, "", no_lengths(language), "", gr.update(value=False, interactive=False)]
        task, lengths = look.measuring, look.lengths
        running = task is not None and task.state is TaskState.RUNNING
        return [
            gr.update(interactive=look.columns is not None and not running and lengths is None),
            _work(language, task) if task and lengths is None else _need(language, look),
            _chart(language, look, lengths) if lengths else no_lengths(language),
            _effects(language, lengths, look.draft.cutoff) if lengths else "",
            gr.update(value=look.draft.drop, interactive=lengths is not None or look.draft.drop),
        ]


def _need(language: str, look: Look) -> Safe:
    """What is needed before lengths can be measured."""
    if look.lengths is not None or (look.draft.model and look.draft.template):
        return Safe("")
    return element("p", text(language, "data.lengths.needs"), cls="mt-quiet")


def _work(language: str, task: Task) -> Safe:
    if task.state is not TaskState.RUNNING:
        problem = task.problem or Problem("data.errors.task_interrupted")
        retry = action_button(text(language, "data.view.source.retry"), "retry", "lengths")
        return element(
            "div",
            element("p", problem.sentence(language), cls="mt-bad", role="status"),
            element("div", retry, cls="mt-buttons"),
            cls="mt-work mt-edge-bad",
        )
    doing = text(language, "data.lengths.measuring", done=count(task.done), total=count(task.total))
    bar = (
        element("progress", value=task.done, max=task.total, aria_label=doing)
        if task.total
        else element("progress", max=1, aria_label=doing)
    )
    cancel = action_button(text(language, "data.view.source.cancel"), "cancel", "lengths")
    title = text(language, "data.tabs.lengths")
    return element(
        "div",
        element("p", doing),
        bar,
        element("div", cancel, cls="mt-buttons"),
        cls="mt-work mt-edge-busy",
        **says("lengths", share_said(language, title, task.done, task.total)),
    )


def _chart(language: str, look: Look, lengths: Lengths) -> dict[str, Any]:
    return length_chart_value(
        lengths.prompt,
        lengths.reasoning,
        lengths.answer,
        answer_steps=answer_steps(lengths),
        reasoning_steps=reasoning_steps(lengths),
        smallest=smallest_cutoff(lengths),
        cutoff=look.draft.cutoff,
        language=language,
    )


def _effects(language: str, lengths: Lengths, cutoff: int) -> Safe:
    """Further consequences of the cutoff that is chosen, exact."""
    found = effects(lengths, cutoff)
    figures = [
        ("prompt_cut", count(found.prompt_cut)),
        ("tokens", count(found.tokens)),
        ("tokens_dropped", count(found.tokens_dropped)),
    ]
    if lengths.multi_turn:
        figures.append(("turns_dropped", count(found.turns_dropped)))
    return facts((text(language, f"data.lengths.{name}"), value) for name, value in figures)
