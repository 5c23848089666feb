"""The answers of all columns, word by word, against those of one of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr

from backend.chat.bench import Bench, LastAnswer
from backend.chat.difference import Difference, Piece, difference
from backend.text import text
from ui.components.choices import choices_now
from ui.components.marking import visible
from ui.components.slot import slot
from ui.errors import told
from ui.html import Safe, count, element, empty, join, safe
from ui.i18n import Words
from ui.wiring import PRIVATE


class DifferencePanel:
    """The panel's components; what it shows is made when it is asked for."""

    def __init__(self, words: Words, bench: Bench) -> None:
        self._bench = bench
        with gr.Row(elem_classes="mt-pager"):
            self.against = words.make(
                gr.Dropdown,
                {"label": "chat.difference.against", "info": "chat.difference.against_help"},
                choices=[],
                value=None,
                scale=3,
                elem_id="difference-against",
            )
            self.reasoning = words.make(
                gr.Checkbox,
                {"label": "chat.difference.reasoning"},
                value=False,
                elem_id="difference-reasoning",
            )
            self.show = words.make(
                gr.Button, {"value": "chat.difference.show"}, elem_id="difference-show"
            )
        self.view = words.make(slot, {"value": _empty}, elem_id="difference")

    def wire(self, language: gr.Radio) -> None:
        inputs = [language, self.against, self.reasoning]
        for event in (self.show.click, self.against.input, self.reasoning.input):
            event(told(self._show), inputs, [self.against, self.view], **PRIVATE)

    def _show(self, language: str, against: str | None, reasoning: bool) -> list[Any]:
        answers = [one for one in self._bench.last_answers() if one.question]
        keys = [one.column.key for one in answers]
        chosen = against if against in keys else next(iter(keys), None)
        choices = [(one.column.label, one.column.key) for one in answers]
        return [
            choices_now(choices, sent=against, kept=chosen),
            differences(answers, chosen, language, reasoning=reasoning),
        ]


def _empty(language: str) -> Safe:
    return empty(language, "chat.difference.empty", "#chat-question")


def differences(
    answers: Sequence[LastAnswer], against: str | None, language: str, *, reasoning: bool = False
) -> Safe:
    """Each answer as changes of that of the column ``against``, which is shown first."""
    first = next((one for one in answers if one.column.key == against), None)
    if first is None or len(answers) < 2:
        return _empty(language)
    others = [one for one in answers if one is not first]
    parts = ("reasoning", "text") if reasoning else ("text",)
    name = first.column.label
    head = text(language, "chat.difference.reference", name=name)
    legend = element(
        "p",
        element("ins", text(language, "chat.difference.legend_added")),
        " ",
        element("del", text(language, "chat.difference.legend_removed", name=name)),
        cls="mt-difference-legend",
    )
    reference = [element("div", visible(getattr(first, part))) for part in parts]
    columns = [_column(head, join(reference) or text(language, "chat.difference.no_answer"))]
    columns += [_changed(first, one, parts, language) for one in others]
    return element("div", legend, element("div", join(columns), cls="mt-differences"))


def _changed(old: LastAnswer, new: LastAnswer, parts: Sequence[str], language: str) -> Safe:
    found = [difference(getattr(old, part), getattr(new, part)) for part in parts]
    sums = {
        name: count(sum(getattr(one, name) for one in found))
        for name in ("kept", "added", "removed")
    }
    same = all(piece.kind == "kept" for one in found for piece in one.pieces)
    key = "chat.difference.same" if same else "chat.difference.counts"
    said = element("p", text(language, key, **sums), cls="mt-quiet mt-small")
    body = [element("div", join(_pieces(one, language))) for one in found]
    return _column(new.column.label, said, join(body))


def _column(name: str, *content: object) -> Safe:
    head = element("h4", name)
    # It scrolls by itself, so the keyboard must be able to reach it.
    body = element(
        "div", *content, cls="mt-difference-body", tabindex=0, role="group", aria_label=name
    )
    return element("section", head, body, cls="mt-difference")


def _pieces(found: Difference, language: str) -> Iterator[Safe]:
    for piece in found.pieces:
        yield _piece(piece, language)


def _piece(piece: Piece, language: str) -> Safe:
    if piece.kind == "kept":
        return safe(visible(piece.text))
    # Screen readers pass over <ins> and <del>; what they say instead is in no copied text.
    said = element("span", text(language, f"chat.difference.{piece.kind}"), cls="mt-heard")
    tag = "ins" if piece.kind == "added" else "del"
    return element(tag, said, visible(piece.text))
