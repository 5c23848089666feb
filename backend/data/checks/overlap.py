"""Finds lessons that have a piece of an evaluation file in them: a score on it would be worth
nothing.

Two ways, each enough: 64 characters in a row in common, or 13 words in a row. What is in many rows
of the evaluation file is the wording of its task and does not count. Knows nothing about files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.data.checks.parameters import (
    COMMON_CHARACTERS,
    COMMON_CJK,
    COMMON_WORDS,
    EVALUATION_ROWS,
)
from backend.data.checks.passages import joined, passages, place_in, shown
from backend.data.checks.units import IDEOGRAPH, MARK, U64, units_of
from backend.data.checks.values import Finding, Part
from backend.data.checks.windows import Windows
from backend.data.meaning.lesson import Lesson

# A run of 2 n - 1 members holds a whole block of n, wherever it begins.
_CHARACTERS = (COMMON_CHARACTERS + 1) // 2
_WORDS = (COMMON_WORDS + 1) // 2

_WORD_WEIGHT = COMMON_CJK // COMMON_WORDS
"""A word counts for as many Chinese characters, so that text of both has one measure."""


@dataclass(frozen=True)
class _Words:
    """The words of a text.

    Attributes:
        hashes: uint64 a word.
        weights: int64 a word: in Chinese characters.
        starts, ends: int64 a word: its place in the text.
    """

    hashes: U64
    weights: NDArray[np.int64]
    starts: NDArray[np.int64]
    ends: NDArray[np.int64]


class Evaluation:
    """Rows that a model will later be scored on."""

    def __init__(self, rows: list[int], texts: list[str]) -> None:
        self._rows = rows
        self._texts = [_normalised(text) for text in texts]
        self._words = [_words_of(text).hashes for text in texts]
        characters = [_codes_of(text) for text in self._texts]
        self._by_characters = Windows(characters, _CHARACTERS, most=EVALUATION_ROWS)
        self._by_words = Windows(self._words, _WORDS, most=EVALUATION_ROWS)

    @classmethod
    def of(cls, texts: Iterable[tuple[int, str]]) -> Evaluation:
        """The index of an evaluation file.

        Args:
            texts: Number of each row, with its question and answer.
        """
        rows, contents = [], []
        for row, text in texts:
            rows.append(row)
            contents.append(text)
        return cls(rows, contents)

    def __len__(self) -> int:
        """Rows that are looked for."""
        return len(self._rows)

    def overlaps(self, lesson: Lesson) -> bool:
        """Whether a lesson has a piece of a row in it."""
        return self.find(lesson) is not None

    def find(self, lesson: Lesson) -> Finding | None:
        """The first piece of a row that a lesson has in it."""
        for row, common in self._common(joined(lesson)):
            part, words = _as_written(common, lesson)
            params = {"row": self._rows[row]}
            return Finding("evaluation_overlap", part, shown(words), params, "in_row")
        return None

    def _common(self, text: str) -> Iterator[tuple[int, str]]:
        """Place of a row and what it has in common with a text, of both ways."""
        if len(self._by_characters):
            yield from self._common_characters(_normalised(text))
        if len(self._by_words):
            yield from self._common_words(text)

    def _common_characters(self, text: str) -> Iterator[tuple[int, str]]:
        if len(text) < COMMON_CHARACTERS:
            return
        for start, row, place in self._by_characters.of_blocks(_codes_of(text)):
            first, end = _run(text, start, self._texts[row], place)
            if end - first >= COMMON_CHARACTERS:
                yield row, text[first:end]

    def _common_words(self, text: str) -> Iterator[tuple[int, str]]:
        words = _words_of(text)
        for start, row, place in self._by_words.of_blocks(words.hashes):
            first, end = _run(words.hashes, start, self._words[row], place)
            if int(words.weights[first:end].sum()) >= COMMON_CJK:
                yield row, text[int(words.starts[first]) : int(words.ends[end - 1])].strip()


def _as_written(common: str, lesson: Lesson) -> tuple[Part, str]:
    """In which part of a lesson normalised words are, and how they are written there."""
    pattern = re.compile(r"\s+".join(map(re.escape, common.split())), re.IGNORECASE)
    for part, text in passages(lesson):
        if match := pattern.search(text):
            return place_in(part, text, match.start()), match.group()
    return "row", common  # it goes on from one part to the next


def _run(one: str | U64, start: int, other: str | U64, place: int) -> tuple[int, int]:
    """Where ``one`` and ``other`` are the same around two places; an empty run where they
    differ."""
    first = end = start
    while first and place + first - start and one[first - 1] == other[place + first - start - 1]:
        first -= 1
    limit = min(len(one), len(other) - place + start)
    while end < limit and one[end] == other[place + end - start]:
        end += 1
    return first, end


def _normalised(text: str) -> str:
    return " ".join(text.lower().split())


def _codes_of(text: str) -> U64:
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    return codes.astype(np.uint64)


def _words_of(text: str) -> _Words:
    units = units_of([text])
    words = (units.kinds & MARK) == 0
    weights = np.where(units.kinds[words] == IDEOGRAPH, 1, _WORD_WEIGHT)
    return _Words(units.hashes[words], weights, units.starts[words], units.ends[words])
