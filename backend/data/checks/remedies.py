"""Mends what checks found, as far as it can be mended: repairs and masks.

Knows nothing about leaving rows out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import lru_cache

from backend.data.checks.characters import without_invisible, without_mojibake
from backend.data.checks.passages import rewritten
from backend.data.checks.personal import KINDS
from backend.data.checks.registry import CHECKS, flag_of
from backend.data.checks.scan import flags
from backend.data.checks.structure import repaired_typo
from backend.data.checks.values import Remedy
from backend.data.meaning.lesson import Lesson, Pair, Turn

_ROUNDS = 8
"""A repair may bring another fault to light (a zero-width space inside "Ã©"). Each round makes the
text shorter, its faults fewer, or both; more than three were never needed."""

# Decoding comes first: what it decodes may look like control characters. Masks come last.
_REWRITES: dict[str, Callable[[str], str]] = {
    "mojibake": without_mojibake,
    "control_characters": without_invisible,
    **{name: kind.masked for name, kind in KINDS.items()},
}


def remedied(lesson: Lesson, applied: Collection[str]) -> Lesson:
    """The lesson after the repairs and masks of the named checks.

    ``flags`` of it has none of these checks' bits. Names of checks that leave rows out are ignored.

    Args:
        applied: Ids of checks.

    Returns:
        The same object where none of them finds anything.
    """
    wanted = _mending(tuple(sorted(applied)))
    for _ in range(_ROUNDS):
        if not flags(lesson) & wanted:
            break
        for name, rewrite in _REWRITES.items():
            if wanted & flag_of(name):
                lesson = rewritten(lesson, rewrite)
        if wanted & flag_of("think_typo"):
            lesson = _closed(lesson)
    return lesson


@lru_cache(maxsize=64)
def _mending(applied: tuple[str, ...]) -> int:
    """The flags of those of the named checks that mend."""
    mends = {check.id for check in CHECKS if check.remedy is not Remedy.EXCLUDE}
    return sum(flag_of(name) for name in set(applied) & mends)


def _closed(lesson: Lesson) -> Lesson:
    """With the reasoning of all answers closed, of a pair that of both."""
    if lesson.pair:
        mended = Pair(*map(repaired_typo, lesson.pair))
        if mended == lesson.pair:
            return lesson
        return Lesson(lesson.turns, lesson.system, mended)
    turns = tuple(
        Turn(one.speaker, repaired_typo(one.content) if one.speaker == "assistant" else one.content)
        for one in lesson.turns
    )
    return lesson if turns == lesson.turns else lesson._replace(turns=turns)
