"""Reasoning and answer of a reply, told apart while it streams.

Knows nothing about models or pages. The parts of a reply do not depend on how it was cut into
chunks: a tag may come in pieces, and white space around a tag belongs to neither part.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

OPEN = "<think>"
CLOSE = "</think>"


@dataclass(frozen=True)
class ReasoningPart:
    """More of the reasoning."""

    text: str


@dataclass(frozen=True)
class TextPart:
    """More of the answer."""

    text: str


@dataclass(frozen=True)
class TextWasReasoning:
    """A closing tag came without an opening one: all text so far was the reasoning.

    Happens where the prompt ends with ``<think>``, as the chat template of the R1 distills has it.
    """


Part = ReasoningPart | TextPart | TextWasReasoning


class _Where(Enum):
    START = auto()
    REASONING = auto()
    TEXT = auto()
    ANSWER = auto()  # text after closed reasoning: no tag means anything any more


class ReasoningSplitter:
    """Splits one reply.

    An opening tag counts at the start of a reply, after nothing but white space. A closing tag
    counts once, with or without an opening one. Any other tag is text.

    Args:
        starts_in_reasoning: The prompt already ended with the opening tag.
    """

    def __init__(self, starts_in_reasoning: bool = False) -> None:
        self._where = _Where.REASONING if starts_in_reasoning else _Where.START
        self._held = ""
        self._blank = True  # nothing but white space in this part so far
        self.reasoning_closed: bool | None = False if starts_in_reasoning else None
        """None: no reasoning so far. False: it has begun and not ended. True: it has ended."""

    def feed(self, chunk: str) -> list[Part]:
        """The parts that ``chunk`` settles; what may be the start of a tag is held back."""
        self._held += chunk
        parts: list[Part] = []
        while self._step(parts):
            pass
        return parts

    def finish(self) -> list[Part]:
        """What is still held back, now that nothing follows."""
        held, self._held = self._held, ""
        if self._where is _Where.REASONING:
            return self._reasoning(held.rstrip())
        return self._text(held)

    def _step(self, parts: list[Part]) -> bool:
        """Settle one stretch of what is held; True where another stretch may follow."""
        match self._where:
            case _Where.START:
                return self._open()
            case _Where.REASONING | _Where.TEXT:
                return self._until_close(parts)
            case _Where.ANSWER:
                self._take_text(parts, len(self._held))
                return False

    def _open(self) -> bool:
        begun = self._held.lstrip()
        if begun.startswith(OPEN):
            self._held = begun[len(OPEN) :]
            self._where, self.reasoning_closed = _Where.REASONING, False
            return True
        if OPEN.startswith(begun):
            return False
        self._where = _Where.TEXT
        return True

    def _until_close(self, parts: list[Part]) -> bool:
        place = self._held.find(CLOSE)
        if place < 0:
            self._take_settled(parts, len(self._held) - _tag_begun(self._held))
            return False
        before, self._held = self._held[:place], self._held[place + len(CLOSE) :]
        if self._where is _Where.REASONING:
            parts += self._reasoning(before.rstrip())
        else:
            parts += [*self._text(before.rstrip()), TextWasReasoning()]
        self._where, self._blank, self.reasoning_closed = _Where.ANSWER, True, True
        return True

    def _take_settled(self, parts: list[Part], end: int) -> None:
        """White space at the end waits: before a closing tag it is no one's."""
        end = len(self._held[:end].rstrip())
        if self._where is _Where.TEXT:
            self._take_text(parts, end)
        else:
            settled, self._held = self._held[:end], self._held[end:]
            parts += self._reasoning(settled)

    def _take_text(self, parts: list[Part], end: int) -> None:
        settled, self._held = self._held[:end], self._held[end:]
        parts += self._text(settled)

    def _reasoning(self, text: str) -> list[Part]:
        text = self._without_lead(text)
        return [ReasoningPart(text)] if text else []

    def _text(self, text: str) -> list[Part]:
        text = self._without_lead(text)
        return [TextPart(text)] if text else []

    def _without_lead(self, text: str) -> str:
        """``text`` without the white space that a part starts with."""
        if self._blank:
            text = text.lstrip()
            self._blank = not text
        return text


@dataclass(frozen=True)
class Split:
    """A whole reply in its two parts; ``reasoning_closed`` as in the splitter."""

    reasoning: str
    text: str
    reasoning_closed: bool | None


def split(reply: str, *, starts_in_reasoning: bool = False) -> Split:
    """The reasoning and the answer of a whole reply."""
    splitter = ReasoningSplitter(starts_in_reasoning)
    reasoning = text = ""
    for part in [*splitter.feed(reply), *splitter.finish()]:
        match part:
            case ReasoningPart():
                reasoning += part.text
            case TextPart():
                text += part.text
            case TextWasReasoning():
                reasoning, text = reasoning + text, ""
    return Split(reasoning, text, splitter.reasoning_closed)


def _tag_begun(text: str) -> int:
    """Length of the longest end of ``text`` that a closing tag starts with."""
    for length in range(min(len(text), len(CLOSE) - 1), 0, -1):
        if text.endswith(CLOSE[:length]):
            return length
    return 0
