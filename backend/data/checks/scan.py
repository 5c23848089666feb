"""All checks of one lesson: which find something, fast, and what they find, with evidence.

``flags`` are asked of every row of a file, ``findings`` of the rows that a person looks at. Both
call the same checks; ``flags`` first looks for the signs without which a check can't find anything,
in the texts of many lessons at once, which takes a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from backend.data.checks import content, structure
from backend.data.checks.characters import LOST, LOST_IN_GBK, invisible_in, mojibake_in
from backend.data.checks.loops import loop_in
from backend.data.checks.parameters import LONG_LESSON
from backend.data.checks.passages import Text, passages, place_in, shown, text_of
from backend.data.checks.personal import KINDS, numbers_in
from backend.data.checks.registry import CHECKS, bit_of, flag_of
from backend.data.checks.scripts import HAN_LEADS, foreign_words
from backend.data.checks.signs import Sign, signs_of
from backend.data.checks.values import Finding
from backend.data.meaning.lesson import Lesson, Parts

_Said = list[tuple[str, Parts]]
"""Each answer that is trained on, in its parts, with its question."""

_MISPLACED = flag_of("think_misplaced")
_ANSWER_IN_QUESTION = flag_of("answer_in_question")
_REFUSAL = flag_of("refusal")
_BOILERPLATE = flag_of("boilerplate")
_MIXED = flag_of("mixed_language")
_CONTROL = flag_of("control_characters")
_MOJIBAKE = flag_of("mojibake")
_REPETITION = flag_of("repetition")
_SHORT = flag_of("very_short")
_LONG = flag_of("very_long")
_PERSONAL = {name: flag_of(name) for name in KINDS}

_OF_CHARACTERS = Sign.INVISIBLE | Sign.MOJIBAKE
_OF_PERSONAL = Sign.DIGITS | Sign.AT | Sign.NAME

_HAN_LEADS = tuple(bytes([lead]) for lead in HAN_LEADS)


BATCH_BYTES = 1 << 18
"""Of texts that are best looked at together: what they become fits in a core's cache, and a file of
long rows takes no more memory than another."""


def flags(lesson: Lesson) -> int:
    """The flags of the checks of ``CHECKS`` that find something in a lesson by itself.

    The bits of checks that compare rows are clear. Of many lessons ``flags_of_each`` is faster.
    """
    return flags_of_each([lesson], [text_of(lesson)])[0]


def flags_of_each(lessons: Sequence[Lesson], texts: Sequence[Text]) -> list[int]:
    """The flags of each of some lessons, of ``BATCH_BYTES`` in all or a little more.

    Args:
        texts: What ``text_of`` gives of each.
    """
    return list(map(_flags, lessons, texts, signs_of([text.words for text in texts])))


def _flags(lesson: Lesson, text: Text, signs: int) -> int:
    found = 0
    said: _Said = []
    for question, output in structure.trained(lesson):
        fault, parts = structure.fault_and_parts(output)
        found |= structure.flags_of(fault, parts)
        said.append((question, parts))
    if lesson.pair:
        found |= structure.flags_of(*structure.fault_and_parts(lesson.pair.rejected))
    if structure.has_stray_tags(lesson):
        found |= _MISPLACED
    found |= _flags_of_content(said) | _flags_of_words(said, text, signs)
    if signs & _OF_CHARACTERS:
        found |= _flags_of_characters(lesson, signs)
    if signs & _OF_PERSONAL:
        found |= _flags_of_personal(lesson, text.data, signs)
    if len(text.data) > LONG_LESSON < content.length(lesson):
        found |= _LONG
    return found


def _flags_of_content(said: _Said) -> int:
    found = 0
    for question, parts in said:
        if content.answer_in_question(question, parts.answer):
            found |= _ANSWER_IN_QUESTION
        if content.refusal(parts.answer):
            found |= _REFUSAL
        if loop_in(parts.reasoning or "") or loop_in(parts.answer):
            found |= _REPETITION
        if content.very_short(parts):
            found |= _SHORT
    return found


def _flags_of_words(said: _Said, text: Text, signs: int) -> int:
    found = 0
    assistant = signs & Sign.ASSISTANT or "language model" in text.words
    if assistant and any(content.boilerplate(one) for _, one in _texts(said)):
        found |= _BOILERPLATE
    mixed = signs & Sign.LATIN and any(lead in text.data for lead in _HAN_LEADS)
    if mixed and any(foreign_words(question, one) for question, one in _texts(said)):
        found |= _MIXED
    return found


def _texts(said: _Said) -> Iterator[tuple[str, str]]:
    """Each text that is trained on, with its question."""
    for question, parts in said:
        yield question, parts.reasoning or ""
        yield question, parts.answer


def _flags_of_characters(lesson: Lesson, signs: int) -> int:
    found = 0
    if signs & Sign.INVISIBLE:
        found |= _if_any(lesson, invisible_in, _CONTROL)
    if signs & Sign.MOJIBAKE:
        found |= _if_any(lesson, mojibake_in, _MOJIBAKE)
    return found


def _flags_of_personal(lesson: Lesson, data: bytes, signs: int) -> int:
    suspects = numbers_in(data) if signs & Sign.DIGITS else set()
    if signs & Sign.AT:
        suspects.add("pii_email")
    if signs & Sign.NAME:
        suspects.add("pii_name")
    found = 0
    for name in suspects:
        found |= _if_any(lesson, KINDS[name].spans, _PERSONAL[name])
    return found


def _if_any(lesson: Lesson, look: Callable[[str], object], flag: int) -> int:
    return flag if any(look(text) for _, text in passages(lesson)) else 0


# --- With evidence ------------------------------------------------------------------------------


def findings(lesson: Lesson) -> list[Finding]:
    """What the checks of one row find, in the order of ``CHECKS``."""
    found = [
        *structure.findings_of(lesson),
        *content.findings_of(lesson),
        *_findings_of_characters(lesson),
        *_findings_of_personal(lesson),
    ]
    return sorted(found, key=lambda one: bit_of(one.check))


def _findings_of_characters(lesson: Lesson) -> Iterator[Finding]:
    for part, text in passages(lesson):
        if match := invisible_in(text):
            wording = "lost" if match.group() == LOST else "found"
            around = shown(text[max(0, match.start() - 20) : match.end() + 20])
            place = place_in(part, text, match.start())
            params = {"code": f"U+{ord(match.group()):04X}"}
            yield Finding("control_characters", place, around, params, wording)
        if words := mojibake_in(text):
            wording = "lost" if LOST_IN_GBK in words else "found"
            yield Finding("mojibake", part, shown(words), wording=wording)


def _findings_of_personal(lesson: Lesson) -> Iterator[Finding]:
    for part, text in passages(lesson):
        for name, kind in KINDS.items():
            for start, end in kind.spans(text):
                yield Finding(name, place_in(part, text, start), shown(text[start:end]))


assert len(CHECKS) <= 32, "the flags of a row are 32 bits"
