"""Which shape a file has and which column is what, told by the names and the first rows.

Every shape that the names allow is tried on the rows; the page shows how many of them fit. Knows
nothing about files.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from backend.data.meaning import names
from backend.data.meaning.choice import Numbering, Options, numbering_of
from backend.data.meaning.convert import maker_of
from backend.data.meaning.faults import Unusable, blank
from backend.data.meaning.mapping import REQUIRED, TEMPLATED, ColumnMap, Role, Shape
from backend.data.meaning.names import NAMES, plain
from backend.data.meaning.templated import choice_readers
from backend.data.meaning.templates import DEFAULT_PROMPT, parse, role_words
from backend.errors import DataError

DETECTED_ROWS = 100
"""So many rows at the start of a file tell its shape."""

_NEAR = 0.9
"""Maps that make lessons of nearly as many rows as the best are told apart by what they keep."""

_ORDER = (
    *(Shape.PREFERENCE, Shape.CHAT, Shape.CHOICE),
    *(Shape.MEDICAL_O1, Shape.ALPACA, Shape.QA),
)
"""Where a file fits several shapes with equal reasoning: those that keep more go first."""

_MAPPED = Mapping[Role, tuple[str, ...]]
_ONE_OPTION = re.compile(r"(op|option|choice|answer|ending|选项)?([a-j]|[0-9])")


@dataclass(frozen=True)
class Candidate:
    """One way to understand a file.

    Attributes:
        matched: So many of the rows have all that the shape needs.
        rows: So many were looked at.
    """

    map: ColumnMap
    matched: int
    rows: int


@dataclass(frozen=True)
class Detection:
    """How a file may be understood.

    Attributes:
        best: None where the names of its columns fit no shape.
        candidates: Best first.
        columns: All columns of the rows, in the order in which they appear.
    """

    best: ColumnMap | None
    candidates: tuple[Candidate, ...]
    columns: tuple[str, ...]


@dataclass(frozen=True)
class _Tried:
    """A candidate with what it is ranked by."""

    candidate: Candidate
    lessons: int
    published: bool

    @property
    def rank(self) -> tuple[bool, bool, int, int]:
        found = self.candidate.map
        reasoned = found.column(Role.REASONING) is not None
        return not reasoned, not self.published, _ORDER.index(found.shape), -self.lessons


def detect(rows: Sequence[Mapping[str, Any]]) -> Detection:
    """How a file may be understood, from its first readable rows."""
    head = rows[:DETECTED_ROWS]
    columns = tuple(dict.fromkeys(column for row in head for column in row))
    tried = [_try(found, head, True) for found in _published(columns)]
    known = [one.candidate.map for one in tried]
    guessed = [found for found in _guessed(columns, head) if found not in known]
    tried += [_try(found, head, False) for found in guessed]
    most = max((one.lessons for one in tried), default=0)
    useful = [one for one in tried if one.lessons or not most]
    useful.sort(key=lambda one: (one.lessons < most * _NEAR, one.rank))
    candidates = tuple(one.candidate for one in useful)
    return Detection(candidates[0].map if candidates else None, candidates, columns)


def _try(found: ColumnMap, rows: Sequence[Mapping[str, Any]], published: bool) -> _Tried:
    make = maker_of(found)
    lessons = matched = 0
    needed = found.column(Role.REASONING) if Role.REASONING in REQUIRED[found.shape] else None
    for row in rows:
        try:
            make(row)
        except Unusable:
            continue
        lessons += 1
        matched += needed is None or not _vacant(row.get(needed))
    return _Tried(Candidate(found, matched, len(rows)), lessons, published)


def _vacant(value: Any) -> bool:
    return value is None or value == [] or isinstance(value, str) and blank(value)


# --- Maps ---------------------------------------------------------------------------------------


def _published(columns: Sequence[str]) -> Iterator[ColumnMap]:
    """The maps of datasets that are known by the exact names of their columns."""
    for published in _PUBLISHED:
        needed = {name for mapped in published.columns.values() for name in mapped}
        used = parse(published.prompt).names + parse(published.answer).names
        needed |= {name.partition(".")[0] for name in used} - set(role_words(published.shape))
        if needed <= set(columns):
            yield published


_PUBLISHED = (
    ColumnMap(  # FreedomIntelligence/medical-o1-reasoning-SFT
        Shape.MEDICAL_O1,
        {
            Role.QUESTION: ("Question",),
            Role.REASONING: ("Complex_CoT",),
            Role.ANSWER: ("Response",),
        },
    ),
    ColumnMap(  # FreedomIntelligence/medical-o1-verifiable-problem
        Shape.QA,
        {Role.QUESTION: ("Open-ended Verifiable Question",), Role.ANSWER: ("Ground-True Answer",)},
    ),
    ColumnMap(  # qiaojin/PubMedQA, labelled and artificial: conclusion, then yes, no or maybe
        Shape.QA,
        {Role.QUESTION: ("question",), Role.ANSWER: ("long_answer",)},
        prompt="{context.contexts}\n\n{question}",
        answer="{answer}\n\n{final_decision}",
    ),
)


def _guessed(columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> Iterator[ColumnMap]:
    """The maps that the names of the columns allow."""
    found = _Names(columns, rows)
    system = found.roles(Role.SYSTEM)
    for shape, mapped in (
        *found.preference(),
        *found.chat(),
        *((Shape.CHOICE, choice) for choice in found.choices()),
        *found.questions(),
        *found.alpaca(),
    ):
        prompt = found.prompt_of(shape) if shape in TEMPLATED else ""
        one = ColumnMap(shape, {**mapped, **system}, prompt=prompt)
        yield counted(one, rows)


def counted(found: ColumnMap, rows: Sequence[Mapping[str, Any]]) -> ColumnMap:
    """A map with the numbers of its right options counted as these rows say."""
    return replace(found, one_based=numbering_in(found, rows).one_based)


def numbering_in(found: ColumnMap, rows: Sequence[Mapping[str, Any]]) -> Numbering:
    """What rows say of where numbers of right options count from; nothing where there are none."""
    if found.shape is not Shape.CHOICE:
        return Numbering()
    try:
        options_in, right_in = choice_readers(found)
    except DataError:  # a column is not chosen yet
        return Numbering()
    told: list[tuple[Any, Options]] = []
    for row in rows:
        try:
            told.append((right_in(row), options_in(row)))
        except Unusable:
            continue
    return numbering_of(told)


@dataclass(frozen=True)
class _Names:
    """The columns of a file, by what their names say."""

    columns: Sequence[str]
    rows: Sequence[Mapping[str, Any]]

    def preference(self) -> Iterator[tuple[Shape, _MAPPED]]:
        mapped = self.roles(Role.QUESTION, Role.CHOSEN, Role.REJECTED)
        if Role.QUESTION not in mapped and (messages := self.messages()):
            mapped[Role.QUESTION] = (messages,)
        if len(mapped) == 3:
            yield Shape.PREFERENCE, {**mapped, **self.input_for(mapped)}

    def chat(self) -> Iterator[tuple[Shape, _MAPPED]]:
        if messages := self.messages():
            yield Shape.CHAT, {Role.MESSAGES: (messages,)}

    def choices(self) -> Iterator[_MAPPED]:
        """One map for each column that may name the right option."""
        question = self.roles(Role.QUESTION)
        options = self.option_columns()
        reasoning = self.first(names.REASONING) or self.first(names.EXPLANATION)
        more = {Role.REASONING: (reasoning,)} if reasoning else {}
        for correct in self.all(names.CORRECT):
            if question and options and correct not in options:
                yield {**question, Role.OPTIONS: options, Role.CORRECT: (correct,), **more}

    def questions(self) -> Iterator[tuple[Shape, _MAPPED]]:
        mapped = self.roles(Role.QUESTION, Role.ANSWER)
        if len(mapped) == 2:
            mapped |= self.input_for(mapped)
            reasoning = self.roles(Role.REASONING)
            yield (Shape.MEDICAL_O1 if reasoning else Shape.QA), {**mapped, **reasoning}

    def alpaca(self) -> Iterator[tuple[Shape, _MAPPED]]:
        instruction, output = self.first(names.INSTRUCTION), self.first(names.OUTPUT)
        if instruction and output:
            mapped = {Role.QUESTION: (instruction,), Role.ANSWER: (output,)}
            yield Shape.ALPACA, {**mapped, **self.roles(Role.INPUT, Role.HISTORY)}

    def roles(self, *roles: Role) -> dict[Role, tuple[str, ...]]:
        """The columns of some roles, of those that have one."""
        return {role: (name,) for role in roles if (name := self.first(NAMES[role]))}

    def input_for(self, mapped: _MAPPED) -> _MAPPED:
        """The second half of a question, where the first is an instruction."""
        if plain(mapped[Role.QUESTION][0]) not in names.INSTRUCTION:
            return {}
        return self.roles(Role.INPUT)

    def first(self, known: Sequence[str]) -> str | None:
        return next(iter(self.all(known)), None)

    def all(self, known: Sequence[str]) -> list[str]:
        """The columns with known names, in the order of these."""
        return [name for one in known for name in self.columns if plain(name) == one]

    def messages(self) -> str | None:
        """The column of messages, by its name or else by what is in it."""
        return self.first(NAMES[Role.MESSAGES]) or next(
            filter(self._of_messages, self.columns), None
        )

    def option_columns(self) -> tuple[str, ...]:
        """The column of the options, or those of one option each, in order."""
        if whole := self.first(NAMES[Role.OPTIONS]):
            return (whole,)
        groups: dict[str, dict[str, str]] = {}
        for name in self.columns:
            if match := _ONE_OPTION.fullmatch(plain(name)):
                groups.setdefault(match[1] or "", {}).setdefault(match[2], name)
        for group in groups.values():
            for order in ("abcdefghij", "0123456789", "123456789"):
                run = _run(group, order)
                if len(run) > 1:
                    return run
        return ()

    def prompt_of(self, shape: Shape) -> str:
        """A prompt that begins with what the question is about; empty where there is no such."""
        for name in self.all(names.CONTEXT):
            held = [row.get(name) for row in self.rows]
            word = _placeholder(name, held)
            if word and sum(not _vacant(value) for value in held) >= len(held) * _NEAR:
                return f"{word}\n\n{DEFAULT_PROMPT[shape]}"
        return ""

    def _of_messages(self, column: str) -> bool:
        held = next((row[column] for row in self.rows if not _vacant(row.get(column))), None)
        first = held[0] if isinstance(held, list) else None
        return isinstance(first, Mapping) and ("role" in first or "from" in first)


def _run(group: Mapping[str, str], order: str) -> tuple[str, ...]:
    """The columns of a group from the start of an order on, up to the first that is not there."""
    run: list[str] = []
    for mark in order:
        if mark not in group:
            break
        run.append(group[mark])
    return tuple(run)


def _placeholder(name: str, held: Sequence[Any]) -> str:
    """The placeholder of a context; PubMedQA's passages are one key of an object."""
    if "{" in name or "}" in name:
        return ""
    inside = any(isinstance(value, Mapping) and "contexts" in value for value in held)
    return f"{{{name}.contexts}}" if inside else f"{{{name}}}"
