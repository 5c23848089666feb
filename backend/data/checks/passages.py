"""The texts of a lesson, one by one, for checks of text. Knows nothing about what is looked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from backend.data.checks.parameters import EVIDENCE
from backend.data.checks.values import Part
from backend.data.meaning.lesson import CLOSE, Lesson, Pair, Turn


def passages(lesson: Lesson) -> list[tuple[Part, str]]:
    """All texts in order: system prompt, turns, and both answers of a pair."""
    texts: list[tuple[Part, str]] = [("system", lesson.system)] if lesson.system else []
    for turn in lesson.turns:
        texts.append(("answer" if turn.speaker == "assistant" else "question", turn.content))
    if lesson.pair:
        texts += [("answer", lesson.pair.chosen), ("answer", lesson.pair.rejected)]
    return texts


def joined(lesson: Lesson) -> str:
    """All texts as one, for tests of what none of them contains."""
    turns = lesson.turns
    if len(turns) == 2 and not lesson.system:
        return f"{turns[0].content}\n{turns[1].content}"
    texts = [turn.content for turn in turns]
    if lesson.system:
        texts.append(lesson.system)
    if lesson.pair:
        texts += lesson.pair
    return "\n".join(texts)


class Text(NamedTuple):
    """All texts of a lesson as one.

    Attributes:
        words: What ``joined`` gives.
        data: That in UTF-8, with halves of surrogate pairs as they are.
    """

    words: str
    data: bytes


def text_of(lesson: Lesson) -> Text:
    """All texts as one."""
    words = joined(lesson)
    return Text(words, words.encode("utf-8", "surrogatepass"))


def rewritten(lesson: Lesson, rewrite: Callable[[str], str]) -> Lesson:
    """The lesson with each text rewritten; the same object where none changes."""
    turns = tuple(Turn(turn.speaker, rewrite(turn.content)) for turn in lesson.turns)
    pair = Pair(*map(rewrite, lesson.pair)) if lesson.pair else None
    system = rewrite(lesson.system)
    if (turns, system, pair) == (lesson.turns, lesson.system, lesson.pair):
        return lesson
    return lesson._replace(turns=turns, system=system, pair=pair)


def place_in(part: Part, text: str, start: int) -> Part:
    """Where a place in an answer is: in its reasoning, or behind it."""
    return "reasoning" if part == "answer" and start < text.find(CLOSE) else part


def shown(words: str) -> str:
    """Words as evidence: as they are, so that they can be found in the text, but not too many."""
    return words[:EVIDENCE]
