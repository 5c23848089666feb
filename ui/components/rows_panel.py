"""The rows of a file, page by page: raw beside converted, filtered, searched, one by chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from backend.data.checks.registry import CHECKS
from backend.data.decisions import Decisions
from backend.data.desk import Desk
from backend.data.look import ALL, FILTERS, Look, SeenRow, problem_filters, problem_of
from backend.text import text
from ui.components.actions import action_slot
from ui.components.data_canvas import CHOOSE, Asked, Canvas
from ui.components.data_rows import ShownRow, rows_view
from ui.components.slot import slot
from ui.html import count, element, empty
from ui.i18n import Words

PAGE_ROWS = 5
NAME_CHARACTERS = 70


class RowsPanel:
    """The panel's components.

    Attributes:
        shown: What ``show`` fills.
    """

    def __init__(self, words: Words, desk: Desk) -> None:
        self._desk = desk
        with gr.Row(elem_classes="mt-pager"):
            self.words = words.make(
                gr.Textbox,
                {"label": "data.rows.search", "placeholder": "data.rows.search_hint"},
                max_lines=1,
                scale=3,
                min_width=160,
                elem_id="rows-search",
            )
            self.only = words.make(
                gr.Dropdown,
                {"label": "data.rows.only", "choices": _filters},
                value=ALL,
                scale=3,
                min_width=160,
                elem_id="rows-only",
            )
            self.first = words.make(
                gr.Number,
                {"label": "data.rows.first"},
                value=1,
                scale=1,
                min_width=90,
                elem_id="rows-first",
            )
        with gr.Row(elem_classes="mt-pager"):
            self.back = self._button(words, "back")
            self.chance = self._button(words, "chance")
            self.forth = self._button(words, "forth")
        self.said = slot("rows-said")
        self.rows = action_slot("rows")
        self.last = gr.State(0)
        self.shown = [self.said, self.rows, self.last, self.only]

    def _button(self, words: Words, name: str) -> gr.Button:
        return words.make(
            gr.Button,
            {"value": f"data.rows.{name}"},
            size="sm",
            min_width=80,
            elem_id=f"rows-{name}",
        )

    def show(self, language: str, look: Look | None, asked: Asked) -> list[Any]:
        """The rows that were asked for, what was asked, and the number of the last one seen."""
        if look is None:
            filters = gr.update(choices=_filters(language), value=ALL)
            return ["", empty(language, "data.rows.empty", CHOOSE), 0, filters]
        choices = filter_choices(language, look)
        # A study under other columns may not have this kind of fault any more.
        if all(value != asked.only for _, value in choices):
            asked = replace(asked, only=ALL)
        numbers, last, said = self._found(language, look, asked)
        seen = self._desk.rows(look, numbers)
        return [
            element("p", said, cls="mt-quiet", role="status") if said else "",
            rows_view([_shown(row) for row in seen], language, words=asked.words),
            last,
            gr.update(choices=choices, value=asked.only),
        ]

    def wire(self, canvas: Canvas) -> None:
        """Let the panel's buttons turn pages and take rows out or back."""
        canvas.acts(self.first.submit, self._turn_to, [self.first])
        canvas.acts(self.words.submit, lambda _look, asked: asked)
        canvas.acts(self.only.input, lambda _look, asked: replace(asked, first=1))
        canvas.acts(self.back.click, self._turn_back, trigger_mode="multiple")
        canvas.acts(self.chance.click, self._by_chance, trigger_mode="multiple")
        canvas.acts(self.forth.click, self._turn_forth, [self.last], trigger_mode="multiple")
        canvas.presses(self.rows, self._act)

    def _turn_to(self, _look: Look, asked: Asked, first: Any) -> Asked:
        return replace(asked, first=max(int(first), 1)) if first is not None else asked

    def _turn_back(self, look: Look, asked: Asked) -> Asked:
        if asked.words:  # a search goes forth only
            return replace(asked, first=1)
        return replace(asked, first=self._desk.before(look, asked.only, asked.first, PAGE_ROWS))

    def _turn_forth(self, look: Look, asked: Asked, last: Any) -> Asked:
        after = int(last or 0) + 1
        return asked if after > look.reader.count else replace(asked, first=after)

    def _by_chance(self, look: Look, asked: Asked) -> Asked:
        return replace(asked, first=self._desk.any_row(look, asked.only), words="")

    def _act(self, look: Look, asked: Asked, action: str, target: str) -> Asked:
        return row_action(self._desk, look, asked, action, target)

    def _found(self, language: str, look: Look, asked: Asked) -> tuple[Sequence[int], int, str]:
        """Row numbers, the last row that was looked at, and a sentence."""
        if not asked.words:
            numbers = self._desk.numbers(look, asked.only, asked.first, PAGE_ROWS)
            return (
                numbers,
                numbers[-1] if numbers else asked.first,
                self._said(language, look, asked),
            )
        found = self._desk.search(look, asked.only, asked.words, asked.first, PAGE_ROWS)
        if found.rows:
            last = found.rows[-1] if len(found.rows) == PAGE_ROWS else found.reached
            return found.rows, last, text(language, "data.rows.found", words=asked.words)
        ended = found.reached >= look.reader.count and look.reader.complete
        key = "data.rows.not_found" if ended else "data.rows.searched"
        said = text(
            language, key, words=asked.words, first=count(asked.first), row=count(found.reached)
        )
        return [], found.reached, said

    def _said(self, language: str, look: Look, asked: Asked) -> str:
        rows = self._desk.count(look, asked.only)
        if not look.reader.complete:
            return text(language, "data.rows.counting", number=count(rows))
        if asked.only == ALL:
            return text(language, "data.rows.all", number=count(rows))
        return text(
            language, "data.rows.some", number=count(rows), what=_name(language, look, asked.only)
        )


