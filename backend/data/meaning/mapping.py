"""How the columns of a file are understood: its shape, which column is what, and two templates.

A ``ColumnMap`` is found by ``detect`` and corrected by a person; all that is made from a file
follows from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from backend.text import text


class Shape(StrEnum):
    """What the rows of a file are."""

    MEDICAL_O1 = "medical_o1"  # a question, reasoning and an answer, each in a column
    ALPACA = "alpaca"  # instruction, input, output; perhaps system and history
    CHAT = "chat"  # a list of messages, ShareGPT's or OpenAI's
    QA = "qa"  # a question and an answer without reasoning
    CHOICE = "choice"  # a question, options, and which one is right
    PREFERENCE = "preference"  # a question, a better and a worse answer

    def label(self, language: str) -> str:
        """Its name, in ``language`` ("en" or "zh")."""
        return text(language, f"data.shapes.{self.value}")


class Role(StrEnum):
    """What a column is for."""

    QUESTION = "question"
    INPUT = "input"  # second half of a question, as in alpaca
    REASONING = "reasoning"
    ANSWER = "answer"
    SYSTEM = "system"
    HISTORY = "history"  # alpaca's earlier turns: pairs of question and answer
    MESSAGES = "messages"
    OPTIONS = "options"  # one column with all options, or one column for each
    CORRECT = "correct"  # letter, number or text of the right option
    CHOSEN = "chosen"
    REJECTED = "rejected"

    def label(self, language: str) -> str:
        """Its name, in ``language`` ("en" or "zh")."""
        return text(language, f"data.roles.{self.value}")


REQUIRED: Mapping[Shape, tuple[Role, ...]] = {
    Shape.MEDICAL_O1: (Role.QUESTION, Role.REASONING, Role.ANSWER),
    Shape.ALPACA: (Role.QUESTION, Role.ANSWER),
    Shape.CHAT: (Role.MESSAGES,),
    Shape.QA: (Role.QUESTION, Role.ANSWER),
    Shape.CHOICE: (Role.QUESTION, Role.OPTIONS, Role.CORRECT),
    Shape.PREFERENCE: (Role.QUESTION, Role.CHOSEN, Role.REJECTED),
}
"""The roles that each shape needs, in the order in which they are shown."""

OPTIONAL: Mapping[Shape, tuple[Role, ...]] = {
    Shape.MEDICAL_O1: (Role.INPUT, Role.SYSTEM),
    Shape.ALPACA: (Role.INPUT, Role.SYSTEM, Role.HISTORY),
    Shape.CHAT: (Role.SYSTEM,),
    Shape.QA: (Role.INPUT, Role.REASONING, Role.SYSTEM),
    Shape.CHOICE: (Role.REASONING, Role.SYSTEM),
    Shape.PREFERENCE: (Role.INPUT, Role.SYSTEM),
}

TEMPLATED = frozenset({Shape.MEDICAL_O1, Shape.QA, Shape.CHOICE})
"""Shapes whose prompt and answer are put together by templates; the others have theirs whole."""


@dataclass(frozen=True)
class ColumnMap:
    """How rows become lessons.

    Attributes:
        columns: Names of the columns of each role; only ``Role.OPTIONS`` may have several.
        prompt: Template of the user's words, by ``{question}``, ``{options}`` or ``{any column}``;
            empty for the shape's own default.
        answer: Template of the model's words without its reasoning, with ``{answer}``,
            ``{letter}``, ``{option}`` or ``{any column}``; empty for the shape's own default.
        reasoning: Reasoning, where there is some, is put in a think block before the answer; off
            leaves it out.
        one_based: Where the right option is told by a number, the first option is number 1, not 0.
    """

    shape: Shape
    columns: Mapping[Role, tuple[str, ...]] = field(default_factory=dict)
    prompt: str = ""
    answer: str = ""
    reasoning: bool = True
    one_based: bool = False

    def column(self, role: Role) -> str | None:
        """The column of a role that has one; None where it has none."""
        names = self.columns.get(role, ())
        return names[0] if names else None

    def to_json(self) -> dict[str, Any]:
        return {
            "shape": self.shape.value,
            "columns": {role.value: list(names) for role, names in sorted(self.columns.items())},
            "prompt": self.prompt,
            "answer": self.answer,
            "reasoning": self.reasoning,
            "one_based": self.one_based,
        }

    @classmethod
    def from_json(cls, value: Any) -> ColumnMap:
        """The map in a file.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it is none.
        """
        return cls(
            shape=Shape(value["shape"]),
            columns={
                Role(role): tuple(str(name) for name in names)
                for role, names in value["columns"].items()
            },
            prompt=str(value["prompt"]),
            answer=str(value["answer"]),
            reasoning=bool(value["reasoning"]),
            one_based=bool(value.get("one_based", False)),
        )
