"""Whether the reasoning of an answer is where a reasoning template expects it.

LLaMA-Factory looks only whether an answer has *some* tag: without one it puts an empty think block
before it and trains on that; with a wrong one it trains on what is there. Knows nothing about what
is said between the tags.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from backend.data.checks.passages import shown
from backend.data.checks.registry import flag_of
from backend.data.checks.values import Finding, Part
from backend.data.meaning.lesson import CLOSE, OPEN, Lesson, Parts, output_of, parts_of

_NO_REASONING = flag_of("no_reasoning")
_MISPLACED = flag_of("think_misplaced")
_EMPTY_THINK = flag_of("empty_think")
_EMPTY_ANSWER = flag_of("empty_answer_after_think")


class Tags(NamedTuple):
    """The tags of an answer: how many of each, and where the first closing one is (or -1)."""

    opened: int
    closed: int
    closes: int


def tags_of(output: str) -> Tags:
    """Count the tags. Only where a "<" is, to which the search skips: half the time of counting."""
    opened = closed = 0
    closes = -1
    place = output.find("<")
    while place >= 0:
        if output.startswith(OPEN, place):
            opened += 1
        elif output.startswith(CLOSE, place):
            closed += 1
            closes = place if closes < 0 else closes
        place = output.find("<", place + 1)
    return Tags(opened, closed, closes)


def fault_of(output: str, tags: Tags | None = None) -> str:
    """Id of the check that the tags of an answer fail; empty where they are as they should be.

    Args:
        tags: What ``tags_of`` says of it, where that is known.
    """
    opened, closed, _ = tags or tags_of(output)
    if not opened and not closed:
        return "no_reasoning"
    first = output.startswith(OPEN) or output.lstrip().startswith(OPEN)
    if first and opened == closed == 1:
        return ""
    if first and opened == 2 and not closed:
        return "think_typo"
    return "think_unclosed" if opened == 1 and not closed else "think_misplaced"


def repaired_typo(output: str) -> str:
    """An answer whose reasoning was closed with an opening tag, closed as it should be.

    Any other answer is returned as it is.
    """
    if fault_of(output) != "think_typo":
        return output
    _, reasoning, answer = output.split(OPEN)
    return output_of(reasoning.strip("\r\n"), answer.lstrip("\r\n"))


def fault_and_parts(output: str) -> tuple[str, Parts]:
    """What ``fault_of`` says of an answer, and its reasoning and answer as they are meant."""
    if output.startswith(OPEN):  # most are as they should be, and have no other "<": half the time
        closes = output.find("<", len(OPEN))
        if output.startswith(CLOSE, closes) and output.find("<", closes + 1) < 0:
            return "", _around_close(output, len(OPEN), closes)
    tags = tags_of(output)
    fault = fault_of(output, tags)
    if fault == "think_typo":
        return fault, parts_of(repaired_typo(output))
    if fault:
        return fault, Parts(None, output)
    return fault, _around_close(output, output.find(OPEN) + len(OPEN), tags.closes)


def _around_close(output: str, start: int, closes: int) -> Parts:
    """As ``parts_of`` does, without looking for the tags again."""
    answer = output[closes + len(CLOSE) :].lstrip("\r\n")
    return Parts(output[start:closes].strip("\r\n"), answer)


class Said(NamedTuple):
    """A question and the answer to it that is trained on."""

    question: str
    output: str


def trained(lesson: Lesson) -> list[Said]:
    """The answers that teach, in their order: every one of a conversation, since LLaMA-Factory
    trains on all turns and treats each as it treats the last; of a pair the better one."""
    turns = lesson.turns
    if len(turns) == 2:  # most are so, and this takes half the time
        return [Said(turns[0].content, turns[1].content)]
    if lesson.pair:
        return [Said(turns[-1].content, lesson.pair.chosen)]
    return [Said(turns[i - 1].content, turns[i].content) for i in range(1, len(turns), 2)]


def flags_of(fault: str, parts: Parts) -> int:
    """The flags of one answer's structure."""
    if fault == "no_reasoning":
        return _NO_REASONING
    found = flag_of(fault) if fault else 0
    if parts.reasoning is not None:
        if _blank(parts.reasoning):
            found |= _EMPTY_THINK
        if _blank(parts.answer):
            found |= _EMPTY_ANSWER
    return found


def stray_tags(lesson: Lesson) -> Iterator[tuple[Part, str]]:
    """Texts other than the answers that are trained on in which a tag stands where none belongs."""
    for part, text in _around(lesson):
        if "think>" not in text:
            continue
        if part == "answer":
            stray = fault_of(text) not in ("", "no_reasoning")
        else:
            stray = OPEN in text or CLOSE in text
        if stray:
            yield part, text


def has_stray_tags(lesson: Lesson) -> bool:
    """Whether ``stray_tags`` finds any."""
    if len(lesson.turns) == 2 and not lesson.system and "<" not in lesson.turns[0].content:
        return False
    return next(stray_tags(lesson), None) is not None


def findings_of(lesson: Lesson) -> Iterator[Finding]:
    """What is wrong with the tags of a lesson."""
    outputs = [said.output for said in trained(lesson)]
    for number, output in enumerate(outputs, start=1):
        yield from _findings_in(output, number if number < len(outputs) else 0)
    if lesson.pair:
        yield from _findings_in(lesson.pair.rejected, 0)
    for part, text in stray_tags(lesson):
        yield Finding("think_misplaced", part, evidence=_tag_of(text, "think_misplaced"))


def _findings_in(output: str, number: int) -> Iterator[Finding]:
    """What is wrong with the tags of one answer; its number, or 0 for the last."""
    fault, parts = fault_and_parts(output)
    # The page shows reasoning and answer of the last one apart.
    reasoning: Part = "row" if number else "reasoning"
    answer: Part = "row" if number else "answer"
    if fault:
        yield Finding(fault, answer, evidence=_tag_of(output, fault), answer=number)
    if parts.reasoning is not None and _blank(parts.reasoning):
        yield Finding("empty_think", reasoning, answer=number)
    if parts.reasoning is not None and _blank(parts.answer):
        yield Finding("empty_answer_after_think", answer, answer=number)


def _around(lesson: Lesson) -> Iterator[tuple[Part, str]]:
    yield "system", lesson.system
    for turn in lesson.turns:
        if turn.speaker == "user":
            yield "question", turn.content
        elif lesson.pair:  # earlier answers of a pair are read, not trained on
            yield "answer", turn.content


def _blank(text: str) -> bool:
    return not text or text.isspace()


def _tag_of(text: str, fault: str) -> str:
    """The words around the tag that is wrong: the last one of the answer."""
    if fault == "no_reasoning":
        return ""
    place = max(text.rfind(OPEN), text.rfind(CLOSE))
    return shown(text[max(0, place - 40) : place + 60])
