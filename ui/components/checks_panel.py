"""What the checks found, what is done about it, and the rows that a person took out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from backend.data.checks.registry import CHECKS
from backend.data.decisions import Decisions
from backend.data.desk import Desk
from backend.data.drafts import Draft
from backend.data.look import UNUSABLE, Look, problem_filters
from backend.data.study_values import Count
from backend.data.tasks import TaskState
from backend.text import text
from ui.components.actions import action_button, action_slot
from ui.components.check_list import CheckLine, check_list
from ui.components.data_canvas import CHOOSE, Asked, Canvas
from ui.components.rows_panel import row_action
from ui.html import Safe, element, empty, join
from ui.i18n import Words

SHOWN_ROWS = 60
"""So many rows that were taken out by hand are named."""


class ChecksPanel:
    """The panel's components.

    Attributes:
        shown: What ``show`` fills.
    """

    def __init__(self, words: Words, desk: Desk) -> None:
        self._desk = desk
        self.list = action_slot("checks")
        self.by_hand = action_slot("by-hand")
        self.undo = words.make(
            gr.Button, {"value": "data.decisions.undo"}, size="sm", elem_id="decisions-undo"
        )
        self.evaluation = words.make(
            gr.Dropdown,
            {"label": "data.evaluation.label", "info": "data.evaluation.info"},
            choices=[],
            value=None,
            elem_id="data-evaluation",
        )
        self.shown = [self.list, self.by_hand, self.undo, self.evaluation]

    def show(self, language: str, look: Look | None, sources: Sequence[str]) -> list[Any]:
        """The findings in a file, and what was decided."""
        if look is None:
            none = gr.update(choices=[], value=None)
            return [
                empty(language, "data.checks_empty", CHOOSE),
                "",
                gr.update(interactive=False),
                none,
            ]
        others = [(text(language, "data.evaluation.none"), "")]
        chosen = look.draft.evaluation
        there = [one for one in sources if one != look.source_id]
        others += [(one, one) for one in there]
        if chosen and chosen not in there:
            others.append((text(language, "data.evaluation.gone_choice", name=chosen), chosen))
        return [
            join([_compared(language, look), _found(language, look)]),
            _by_hand(language, look),
            gr.update(interactive=bool(look.draft.before)),
            gr.update(choices=others, value=chosen),
        ]

    def wire(self, canvas: Canvas) -> None:
        """Let remedies be applied or not, rows be put back, and the last decision be undone."""
        canvas.presses(self.list, self._act)
        canvas.presses(self.by_hand, self._act)
        canvas.changes(self.undo.click, Draft.undo)
        canvas.changes(
            self.evaluation.input,
            lambda draft, chosen: replace(draft, evaluation=chosen or ""),
            [self.evaluation],
        )

    def _act(self, look: Look, asked: Asked, action: str, target: str) -> Asked:
        decisions = look.draft.decisions
        match action:
            case "apply" | "spare" if any(check.id == target for check in CHECKS):
                decisions = decisions.choose(target, action == "apply")
            case "show":
                return Asked(only=target)
            case "show_problem":
                return Asked(only=_kind(look, target))
            case "forget_all":
                decisions = decisions.forget(
                    decisions.excluded if target == "excluded" else decisions.kept
                )
            case _:
                return row_action(self._desk, look, asked, action, target)
        self._desk.change(look.source_id, lambda draft: draft.decide(decisions))
        return asked


def _kind(look: Look, target: str) -> str:
    """The filter of the kind of fault at this place of the list."""
    kinds = list(problem_filters(look))
    there = target.isdecimal() and int(target) < len(kinds)
    return kinds[int(target)] if there else UNUSABLE


def _compared(language: str, look: Look) -> Safe:
    """With how much of the evaluation file the rows were compared: that nothing was found says as
    much as was looked for."""
    if look.evaluation_gone:
        said = text(language, "data.errors.evaluation_gone", name=look.draft.evaluation)
        return element("p", said, cls="mt-bad", role="status")
    if look.study is None or look.study.compared is None:
        return Safe("")
    used, rows = look.study.compared
    if used == rows:
        said = text(language, "data.evaluation.compared", rows=f"{rows:,}")
        return element("p", said, cls="mt-quiet")
    said = text(language, "data.evaluation.compared_some", used=f"{used:,}", rows=f"{rows:,}")
    return element("p", said, cls="mt-notice")


def _found(language: str, look: Look) -> Safe:
    if look.study is None:
        if look.columns is None or look.fault is not None:
            return empty(language, "data.checks_format")
        running = look.task is not None and look.task.state is TaskState.RUNNING
        return empty(language, "data.checks_running" if running else "data.checks_none")
    counts = look.study.check_counts()
    decisions = look.draft.decisions
    usual = Decisions().advised_for(look.columns)
    lines = [
        CheckLine(
            replace(check, advised=usual.applies(check.id)),
            counts.get(check.id, Count(0, ())),
            decisions.applies(check.id),
        )
        for check in CHECKS
        # Without an evaluation file nothing was looked for, so silence would say nothing.
        if check.id != "evaluation_overlap" or look.evaluation is not None
    ]
    return check_list(lines, look.study.problem_counts(), language)


def _by_hand(language: str, look: Look) -> Safe:
    """The rows that a person left out or kept, each with a button that takes it back."""
    decisions = look.draft.decisions
    lists = [
        _rows(language, name, sorted(rows))
        for name, rows in (("excluded", decisions.excluded), ("kept", decisions.kept))
        if rows
    ]
    return element("div", join(lists), cls="mt-by-hand") if lists else Safe("")


def _rows(language: str, name: str, rows: Sequence[int]) -> Safe:
    title = text(language, f"data.decisions.{name}", number=f"{len(rows):,}")
    buttons = join(
        action_button(
            text(language, "data.decisions.forget", row=row),
            "forget",
            str(row),
            data_key=f"row-{row}",
        )
        for row in rows[:SHOWN_ROWS]
    )
    rest = len(rows) - SHOWN_ROWS
    more = text(language, "data.decisions.more", number=f"{rest:,}") if rest > 0 else ""
    clear = action_button(
        text(language, "data.decisions.forget_all"), "forget_all", name, data_key="all"
    )
    return element(
        "details",
        element("summary", title),
        element("p", text(language, f"data.decisions.{name}_help"), cls="mt-quiet"),
        element("div", buttons, " ", more, cls="mt-buttons"),
        element("div", clear, cls="mt-buttons"),
        data_key=name,
        open="",
    )
