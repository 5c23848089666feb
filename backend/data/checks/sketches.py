"""What is kept of each lesson for finding its relatives: some numbers, whatever its length.

Made row by row, pickled, and merged: each process of a study makes its own. Knows nothing about how
relatives are found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray
from xxhash import xxh3_128_digest

from backend.data.checks.grouping import spans_of
from backend.data.checks.parameters import NUMBERS, SHINGLE, SKETCH
from backend.data.checks.units import DIGIT, MARK, U64, mixed, sums_of, units_of
from backend.data.meaning.lesson import Lesson

_BATCH = 49_152
"""Characters of questions that are cut into words at a time: what they become fits in a core's
cache."""

_SEED_BITS = (1 << 64) - 1

_PAD = np.uint64(1)
_NUMBER = np.uint64(2)
_FACTORS = (0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9)  # odd; primes of xxHash64


@dataclass(frozen=True)
class Arrays:
    """Sketches of lessons, in order.

    Attributes:
        exact: uint64 (lessons, 2): 128 bits of a hash of the whole lesson.
        question: uint64 a lesson: hash of the units of the question; 0 where it has none.
        wording: uint64 a lesson: the same of its words, with all numbers taken as one and the same.
        shingles: uint32: hashes of each question's shingles, ascending; at most ``SKETCH`` a
        lesson. sizes: int64 a lesson: how many these are.
        cut: bool a lesson: it had more shingles.
        numbers: uint64: for each number of each question a hash of all of the question but that.
        counts: int64 a lesson: how many these are.
    """

    exact: U64
    question: U64
    wording: U64
    shingles: NDArray[np.uint32]
    sizes: NDArray[np.int64]
    cut: NDArray[np.bool_]
    numbers: U64
    counts: NDArray[np.int64]


class Sketches:
    """Sketches of the lessons that were added, in their order."""

    def __init__(self) -> None:
        self._parts: list[Arrays] = []
        self._texts: list[str] = []
        self._digests: list[bytes] = []
        self._pending = 0

    def add(self, lesson: Lesson, data: bytes) -> None:
        """Sketch a lesson.

        Args:
            data: Its texts, as ``text_of`` gives them.
        """
        text = _prompt_of(lesson)
        self._texts.append(text)
        self._digests.append(_digest_of(lesson, data))
        self._pending += len(text)
        if self._pending >= _BATCH:
            self._flush()

    @classmethod
    def merge(cls, parts: Sequence[Sketches]) -> Sketches:
        """The sketches of all parts, one part after another; the parts stay as they are."""
        whole = cls()
        whole._parts = [part.arrays() for part in parts]
        return whole

    def arrays(self) -> Arrays:
        """All of them as arrays."""
        self._flush()
        if len(self._parts) != 1:
            parts = self._parts or [_sketched([], [])]
            self._parts = [
                Arrays(
                    *(
                        np.concatenate([getattr(part, one.name) for part in parts])
                        for one in fields(Arrays)
                    )
                )
            ]
        return self._parts[0]

    def __getstate__(self) -> Arrays:
        return self.arrays()

    def __setstate__(self, arrays: Arrays) -> None:
        self.__init__()  # type: ignore[misc]
        self._parts = [arrays]

    def _flush(self) -> None:
        if self._texts:
            self._parts.append(_sketched(self._texts, self._digests))
            self._texts, self._digests, self._pending = [], [], 0


def _prompt_of(lesson: Lesson) -> str:
    """All that comes before the last answer: "go on" is not the same question in two
    conversations."""
    turns = lesson.turns if lesson.pair else lesson.turns[:-1]
    return turns[0].content if len(turns) == 1 else "\n".join(turn.content for turn in turns)


def _digest_of(lesson: Lesson, data: bytes) -> bytes:
    """128 bits of XXH3, forty times as fast as SHA-1; nobody attacks this."""
    # With their lengths, so that no two lessons become one text.
    turns, system, pair = lesson
    if len(turns) == 2 and pair is None:  # most are so, and this takes half the time
        return xxh3_128_digest(
            data, hash((len(system), len(turns[0][1]), len(turns[1][1]))) & _SEED_BITS
        )
    lengths = [len(system), *(len(turn.content) for turn in turns), *map(len, pair or ())]
    return xxh3_128_digest(data, hash(tuple(lengths)) & _SEED_BITS)


def _sketched(texts: Sequence[str], digests: Sequence[bytes]) -> Arrays:
    units = units_of(texts)
    words = (units.kinds & MARK) == 0
    rows = np.concatenate(([0], np.cumsum(words)))[units.rows]
    hashes = units.hashes[words]
    is_number = units.kinds[words] == DIGIT
    wording = _sums_of_rows(np.where(is_number, _NUMBER, hashes), rows)
    shingles, sizes, cut = _shingles_of(hashes, rows)
    numbers, counts = _numbers_of(hashes, is_number, wording, rows)
    return Arrays(
        exact=np.frombuffer(b"".join(digests), dtype=np.uint64).reshape(-1, 2),
        question=_sums_of_rows(units.hashes, units.rows),
        wording=wording,
        shingles=shingles,
        sizes=sizes,
        cut=cut,
        numbers=numbers,
        counts=counts,
    )


def _sums_of_rows(values: U64, rows: NDArray[np.int64]) -> U64:
    """A hash of each row's values in their order; 0 for a row without values."""
    sums = np.zeros(len(rows) - 1, dtype=np.uint64)
    filled = rows[1:] > rows[:-1]
    if filled.any():
        sums[filled] = sums_of(values, rows[:-1][filled])
    return sums


