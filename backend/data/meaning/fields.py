"""Readers of a row's fields: which column a role has, compiled once per map of columns.

Each gives the text of a field byte for byte, or says why there is none. Knows nothing about shapes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from backend.data.meaning.faults import Unusable, blank, present, text_of
from backend.data.meaning.lesson import Lesson
from backend.data.meaning.mapping import ColumnMap, Role
from backend.errors import DataError

Value = Mapping[str, Any]
"""The columns of a row."""

Reader = Callable[[Value], str]
"""Reads a text from a row; raises ``Unusable``."""

Maker = Callable[[Value], Lesson]
"""Makes the lesson of a row; raises ``Unusable``."""


def column_of(columns: ColumnMap, role: Role) -> str:
    """The column of a role that must have one.

    Raises:
        DataError: it has none.
    """
    column = columns.column(role)
    if column is None:
        raise DataError(f"data.meaning.role_missing.{role.value}")
    return column


def filled_of(column: str, empty: str) -> Reader:
    """Reads a column that must say something; ``empty`` is the problem's key where it does not."""

    def read(value: Value) -> str:
        words = value.get(column)
        if not isinstance(words, str):
            words = text_of(present(value, column), column)
        if blank(words):
            raise Unusable(empty, column=column)
        return words

    return read


def optional_of(column: str | None) -> Reader:
    """Reads a column that may be absent; what is blank reads as empty."""
    if column is None:
        return lambda value: ""

    def read(value: Value) -> str:
        words = value.get(column)
        if not isinstance(words, str):
            words = text_of(words, column)
        return "" if blank(words) else words

    return read


def question_of(columns: ColumnMap) -> Reader:
    """Reads the question: question and input, joined as LLaMA-Factory joins an alpaca record's."""
    first, second = column_of(columns, Role.QUESTION), columns.column(Role.INPUT)
    if second is None:
        return filled_of(first, "data.problems.empty_question")

    def read(value: Value) -> str:
        halves = text_of(present(value, first), first), text_of(value.get(second), second)
        question = "\n".join(half for half in halves if half)
        if blank(question):
            raise Unusable("data.problems.empty_question", column=first)
        return question

    return read


def answer_of(columns: ColumnMap) -> Reader:
    """Reads the answer."""
    return filled_of(column_of(columns, Role.ANSWER), "data.problems.empty_answer")


def system_of(columns: ColumnMap) -> Reader:
    """Reads the system prompt; empty where there is none."""
    return optional_of(columns.column(Role.SYSTEM))


def reasoning_of(columns: ColumnMap) -> Reader:
    """Reads the reasoning; empty where there is none, or none is wanted."""
    return optional_of(columns.column(Role.REASONING) if columns.reasoning else None)
