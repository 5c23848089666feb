"""Rows of a data file: as they are in it beside what the model is taught, with what was found.

Takes plain values; knows nothing about files, pages of rows, or how findings are made.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.data.checks.values import Finding, Part
from backend.data.meaning.lesson import CLOSE, OPEN, Lesson, parts_of
from backend.data.study_values import Fate
from backend.problems import Problem
from backend.text import text
from ui.components.actions import action_button
from ui.components.marking import cut_note, marked, shortened, visible
from ui.html import Safe, badge, count, element, empty, join

TONES = {
    Fate.TAUGHT: "good",
    Fate.UNUSABLE: "bad",
    Fate.BY_HAND: "quiet",
    Fate.BY_CHECK: "busy",
    Fate.OVER_CUTOFF: "busy",
}


@dataclass(frozen=True)
class ShownRow:
    """A row with all that is said of it.

    Attributes:
        number: In the file, from 1.
        raw: Its columns; None where it can't be read.
        lesson: What is taught of it, repaired and masked as decided; None where it makes none.
        problem: Why it can't be used.
        findings: Of the checks.
        notes: What else is worth a sentence.
        twin: Number of the earlier row that it repeats; 0 where there is none.
    """

    number: int
    raw: Mapping[str, Any] | None
    lesson: Lesson | None
    problem: Problem | None
    fate: Fate
    findings: Sequence[Finding]
    notes: Sequence[Problem] = ()
    twin: int = 0


@dataclass(frozen=True)
class _Field:
    """A part of a lesson: the key of its name, its text, and the part as findings name it."""

    name: str
    content: str
    part: Part | None = None


def rows_view(rows: Sequence[ShownRow], language: str, *, words: str = "") -> Safe:
    """Each row as a pair, raw and converted, with its state, its findings and its buttons.

    The buttons are ``exclude``, ``restore`` and ``tokens`` with the row's number as target, and
    ``jump`` with that of its twin.

    Args:
        words: What was searched for; marked wherever it is.
    """
    if not rows:
        return empty(language, "data.view.rows.none")
    return element(
        "div", join(_RowView(row, language, words).html() for row in rows), cls="mt-lessons"
    )


def lesson_fields(lesson: Lesson) -> Iterator[_Field]:
    """The parts of a lesson in the order in which the model reads them."""
    if lesson.system:
        yield _Field("system", lesson.system, "system")
    before = lesson.turns if lesson.pair else lesson.turns[:-1]
    for place, turn in enumerate(before, start=1):
        yield _Field(turn.speaker, turn.content, "question" if place == len(before) else None)
    yield from _output_fields(lesson.output, "chosen" if lesson.pair else "answer")
    if lesson.pair:
        yield _Field("rejected", lesson.pair.rejected)


def _output_fields(output: str, name: str) -> Iterator[_Field]:
    reasoning, answer = parts_of(output)
    if reasoning is not None:
        yield _Field(f"{name}_reasoning", f"{OPEN}\n{reasoning}\n{CLOSE}", "reasoning")
    yield _Field(name, answer, "answer")


def _raw_text(value: object) -> str:
    """A column as it is in the file; lists and objects as JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, indent=2, default=str)