def _shingles_of(
    hashes: U64, rows: NDArray[np.int64]
) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.bool_]]:
    """The smallest hashes of each row's shingles, how many, and whether there are more.

    Two marks before the first word and behind the last make each word part of three shingles.
    """
    words = rows[1:] - rows[:-1]
    ends = np.cumsum(words + (SHINGLE - 1))
    padded = np.full(int(ends[-1]) + SHINGLE - 1 if len(ends) else 0, _PAD, dtype=np.uint64)
    padded[spans_of(ends - words, words)] = hashes
    size = max(0, len(padded) - SHINGLE + 1)
    mixture = np.zeros(size, dtype=np.uint64)
    for place, factor in enumerate(_FACTORS[:SHINGLE]):
        mixture += padded[place : place + size] * np.uint64(factor)
    shingles = (mixed(mixture) >> np.uint64(32)).astype(np.uint32)
    filled = words > 0
    if not filled.all():  # a row without words has no shingles, although marks are there
        shingles = shingles[np.repeat(filled, words + (SHINGLE - 1))]
    return _smallest(shingles, np.where(filled, words + (SHINGLE - 1), 0))


def _smallest(
    hashes: NDArray[np.uint32], counts: NDArray[np.int64]
) -> tuple[NDArray[np.uint32], NDArray[np.int64], NDArray[np.bool_]]:
    """The ``SKETCH`` smallest of each row's hashes, ascending and each once.

    Args:
        counts: How many hashes each row has.
    """
    ends = np.cumsum(counts)
    starts = ends - counts
    # Row by row: together, in the order of rows, takes nine times as long.
    for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
        hashes[start:end].sort()
    fresh = np.ones(len(hashes), dtype=bool)
    fresh[1:] = hashes[1:] != hashes[:-1]
    fresh[starts[counts > 0]] = True
    upto = np.concatenate(([0], np.cumsum(fresh)))
    sizes = upto[ends] - upto[starts]
    kept = fresh & (upto[1:] - np.repeat(upto[starts], counts) <= SKETCH)
    return hashes[kept], np.minimum(sizes, SKETCH), sizes > SKETCH


def _numbers_of(
    hashes: U64, is_number: NDArray[np.bool_], wording: U64, rows: NDArray[np.int64]
) -> tuple[U64, NDArray[np.int64]]:
    """For each number of each row a hash of the row without that number, and how many a row has."""
    before = np.concatenate(([0], np.cumsum(is_number)))[rows]
    counts = before[1:] - before[:-1]
    few = counts <= NUMBERS
    owner = np.repeat(np.arange(len(counts)), counts)
    rank = np.arange(len(owner)) - np.repeat(before[:-1], counts)
    terms = mixed(hashes[is_number] + rank.astype(np.uint64) * np.uint64(_FACTORS[0]))
    totals = np.concatenate((np.zeros(1, dtype=np.uint64), np.cumsum(terms)))  # modulo 2^64
    others = (totals[before[1:]] - totals[before[:-1]])[owner] - terms
    keys = mixed(wording[owner] + others + mixed(rank.astype(np.uint64) + np.uint64(_FACTORS[1])))
    return keys[few[owner]], np.where(few, counts, 0)
