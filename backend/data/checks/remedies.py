"""Mends what checks found, as far as it can be mended: repairs and masks.

Knows nothing about leaving rows out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import lru_cache

from backend.data.checks.characters import without_invisible, without_mojibake
from backend.data.checks.passages import Text, rewritten, text_of
from backend.data.checks.personal import KINDS
from backend.data.checks.registry import CHECKS, flag_of
from backend.data.checks.scan import BATCH_BYTES, flags, flags_of_each
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


def each_remedied(
    lessons: Iterable[tuple[int, Lesson]], applied: Collection[str]
) -> Iterator[tuple[int, Lesson]]:
    """What ``remedied`` gives of each numbered lesson, looking for what is to be mended in many at
    once: a fifth of the time.
    """
    wanted = _mending(tuple(sorted(applied)))
    if not wanted:
        yield from lessons
        return
    batch: list[tuple[int, Lesson]] = []
    texts: list[Text] = []
    size = 0
    for one in lessons:
        batch.append(one)
        texts.append(text_of(one[1]))
        size += len(texts[-1].data)
        if size >= BATCH_BYTES:
            yield from _mended(batch, texts, applied)
            batch, texts, size = [], [], 0
    yield from _mended(batch, texts, applied)


def _mended(
    batch: Sequence[tuple[int, Lesson]], texts: Sequence[Text], applied: Collection[str]
) -> Iterator[tuple[int, Lesson]]:
    found = flags_of_each([lesson for _, lesson in batch], texts)
    wanted = _mending(tuple(sorted(applied)))
    for (number, lesson), flagged in zip(batch, found, strict=True):
        yield number, remedied(lesson, applied) if flagged & wanted else lesson


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