def row_action(desk: Desk, look: Look, asked: Asked, action: str, target: str) -> Asked:
    """What the buttons with a row's number mean, wherever they are."""
    if not target.isdecimal():
        return asked
    row = int(target)
    change = {
        "exclude": Decisions.leave_out,
        "restore": Decisions.put_back,
        "forget": Decisions.forget,
    }.get(action)
    if change is not None:
        desk.change(look.source_id, lambda draft: draft.decide(change(draft.decisions, [row])))
    if action == "jump":
        return Asked(first=row)
    return asked


def filter_choices(language: str, look: Look | None) -> list[tuple[str, str]]:
    """Which rows can be asked for: all, some by their fate, and by each check that found any."""
    choices = _filters(language)
    if look is None or look.study is None:
        return choices
    found = look.study.check_counts()
    counts = {**found, **problem_filters(look)}
    choices += [
        (f"{_name(language, look, name)} ({one.rows:,})", name) for name, one in counts.items()
    ]
    return choices


def shortened_words(words: str) -> str:
    """A sentence as a choice in a list."""
    return words if len(words) <= NAME_CHARACTERS else f"{words[: NAME_CHARACTERS - 1]}…"


def _filters(language: str) -> list[tuple[str, str]]:
    return [(text(language, f"data.filters.{name}"), name) for name in FILTERS]


def _name(language: str, look: Look, only: str) -> str:
    if any(check.id == only for check in CHECKS):
        return text(language, f"data.checks.{only}.name")
    problem = problem_of(look, only)
    if problem is not None:
        return shortened_words(problem.sentence(language))
    return text(language, f"data.filters.{only if only in FILTERS else 'unusable'}")


def _shown(one: SeenRow) -> ShownRow:
    return ShownRow(
        number=one.row.number,
        raw=one.row.value,
        lesson=one.lesson,
        problem=one.problem,
        fate=one.fate,
        findings=one.findings,
        notes=() if one.lesson else one.row.notes,  # of a lesson they are findings
        twin=one.twin,
    )
