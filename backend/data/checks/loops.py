"""Finds text that goes round in circles: what a model writes that has lost the thread.

Knows nothing about lessons.
"""

from __future__ import annotations

from collections import Counter

from backend.data.checks.parameters import (
    LOOP_PERIOD,
    LOOP_PROBES,
    LOOP_PROBES_SHORT,
    LOOP_SHARE,
    LOOP_TIMES,
    LOOP_UNIT,
)

_LETTERS = 3


def loop_in(text: str) -> str:
    """What is repeated in a text, once; empty where nothing is.

    Found are repetitions in a row that reach the end or cover ``LOOP_SHARE`` of the text, and whole
    sentences repeated in a row or covering that share. Shorter ones are found where one of the
    places that are looked at is in them: to look everywhere would take as long as all other checks
    together. Rules of dashes and tables are none.
    """
    if len(text) < LOOP_UNIT * LOOP_TIMES:
        return ""
    again = False
    step = len(text) // (LOOP_PROBES if len(text) > LOOP_PERIOD else LOOP_PROBES_SHORT)
    for place in range(0, len(text) - 2 * LOOP_UNIT + 1, step):
        words = text[place : place + LOOP_UNIT]
        behind = text.find(words, place + 1, place + LOOP_UNIT + LOOP_PERIOD)
        if behind > 0:
            again = True
            if unit := _unit_at(text, place, behind - place):
                return unit
    last = len(text) - LOOP_UNIT
    before = text.rfind(text[last:], max(0, last - LOOP_PERIOD), -1)
    if before >= 0 and (unit := _unit_at(text, before, last - before)):
        return unit
    return _repeated_sentence(text) if again or before >= 0 else ""


def _unit_at(text: str, place: int, period: int) -> str:
    """What is repeated around ``place``, where the text after ``period`` is the same again."""
    first, end = place, place + period
    while first and text[first - 1] == text[first - 1 + period]:
        first -= 1
    while end < len(text) and text[end] == text[end - period]:
        end += 1
    unit = text[first : first + period * -(-LOOP_UNIT // period)]
    enough = end - first >= LOOP_TIMES * len(unit)
    return unit.strip() if enough and _has_words(unit) else ""


def _has_words(unit: str) -> bool:
    return sum(map(str.isalpha, set(unit))) >= _LETTERS


def _repeated_sentence(text: str) -> str:
    sentences = text.split("。" if "。" in text else ".")
    if len(sentences) - len(set(sentences)) < LOOP_TIMES - 1:
        return ""
    return _often(sentences, LOOP_SHARE * len(text))


def _often(sentences: list[str], share: float) -> str:
    """The sentence that is repeated in a row, or covers more than ``share`` characters."""
    for sentence, times in Counter(sentences).most_common():
        if times < LOOP_TIMES:
            return ""
        if len(sentence) < LOOP_UNIT or not _has_words(sentence):
            continue
        if times * len(sentence) > share or _in_a_row(sentences, sentence):
            return sentence.strip()
    return ""


def _in_a_row(sentences: list[str], sentence: str) -> bool:
    run = 0
    for one in sentences:
        run = run + 1 if one == sentence else 0
        if run == LOOP_TIMES:
            return True
    return False
