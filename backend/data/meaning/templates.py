"""Templates with ``{placeholders}``: how a prompt and an answer are put together from columns.

A placeholder is the word of a role (``{question}``, ``{options}``, ``{letter}``…), the exact name
of a column, or a column and a key in it (``{context.contexts}``); the role comes first where both
exist. ``{{`` and ``}}`` are braces. What a column says is put in as it is and never read as a
template. Knows nothing about rows and lessons.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from backend.data.meaning.mapping import OPTIONAL, REQUIRED, Role, Shape
from backend.errors import DataError

DEFAULT_PROMPT: Mapping[Shape, str] = {
    Shape.MEDICAL_O1: "{question}",
    Shape.QA: "{question}",
    Shape.CHOICE: "{question}\n\n{options}",
}

DEFAULT_ANSWER: Mapping[Shape, str] = {
    Shape.MEDICAL_O1: "{answer}",
    Shape.QA: "{answer}",
    Shape.CHOICE: "{letter}. {option}",
}
"""Of a choice, a line with ``{option}`` is written once for each right option."""

LETTER, OPTION = "letter", "option"
"""Placeholders of a choice that are no role: the letters of the right options, and their texts."""

_SHOWN_NAMES = 30
_MARK = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")


@dataclass(frozen=True, slots=True)
class Template:
    """A template in its parts.

    Attributes:
        parts: Literal text and the placeholder that follows it; None after the last text.
    """

    parts: tuple[tuple[str, str | None], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Its placeholders, in order."""
        return tuple(name for _, name in self.parts if name is not None)

    def fill(self, values: Mapping[str, Any]) -> str:
        """The template with its placeholders filled in.

        Raises:
            KeyError: ``values`` lacks one of them, which is its argument.
        """
        filled: list[str] = []
        for literal, name in self.parts:
            filled.append(literal)
            if name is not None:
                filled.append(shown(_found(values, name)))
        return "".join(filled)


@lru_cache(maxsize=64)
def parse(words: str) -> Template:
    """The parts of a template.

    Raises:
        DataError: a brace has no partner.
    """
    parts: list[tuple[str, str | None]] = []
    literal, end = "", 0
    for mark in _MARK.finditer(words):
        literal += words[end : mark.start()]
        end = mark.end()
        if mark[0] in ("{{", "}}"):
            literal += mark[0][0]
        elif mark[1] is None:
            raise DataError("data.meaning.template_brace", brace=mark[0])
        else:
            parts.append((literal, mark[1]))
            literal = ""
    return Template((*parts, (literal + words[end:], None)))


def fill(template: str, values: Mapping[str, Any]) -> str:
    """A template with its placeholders filled in.

    Raises:
        KeyError: ``values`` lacks one of them, which is its argument.
        DataError: a brace has no partner.
    """
    return parse(template).fill(values)


def check_template(words: str, *, columns: Iterable[str], shape: Shape) -> None:
    """Refuse a template that could not be filled in.

    Args:
        columns: The columns of the file.

    Raises:
        DataError: a brace has no partner, or there is no such placeholder; the sentence names those
        that exist.
    """
    known = [*role_words(shape), *columns]
    for name in parse(words).names:
        if name not in known and not ("." in name and name.partition(".")[0] in known):
            there = ", ".join(f"{{{one}}}" for one in dict.fromkeys(known[:_SHOWN_NAMES]))
            raise DataError("data.meaning.placeholder_unknown", name=name, known=there)


def role_words(shape: Shape) -> tuple[str, ...]:
    """The placeholders that every file of a shape has."""
    words = tuple(role.value for role in (*REQUIRED[shape], *OPTIONAL[shape]))
    return (*words, LETTER, OPTION) if Role.CORRECT in REQUIRED[shape] else words


def shown(value: Any) -> str:
    """A value as plain text: lists one item a line, objects one "key. value" a line."""
    match value:
        case str():
            return value
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case dict():
            return "\n".join(f"{key}. {shown(one)}" for key, one in value.items())
        case list() | tuple():
            return "\n".join(map(shown, value))
        case _:
            return str(value)


def _found(values: Mapping[str, Any], name: str) -> Any:
    if name in values:
        return values[name]
    head, dot, rest = name.partition(".")
    if not dot or head not in values:
        raise KeyError(name)
    inside = values[head]
    return _found(inside, rest) if isinstance(inside, Mapping) else None
