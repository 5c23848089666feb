"""What the tools beside the conversation need to know of the room, and nothing more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from backend.chat.answering import Target
from backend.chat.settings import Thinking
from backend.chat.sheets import Contestant


@dataclass(frozen=True)
class LastAnswer:
    """What a column has answered last in the conversation; ``question`` is empty where nothing."""

    column: Contestant
    question: str = ""
    reasoning: str = ""
    text: str = ""


@dataclass(frozen=True)
class Prompt:
    """What a model is given to read.

    Attributes:
        text: With the special tokens as text.
        tokens: Pairs of id and text; a token that is a part of a character has no text of its own.
        template: LLaMA-Factory's template that made it.
        sent: It is that of the last answer, not of what would be asked now.
    """

    column: Contestant
    text: str
    tokens: Sequence[tuple[int, str]]
    template: str
    sent: bool


class Bench(Protocol):
    """The columns, for the tools."""

    def contestants(self) -> list[Contestant]:
        """Those that can be asked now, in their order."""

    def shown(self) -> list[Contestant]:
        """All that are on the page."""

    def target(self, column: Contestant) -> Target:
        """Where it is asked; refused where it is not loaded or has other weights by now."""

    def last_answers(self) -> list[LastAnswer]:
        """One for each column."""

    def prompt(self, key: str, typed: str, system: str, thinking: Thinking) -> Prompt | None:
        """The prompt of the question that is typed, else of the last one; None for a remote model.

        Args:
            system, thinking: Of the question that is typed; the last one had its own.

        Raises:
            EngineError: there is no such column, it is not loaded, or nothing was asked.
        """

    def runs(self) -> list[str]:
        """Ids of the runs among the columns."""


def prompt_of(column: Contestant, answer: Mapping[str, Any], *, sent: bool) -> Prompt:
    """The prompt in an engine's answer."""
    tokens = [(int(one["id"]), str(one["text"])) for one in answer["tokens"]]
    return Prompt(column, str(answer["text"]), tokens, column.template, sent)
