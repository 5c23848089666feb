"""The checkpoints of a run: how large, whether whole, and what can be done with each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from backend.services import Services
from backend.text import text
from backend.training.checkpoints import FINAL, Checkpoint
from backend.training.runs import Run
from backend.training.storage import best_checkpoint, size_of, storage_of, superfluous
from backend.units import size
from ui.components.actions import action_button, action_slot, pressed
from ui.components.run_view import checkpoint_words, no_run
from ui.html import Safe, badge, count, element, empty, join, table

KEEP = "keep"
"""What ``Doubt.name`` is where all but the best and the last would go."""


@dataclass(frozen=True)
class Doubt:
    """A deletion that the person has yet to confirm: a checkpoint's name, or ``KEEP``."""

    run: str
    name: str


class RunCheckpoints:
    """The table and what its buttons do.

    Attributes:
        doubt: The deletion that is asked about, or None.
        shown: What ``show`` fills.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self.slot = action_slot("run-checkpoints")
        self.doubt = gr.State(None)
        self.shown = [self.slot, self.doubt]

    def show(self, language: str, run: Run | None, doubt: Doubt | None = None) -> list[Any]:
        if run is None:
            return [no_run(language), None]
        asked = doubt if doubt and doubt.run == run.id and not run.state.pending else None
        return [_view(run, run.checkpoints(), asked, language), asked]

    def act(self, run_id: str | None, doubt: Doubt | None, event: gr.EventData) -> Doubt | None:
        """Do what a button says; the result is what is asked about next."""
        action, name = pressed(event)
        supervisor = self._services.supervisor
        run_id = run_id or ""
        match action:
            case "resume":
                supervisor.resume(run_id, name)
            case "delete":
                return Doubt(run_id, name)
            case "thin":
                return Doubt(run_id, KEEP)
            case "delete_now" if doubt == Doubt(run_id, KEEP):
                supervisor.keep_best_and_last(run_id)
            case "delete_now" if doubt == Doubt(run_id, name):
                supervisor.delete_checkpoint(run_id, name)
        return None


def _view(run: Run, found: list[Checkpoint], doubt: Doubt | None, language: str) -> Safe:
    if not found:
        return empty(language, "training.checkpoints.empty")
    sizes = storage_of(run)
    headers = [
        text(language, f"training.checkpoints.{name}")
        for name in ("name", "step", "size", "state", "actions")
    ]
    best = best_checkpoint(run)
    rows = [
        [
            _name(one, best, language),
            count(one.step),
            size(sizes.checkpoints.get(one.name, 0)),
            _state(one, language),
            _actions(run, one, doubt, sizes.checkpoints.get(one.name, 0), language),
        ]
        for one in found
    ]
    return join(
        [table(headers, rows, numeric=frozenset({1, 2})), _foot(run, doubt, sizes.total, language)]
    )


def _name(one: Checkpoint, best: Checkpoint | None, language: str) -> Safe:
    marks = [badge(text(language, "training.checkpoints.best"), "good")] if one == best else []
    return element("span", checkpoint_words(one.name, language), *marks, cls="mt-name")


def _state(one: Checkpoint, language: str) -> Safe:
    key, tone = ("complete", "good") if one.complete else ("incomplete", "bad")
    return badge(text(language, f"training.checkpoints.{key}"), tone)


def _actions(run: Run, one: Checkpoint, doubt: Doubt | None, taken: int, language: str) -> Safe:
    if run.state.pending or one.name == FINAL:
        return Safe("")
    if doubt == Doubt(run.id, one.name):
        return _ask(one.name, taken, language)
    said = checkpoint_words(one.name, language)
    buttons = [
        action_button(words, action, one.name, aria_label=f"{words}: {said}")
        for action in ("resume", "delete")
        for words in (text(language, f"training.checkpoints.{action}"),)
    ]
    return element("div", join(buttons), cls="mt-buttons")


def _ask(name: str, freed: int, language: str) -> Safe:
    """How much a deletion frees, and the two answers."""
    return element(
        "div",
        element("p", text(language, "training.checkpoints.question", size=size(freed))),
        element(
            "div",
            action_button(
                text(language, "download.delete.confirm"), "delete_now", name, tone="bad"
            ),
            action_button(text(language, "download.delete.keep"), "keep", name),
            cls="mt-buttons",
        ),
        cls="mt-ask",
    )


def _foot(run: Run, doubt: Doubt | None, total: int, language: str) -> Safe:
    """What the run takes in all, and the offer to keep only what matters."""
    said = text(language, "training.checkpoints.total", size=size(total))
    if run.state.pending or not superfluous(run):
        return element("p", said, cls="mt-quiet")
    if doubt == Doubt(run.id, KEEP):
        return join([element("p", said, cls="mt-quiet"), _ask(KEEP, _thinned(run), language)])
    judged = best_checkpoint(run) is not None
    key = "training.checkpoints.thin" if judged else "training.checkpoints.thin_last"
    return element(
        "div",
        element("span", said, cls="mt-quiet"),
        action_button(text(language, key), "thin", KEEP),
        cls="mt-buttons mt-foot",
    )


def _thinned(run: Run) -> int:
    return sum(size_of(path) for path in superfluous(run))