class _RowView:
    """One row. What is found is looked for once, and marked where it is."""

    def __init__(self, row: ShownRow, language: str, words: str) -> None:
        self._row = row
        self._language = language
        self._words = words
        self._fields = list(lesson_fields(row.lesson)) if row.lesson else []
        self._columns = {str(name): _raw_text(value) for name, value in (row.raw or {}).items()}
        self._parts = {field.part for field in self._fields if field.part}
        self._in_lesson = [one for one in row.findings if self._marked_in_lesson(one)]
        self._in_file = [
            one for one in row.findings if one not in self._in_lesson and self._marked_in_file(one)
        ]

    def html(self) -> Safe:
        return element(
            "article",
            self._head(),
            self._said(),
            element(
                "div",
                self._side("raw", self._raw()),
                self._side(self._lesson_title(), self._lesson()),
                cls="mt-lesson-sides",
            ),
            cls="mt-lesson",
            data_key=f"row-{self._row.number}",
            data_row=self._row.number,
            data_fate=self._row.fate.name.lower(),
        )

    # --- Where things were found ------------------------------------------------------------------

    def _marked_in_lesson(self, finding: Finding) -> bool:
        return bool(finding.evidence) and any(
            finding.evidence in shortened(field.content)
            for field in self._fields
            if finding.part in ("row", field.part)
        )

    def _marked_in_file(self, finding: Finding) -> bool:
        # What a repair took away is still in the file, and only there.
        return bool(finding.evidence) and any(
            finding.evidence in shortened(content) for content in self._columns.values()
        )

    def _sentences(self, findings: Sequence[Finding]) -> Safe:
        if not findings:
            return Safe("")
        lines = [element("li", self._sentence(one)) for one in findings]
        return element("ul", join(lines), cls="mt-findings")

    def _sentence(self, finding: Finding) -> str:
        said = visible(finding.sentence(self._language))
        if not finding.evidence or finding in self._in_lesson or finding in self._in_file:
            return said
        # Nothing on the page is marked, so the words themselves are shown.
        return f"{said} “{visible(finding.evidence)}”"

    # --- Head -------------------------------------------------------------------------------------

    def _head(self) -> Safe:
        row = self._row
        fate = text(self._language, f"data.view.fates.{row.fate.name.lower()}")
        return element(
            "div",
            element("strong", text(self._language, "data.view.row", number=count(row.number))),
            badge(fate, TONES[row.fate]),
            element("span", self._buttons(), cls="mt-buttons"),
            cls="mt-lesson-head",
        )

    def _buttons(self) -> Safe:
        row = self._row
        actions: list[tuple[str, int]] = []
        if row.twin:
            actions.append(("jump", row.twin))
        if row.lesson is not None:
            actions.append(("tokens", row.number))
        if row.fate is Fate.TAUGHT:
            actions.append(("exclude", row.number))
        elif row.fate is not Fate.UNUSABLE:
            actions.append(("restore", row.number))
        return join(self._button(action, target) for action, target in actions)

    def _button(self, action: str, target: int) -> Safe:
        words = text(self._language, f"data.view.rows.{action}", number=count(target))
        # The same words stand at every row: whoever hears them one by one is told which it is.
        name = text(self._language, "data.view.rows.button", words=words, number=self._row.number)
        return action_button(words, action, str(target), data_key=action, aria_label=name)

    def _said(self) -> Safe:
        """Why it can't be used, what is to be known of it, and what was found in it as a whole."""
        row = self._row
        whole = [one for one in row.findings if one.part not in self._parts]
        problems = [(row.problem, "mt-bad")] if row.problem else []
        problems += [(note, "mt-quiet") for note in row.notes]
        sentences = [
            element("p", visible(one.sentence(self._language)), cls=cls) for one, cls in problems
        ]
        said = join([*sentences, self._sentences(whole)])
        return element("div", said, cls="mt-lesson-said") if said else said

    # --- Sides ------------------------------------------------------------------------------------

    def _lesson_title(self) -> str:
        return "taught" if self._row.fate is Fate.TAUGHT else "would_teach"

    def _side(self, name: str, content: Safe) -> Safe:
        title = text(self._language, f"data.view.sides.{name}")
        number = text(self._language, "data.view.row", number=count(self._row.number))
        # It scrolls by itself, so the keyboard must be able to reach it.
        body = element(
            "div",
            content,
            cls="mt-lesson-body",
            tabindex=0,
            role="group",
            aria_label=f"{number}: {title}",
        )
        return element(
            "div", element("div", title, cls="mt-lesson-title"), body, cls="mt-lesson-side"
        )

    def _raw(self) -> Safe:
        if self._row.raw is None:
            return element("p", text(self._language, "data.view.rows.unreadable"), cls="mt-quiet")
        evidence = [one.evidence for one in self._in_file]
        return join(
            self._field(element("code", visible(name)), content, evidence)
            for name, content in self._columns.items()
        )

    def _lesson(self) -> Safe:
        if not self._fields:
            return element("p", text(self._language, "data.view.rows.no_lesson"), cls="mt-quiet")
        return join(self._lesson_field(field) for field in self._fields)

    def _lesson_field(self, field: _Field) -> Safe:
        here = [one for one in self._row.findings if one.part == field.part]
        evidence = [one.evidence for one in self._in_lesson if one.part in ("row", field.part)]
        name = text(self._language, f"data.view.fields.{field.name}")
        return self._field(name, field.content, evidence, self._sentences(here))

    def _field(
        self, name: object, content: str, evidence: Sequence[str], below: object = ""
    ) -> Safe:
        value = marked(shortened(content), evidence=evidence, words=self._words)
        return element(
            "div",
            element("div", name, cls="mt-lesson-name"),
            element("div", value, cls="mt-field-value"),
            cut_note(content, self._language),
            below,
            cls="mt-field",
        )
