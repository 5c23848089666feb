"""From the columns of a row to a lesson.

A map of columns is compiled once into a function; a file of 42,000 rows then costs a fraction of
what parsing it costs. Fields are kept byte for byte, tags in them included: what is wrong with a
text is for the checks to say. Knows nothing about files and what LLaMA-Factory reads.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, assert_never

from backend.data.meaning.faults import Unusable
from backend.data.meaning.fields import Maker, column_of
from backend.data.meaning.lesson import Lesson
from backend.data.meaning.mapping import REQUIRED, ColumnMap, Shape
from backend.data.meaning.templated import choice_maker, plain_maker
from backend.data.meaning.whole import alpaca_maker, chat_maker, preference_maker
from backend.problems import Problem

if TYPE_CHECKING:
    from backend.data.reading.reader import Row


class Converted(NamedTuple):
    """A row and what it teaches.

    Attributes:
        lesson: None where it teaches nothing.
        problem: Why; None where it does.
    """

    row: Row
    lesson: Lesson | None
    problem: Problem | None = None


Converter = Callable[["Row"], Converted]


def convert(row: Row, columns: ColumnMap) -> Converted:
    """What a row teaches, or why it teaches nothing.

    For many rows ``compile_map`` is faster.

    Raises:
        DataError: a role that the shape needs has no column, or a template is no template.
    """
    return _compiled(columns)(row)


def compile_map(columns: ColumnMap) -> Converter:
    """The function that converts rows under a map of columns. It raises nothing.

    Raises:
        DataError: a role that the shape needs has no column, or a template is no template.
    """
    make = maker_of(columns)

    def converted(row: Row) -> Converted:
        value = row.value
        if value is None:
            return Converted(row, None, row.problem)
        try:
            return Converted(row, make(value))
        except Unusable as error:
            return Converted(row, None, error.problem)

    return converted


def maker_of(columns: ColumnMap) -> Maker:
    """The function that makes lessons of rows' columns; it raises ``Unusable``.

    Raises:
        DataError: a role that the shape needs has no column, or a template is no template.
    """
    for role in REQUIRED[columns.shape]:
        column_of(columns, role)
    match columns.shape:
        case Shape.MEDICAL_O1 | Shape.QA:
            return plain_maker(columns)
        case Shape.CHOICE:
            return choice_maker(columns)
        case Shape.ALPACA:
            return alpaca_maker(columns)
        case Shape.CHAT:
            return chat_maker(columns)
        case Shape.PREFERENCE:
            return preference_maker(columns)
        case _:
            assert_never(columns.shape)


_last: tuple[ColumnMap, Converter] | None = None
"""The map used last; one assignment, so that threads can't see half of it."""


def _compiled(columns: ColumnMap) -> Converter:
    global _last
    kept = _last
    if kept is None or kept[0] is not columns:
        _last = kept = (columns, compile_map(columns))
    return kept[1]
