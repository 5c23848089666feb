"""All checks of one lesson: which find something, fast, and what they find, with evidence.

``flags`` is asked of every row of a file, ``findings`` of the rows that a person looks at. Both
call the same checks; ``flags`` first asks of all texts at once, in UTF-8, whether they have the
bytes without which a check can't find anything, which takes a tenth of the time.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from backend.data.checks import content, structure
from backend.data.checks.characters import (
    LOST,
    LOST_IN_GBK,
    invisible_in,
    may_be_invisible,
    may_be_mojibake,
    mojibake_in,
)
from backend.data.checks.loops import loop_in
from backend.data.checks.parameters import LATIN_TEXT, LONG_LESSON
from backend.data.checks.passages import encoded, joined, passages, place_in, shown
from backend.data.checks.personal import KINDS, SEPARATORS, suspects
from backend.data.checks.registry import CHECKS, bit_of, flag_of
from backend.data.checks.scripts import HAN_LEADS, LATIN, foreign_words
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


def _shape_of(byte: int) -> int:
    """A byte's class: digit, control character, separator, lead of a Chinese character, other."""
    if 0x30 <= byte <= 0x39:
        return ord("0")
    if (byte < 0x20 and byte not in b"\t\n\r") or byte == 0x7F:
        return ord("c")
    if byte in SEPARATORS:
        return ord("-")
    return ord("h") if byte in HAN_LEADS else ord("x")


_SHAPES = bytes(map(_shape_of, range(256)))
# To skip from capital to capital takes a fifth of the time of looking for the whole words.
_ASSISTANTS = tuple(map(re.compile, (rb"A(?=I)", rb"G(?=PT)", rb"D(?=eepSeek)", rb"Q(?=wen)")))


def flags(lesson: Lesson) -> int:
    """The flags of the checks of ``CHECKS`` that find something in a lesson by itself.

    The bits of checks that compare rows are clear.
    """
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
    data = encoded(lesson)
    shape = data.translate(_SHAPES)
    han = joined(lesson) if b"h" in shape else ""
    return (
        found
        | _flags_of_content(said)
        | _flags_of_words(said, data, han)
        | _flags_of_characters(lesson, data, shape)
        | _flags_of_personal(lesson, data, shape, han)
        | (_LONG if len(data) > LONG_LESSON < content.length(lesson) else 0)
    )


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


def _flags_of_words(said: _Said, data: bytes, han: str) -> int:
    found = 0
    texts = [
        (question, text)
        for question, parts in said
        for text in (parts.reasoning or "", parts.answer)
    ]
    if _speaks_as_assistant(data, han) and any(content.boilerplate(text) for _, text in texts):
        found |= _BOILERPLATE
    # A character beyond ASCII has at most three bytes more than one, which bounds their number from
    # below and that of Latin letters from above.
    if (
        han
        and len(han) - (len(data) - len(han)) // 3 >= LATIN_TEXT
        and len(data) - len(data.translate(None, LATIN)) >= LATIN_TEXT
        and any(foreign_words(question, text) for question, text in texts)
    ):
        found |= _MIXED
    return found


def _speaks_as_assistant(data: bytes, han: str) -> bool:
    """Whether a text may have one of ``content.BOILERPLATE_SIGNS``."""
    if b"language model" in data or any(pattern.search(data) for pattern in _ASSISTANTS):
        return True
    return bool(han) and (("我" in han and "我是" in han) or "作为" in han)


def _flags_of_characters(lesson: Lesson, data: bytes, shape: bytes) -> int:
    found = 0
    wide = not data.isascii()
    if b"c" in shape or (wide and may_be_invisible(data)):
        found |= _if_any(lesson, invisible_in, _CONTROL)
    if wide and may_be_mojibake(data):
        found |= _if_any(lesson, mojibake_in, _MOJIBAKE)
    return found


def _flags_of_personal(lesson: Lesson, data: bytes, shape: bytes, han: str) -> int:
    found = 0
    for name in suspects(data, shape, han):
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
