"""What LLaMA-Factory makes of a lesson, token by token, and how serving differs from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from backend.text import text

PieceKind = Literal["same", "training", "serving"]
"""In both, only in LLaMA-Factory's training text, or only in the tokenizer's chat template's."""


@dataclass(frozen=True)
class Note:
    """What is to be said of an encoding or of a difference.

    Attributes:
        key: The sentence is ``data.tokens.<key>`` for an encoding, ``data.parity.<key>`` for a
            difference between training and serving.
        params: Values for the sentence's ``{placeholders}``.
    """

    key: str
    params: Mapping[str, str | int] = field(default_factory=dict)
    about: Literal["tokens", "parity"] = "parity"

    def sentence(self, language: str) -> str:
        """The note in one sentence, in ``language`` ("en" or "zh")."""
        if self.about == "tokens":
            return text(language, f"data.tokens.{self.key}", **self.params)
        return text(language, f"data.parity.{self.key}", **self.params)


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a lesson.

    Attributes:
        id: In the tokenizer's vocabulary.
        text: What it stands for. Of a character that several tokens make, the last of them has the
            character and each before it "\ufffd".
        trained: The loss counts it (its label is not masked).
        special: A marker that no text is cut into by itself: one of the tokenizer's special or
            added tokens (``<｜User｜>``, ``<think>``).
        dropped: The cutoff length cuts it off: the model never sees it.
    """

    id: int
    text: str
    trained: bool
    special: bool
    dropped: bool


@dataclass(frozen=True)
class Encoding:
    """All tokens of a lesson, in order, those that the cutoff drops included.

    Attributes:
        variant: Of a preference pair ``"chosen"`` or ``"rejected"``; else empty.
        cutoff: Cutoff length in tokens that it was made with.
        notes: What LLaMA-Factory did to the lesson that a reader may not expect.
    """

    tokens: tuple[Token, ...]
    cutoff: int
    variant: str = ""
    notes: tuple[Note, ...] = ()

    @property
    def prompt(self) -> int:
        """Tokens that are read and not trained, of those that are kept."""
        return sum(not token.trained and not token.dropped for token in self.tokens)

    @property
    def trained(self) -> int:
        return sum(token.trained and not token.dropped for token in self.tokens)

    @property
    def special(self) -> int:
        return sum(token.special and not token.dropped for token in self.tokens)

    @property
    def dropped(self) -> int:
        return sum(token.dropped for token in self.tokens)


@dataclass(frozen=True, slots=True)
class Piece:
    """Some text of the one template, the other, or both."""

    kind: PieceKind
    text: str


@dataclass(frozen=True)
class Parity:
    """One conversation through LLaMA-Factory's template and the tokenizer's own.

    Attributes:
        prompt: The prompt, from its start to where the model begins to write.
        whole: Prompt and answer, as trained.
        notes: What the differences mean, the gravest first; one that says so where there are none.
    """

    prompt: tuple[Piece, ...]
    whole: tuple[Piece, ...]
    notes: tuple[Note, ...]
