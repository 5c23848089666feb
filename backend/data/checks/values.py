"""What a check says of a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from backend.text import text


class Remedy(StrEnum):
    """What can be done about a finding."""

    EXCLUDE = "exclude"  # leave the row out
    REPAIR = "repair"  # mend the text
    MASK = "mask"  # put a mark in place of what identifies a person


Part = Literal["system", "question", "reasoning", "answer", "row"]
"""Where it was found: a part of the lesson, or the row as a whole."""


@dataclass(frozen=True)
class Finding:
    """What a check found in a row, with its place.

    Attributes:
        check: Id of the check; its sentence is ``data.checks.<id>.<wording>``.
        part: Which part of the lesson.
        evidence: The very words that were found, at most 120 characters; empty for a whole part.
        params: Values for the sentence's ``{placeholders}``.
        wording: Which of the check's sentences says it, where it has more than ``found``.
        answer: Which answer of a conversation, from 1; 0 for the last, or where it is none.
    """

    check: str
    part: Part = "row"
    evidence: str = ""
    params: Mapping[str, str | int] = field(default_factory=dict)
    wording: str = "found"
    answer: int = 0

    def sentence(self, language: str) -> str:
        """The finding in one sentence, in ``language`` ("en" or "zh")."""
        said = text(language, f"data.checks.{self.check}.{self.wording}", **self.params)
        return (
            text(language, "data.in_answer", number=self.answer, said=said) if self.answer else said
        )
