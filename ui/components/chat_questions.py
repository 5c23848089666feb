"""Where questions come from: an own list, rows of the runs' datasets, a row that was not seen."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import gradio as gr

from backend.chat.bench import Bench
from backend.chat.dataset_questions import (
    Seen,
    Side,
    dataset_questions,
    seen_datasets,
    unseen_question,
)
from backend.chat.questions import add_own_question, own_questions, remove_own_question
from backend.chat.sheets import Question
from backend.data.meaning.lesson import parts_of
from backend.text import text
from backend.workspace import Workspace
from ui.components.actions import action_button, action_slot, on_press, pressed
from ui.components.choices import choices_now
from ui.components.marking import visible
from ui.errors import told
from ui.html import Safe, count, element, empty, join
from ui.i18n import Words
from ui.wiring import PRIVATE

PAGE = 5
SOURCES = ("trained", "validation", "unseen", "own")
TITLE_CHARACTERS = 240

_chance = random.SystemRandom()


class QuestionsPanel:
    """The panel's components.

    Args:
        question: The box that a chosen question is put into.
        reference: Where its reference answer is shown, beside the answers.
    """

    def __init__(
        self,
        words: Words,
        workspace: Workspace,
        bench: Bench,
        question: gr.Textbox,
        reference: gr.HTML,
    ) -> None:
        self._workspace, self._bench = workspace, bench
        self._question, self._reference = question, reference
        with gr.Row(elem_classes="mt-pager"):
            self.source = words.make(
                gr.Radio,
                {"label": "chat.questions.from", "choices": _sources},
                value="trained",
                scale=4,
                elem_id="questions-from",
            )
            self.dataset = words.make(
                gr.Dropdown,
                {"label": "chat.questions.dataset"},
                choices=[],
                value=None,
                scale=2,
                elem_id="questions-dataset",
            )
            self.first = words.make(
                gr.Number,
                {"label": "chat.questions.page"},
                value=1,
                precision=0,
                min_width=90,
                elem_id="questions-first",
            )
        self.list = action_slot("questions")
        with gr.Row(elem_classes="mt-pager"):
            self.back = _button(words, "back")
            self.forth = _button(words, "forth")
        with gr.Row(elem_classes="mt-pager"):
            self.own_reference = words.make(
                gr.Textbox,
                {"label": "chat.questions.reference_for"},
                lines=1,
                max_lines=4,
                scale=3,
                elem_id="questions-reference",
            )
            self.add = words.make(
                gr.Button, {"value": "chat.questions.add"}, scale=1, elem_id="questions-add"
            )
        self.inputs = [self.source, self.dataset, self.first]
        self.shown = [self.dataset, self.first, self.list]

    def wire(self, language: gr.Radio) -> None:
        asked = [language, *self.inputs]
        anew = told(self._begin)
        for event in (self.source.input, self.dataset.input):
            event(anew, asked, self.shown, **PRIVATE)
        self.first.submit(told(self.show), asked, self.shown, **PRIVATE)
        for button, pages in ((self.back, -1), (self.forth, 1)):
            button.click(told(self._turner(pages)), asked, self.shown, **PRIVATE)
        filled = [self._question, self._reference, self.list]
        on_press(self.list, self._press, asked, filled)
        self.add.click(
            told(self._add),
            [*asked, self._question, self.own_reference],
            [self.list, self.own_reference],
            **PRIVATE,
        )

    def show(self, language: str, source: str, dataset: str | None, first: Any) -> list[Any]:
        """The questions of a source from a row on, counted from 1."""
        return self._page(language, source, dataset, first, _row(first))

    def _begin(self, language: str, source: str, dataset: str | None, first: Any) -> list[Any]:
        return self._page(language, source, dataset, first, 1)

    def _turner(self, pages: int) -> Any:
        def turn(language: str, source: str, dataset: str | None, first: Any) -> list[Any]:
            start = max(1, _row(first) + pages * PAGE)
            return self._page(language, source, dataset, first, start)

        return turn

    def _page(
        self, language: str, source: str, dataset: str | None, sent: Any, start: int
    ) -> list[Any]:
        found = seen_datasets(self._workspace, self._bench.runs())
        names = {_name(one): one for one in found}
        chosen = dataset if dataset in names else next(iter(names), None)
        labelled = [(_label(one, language), name) for name, one in names.items()]
        return [
            {**choices_now(labelled, sent=dataset, kept=chosen), "visible": source != "own"},
            gr.skip() if start == sent else start,
            self._listed(language, source, names.get(chosen or ""), start),
        ]

    def _listed(self, language: str, source: str, seen: Seen | None, first: int) -> Safe:
        if source == "own":
            own = own_questions(self._workspace)
            return _list(own[first - 1 : first - 1 + PAGE], len(own), first, language)
        if seen is None:
            return empty(language, "chat.questions.empty_datasets", "data")
        note = "" if seen.certain else text(language, "chat.questions.changed")
        warning = element("p", note, cls="mt-notice") if note else ""
        if source == "unseen":
            draw = action_button(text(language, "chat.questions.draw"), "draw", _name(seen))
            return element("div", warning, draw)
        side: Side = "validation" if source == "validation" else "trained"
        rows = range(first - 1, first - 1 + PAGE)
        found = dataset_questions(self._workspace, seen, side, rows)
        return element("div", warning, _list(found, seen.count(side), first, language, _name(seen)))

    def _press(
        self,
        language: str,
        source: str,
        dataset: str | None,
        first: Any,
        event: gr.EventData,
    ) -> list[Any]:
        action, target = pressed(event)
        if action == "remove":
            remove_own_question(self._workspace, target)
            return [gr.skip(), gr.skip(), self._listed(language, "own", None, _row(first))]
        question = self._wanted(action, target)
        if question is None:
            return [gr.skip()] * 3
        return [question.text, reference_view(question, language), gr.skip()]

    def _wanted(self, action: str, target: str) -> Question | None:
        """The question of a button: an own one by its text, a row by its place."""
        if action == "take":
            return next((one for one in own_questions(self._workspace) if one.text == target), None)
        name, _, row = target.rpartition("/") if action != "draw" else (target, "", "")
        found = seen_datasets(self._workspace, self._bench.runs())
        seen = next((one for one in found if _name(one) == name), None)
        if seen is None:
            return None
        if action == "draw":
            return unseen_question(self._workspace, seen, _chance)
        if action not in ("trained", "validation") or not row.isdecimal():
            return None
        side: Side = "validation" if action == "validation" else "trained"
        rows = dataset_questions(self._workspace, seen, side, [int(row) - 1])
        return next(iter(rows), None)

    def _add(
        self,
        language: str,
        source: str,
        dataset: str | None,
        first: Any,
        question: str,
        reference: str,
    ) -> list[Any]:
        own = add_own_question(self._workspace, question or "", reference or "")
        if source != "own":
            return [gr.skip(), ""]
        start = _row(first)
        return [_list(own[start - 1 : start - 1 + PAGE], len(own), start, language), ""]


def _button(words: Words, name: str) -> gr.Button:
    return words.make(
        gr.Button,
        {"value": f"chat.questions.{name}"},
        size="sm",
        scale=0,
        min_width=110,
        elem_id=f"questions-{name}",
    )


def _row(first: Any) -> int:
    """The number of a row in a field that may be empty."""
    return max(1, int(first)) if isinstance(first, int | float) else 1


def _name(seen: Seen) -> str:
    return f"{seen.run}/{seen.dataset.name}"


def _label(seen: Seen, language: str) -> str:
    if not seen.run:
        return seen.dataset.name
    return text(language, "chat.questions.dataset_run", dataset=seen.dataset.name, run=seen.run)


def _sources(language: str) -> list[tuple[str, str]]:
    return [(text(language, f"chat.questions.{name}"), name) for name in SOURCES]


def _list(
    questions: Sequence[Question], total: int, first: int, language: str, dataset: str = ""
) -> Safe:
    if not questions:
        if dataset:
            return empty(language, "chat.questions.empty_rows")
        return empty(language, "chat.questions.empty_own", "#chat-question")
    last = first + len(questions) - 1
    said = text(
        language, "chat.questions.count", first=count(first), last=count(last), count=count(total)
    )
    items = join(_item(one, dataset, language) for one in questions)
    return element(
        "div", element("p", said, cls="mt-quiet"), element("ul", items, cls="mt-questions")
    )


def _item(question: Question, dataset: str, language: str) -> Safe:
    use, remove = (text(language, f"chat.questions.{name}") for name in ("use", "remove"))
    if dataset:
        buttons = [action_button(use, question.origin, f"{dataset}/{question.row}")]
    else:
        buttons = [
            action_button(use, "take", question.text),
            action_button(remove, "remove", question.text),
        ]
    words = question.text
    shown = words if len(words) <= TITLE_CHARACTERS else f"{words[: TITLE_CHARACTERS - 1]}…"
    origin = element("span", origin_words(question, language), cls="mt-quiet mt-small")
    body = element("div", element("div", visible(shown)), origin)
    return element("li", body, element("div", join(buttons), cls="mt-buttons"))


def origin_words(question: Question, language: str) -> str:
    """Where a question is from, and with that whether it was trained on."""
    return text(
        language,
        f"chat.questions.origins.{question.origin}",
        source=question.source,
        row=count(question.row),
    )


def reference_view(question: Question, language: str) -> Safe:
    """The reference answer of a question that was chosen, its reasoning folded."""
    origin = element("p", origin_words(question, language), cls="mt-quiet")
    if not question.reference:
        none = element("p", text(language, "chat.questions.no_reference"))
        return element("aside", origin, none, cls="mt-reference")
    return element(
        "aside", origin, reference_parts(question.reference, language), cls="mt-reference"
    )


def reference_parts(reference: str, language: str) -> Safe:
    """A reference answer under its title."""
    parts = parts_of(reference)
    head = element("h4", text(language, "chat.questions.reference"))
    words = element("div", visible(parts.answer), cls="mt-field-value")
    if not parts.reasoning:
        return join([head, words])
    summary = element("summary", text(language, "chat.questions.reasoning"))
    body = element("div", visible(parts.reasoning), cls="mt-field-value mt-quiet")
    return join([head, element("details", summary, body), words])
