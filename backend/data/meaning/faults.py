"""Why a row makes no lesson: raised inside this package, a ``Problem`` outside of it.

Problems name columns and roles, never what stands in a row, so that a fault of ten thousand rows is
one kind of fault.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.problems import Problem

SHOWN = 40
"""So many characters of a name that a file brings along are shown."""


class Unusable(Exception):
    """A row can't be taught; carries the reason."""

    def __init__(self, key: str, **params: str | int) -> None:
        super().__init__(key)
        self.problem = Problem(key, params)


def present(value: Mapping[str, Any], column: str) -> Any:
    """What a column holds, null included.

    Raises:
        Unusable: the row lacks it.
    """
    try:
        return value[column]
    except KeyError:
        raise Unusable("data.problems.column_missing", column=column) from None


def text_of(value: Any, column: str) -> str:
    """The text in a column; empty where it is null.

    Raises:
        Unusable: it is something else.
    """
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    raise Unusable("data.problems.not_text", column=column)


def blank(words: str) -> bool:
    """Nothing but white space; looks no further than the first visible character."""
    return not words or words.isspace()
