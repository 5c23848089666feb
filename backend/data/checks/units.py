"""Cuts many texts at once into words, and gives each word a number: with numpy, no loop over words.

A word is a run of letters and digits of any alphabet but Chinese, Japanese and Korean, where each
character is one; a number ends where letters begin. Case, width (ＡＢＣ as abc) and white space
make no difference. Knows nothing about lessons.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

LETTER, DIGIT, IDEOGRAPH, MARK = 1, 2, 4, 8
"""Classes of characters, as bits; white space and control characters are in none."""

_PLANE = 0x10000
_FACTOR = 0x9E3779B97F4A7C15  # the golden ratio in 64 bits: odd, its multiples well spread
_INVERSE = pow(_FACTOR, -1, 1 << 64)
_MIX = (0xBF58476D1CE4E5B9, 0x94D049BB133111EB)  # finalizer of splitmix64 (G. Steele et al., 2014)

U64 = NDArray[np.uint64]
Places = NDArray[np.int64]


@dataclass(frozen=True)
class Units:
    """The words and punctuation marks of texts, in order.

    Attributes:
        hashes: uint64, one a unit: equal for equal units, on every machine.
        kinds: uint8, one a unit: the class of its first character.
        starts, ends: int64, one a unit: characters from and to which it stands in the joined texts,
            white space behind it included.
        rows: int64, one a text and one more: its first unit.
    """

    hashes: U64
    kinds: NDArray[np.uint8]
    starts: Places
    ends: Places
    rows: Places


def units_of(texts: Sequence[str]) -> Units:
    """The units of each text."""
    joined = "\n".join((*texts, ""))
    codes = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    beyond = np.flatnonzero(codes >= _PLANE - 1)
    # Places in tables are of this type: numpy would change it for each table.
    low = codes.astype(np.intp)
    low[beyond] = _PLANE - 1
    folds, classes = _tables()
    kinds = classes.take(low)
    _join_decimals(codes, kinds)
    starts = np.flatnonzero(_begins(kinds))
    lengths = np.fromiter((len(text) + 1 for text in texts), dtype=np.int64, count=len(texts))
    rows = np.searchsorted(starts, np.concatenate(([0], np.cumsum(lengths))))
    if not len(starts):
        empty = np.zeros(0, dtype=np.uint64)
        return Units(empty, empty.astype(np.uint8), starts, starts, rows)
    values = folds.take(low).astype(np.uint64)
    values[beyond] = codes[beyond]
    return Units(
        hashes=sums_of(values, starts),
        kinds=kinds[starts],
        starts=starts,
        ends=np.append(starts[1:], len(codes)),
        rows=rows,
    )


def _join_decimals(codes: NDArray[np.uint32], kinds: NDArray[np.uint8]) -> None:
    """Make a point between digits part of the number."""
    points = np.flatnonzero(codes[1:-1] == ord(".")) + 1
    inside = (kinds[points - 1] == DIGIT) & (kinds[points + 1] == DIGIT)
    kinds[points[inside]] = DIGIT


def _begins(kinds: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Which characters begin a unit."""
    wordlike = (kinds & (LETTER | DIGIT)) != 0
    begins: NDArray[np.bool_] = kinds != 0
    # A number ends where letters begin ("5mg" is two units); letters go on with digits ("B12").
    goes_on = wordlike[1:] & wordlike[:-1] & ((kinds[1:] == DIGIT) | (kinds[:-1] == LETTER))
    begins[1:] &= ~goes_on
    return begins


def sums_of(values: U64, starts: Places) -> U64:
    """A hash of each run of values: their polynomial in an odd number, modulo 2^64, then mixed.

    Zeros at a run's end make no difference.

    Args:
        starts: Where the runs begin, ascending; each ends where the next begins.
    """
    powers, inverses = _powers(_rounded(len(values)))
    # Running sums, modulo 2^64: reduceat takes four times as long.
    upto = np.cumsum(values * powers[: len(values)])
    before = upto[starts - 1]
    before[starts == 0] = 0
    sums = np.append(before[1:], upto[-1:]) - before
    return mixed(sums * inverses[starts])


def window_sums_of(values: U64, size: int) -> U64:
    """What ``sums_of`` gives for each window of ``size`` values."""
    if len(values) < size:
        return np.zeros(0, dtype=np.uint64)
    powers, inverses = _powers(_rounded(len(values)))
    sums = np.zeros(len(values) + 1, dtype=np.uint64)
    np.cumsum(values * powers[: len(values)], out=sums[1:])
    windows = sums[size:] - sums[:-size]
    return mixed(windows * inverses[: len(windows)])


def mixed(values: U64) -> U64:
    """Each value with every bit depending on every bit (splitmix64)."""
    values = values ^ (values >> np.uint64(30))
    values = values * np.uint64(_MIX[0])
    values ^= values >> np.uint64(27)
    values *= np.uint64(_MIX[1])
    return values ^ (values >> np.uint64(31))


def _rounded(size: int) -> int:
    """A power of two not below ``size``, so that few tables of powers are made."""
    return max(1 << 12, 1 << (size - 1).bit_length())


@cache
def _powers(size: int) -> tuple[U64, U64]:
    """Powers of the factor and of its inverse modulo 2^64."""
    tables = []
    for factor in (_FACTOR, _INVERSE):
        table = np.full(size, factor, dtype=np.uint64)
        table[0] = 1
        tables.append(np.multiply.accumulate(table))
    return tables[0], tables[1]


@cache
def _tables() -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
    """Of each character of the basic plane: what it counts as (0 where it is in no class), and its
    class."""
    plane = list(map(chr, range(_PLANE)))
    folded = list(plane)
    end = 0
    for first, last in (*_IDEOGRAPHS, (_PLANE, _PLANE)):
        folded[end:first] = map(_folded, plane[end:first])
        end = last + 1
    folds = np.frombuffer("".join(folded).encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    categories = map(unicodedata.category, folded)
    classes = np.array([_CLASSES.get(one[0], MARK) for one in categories], dtype=np.uint8)
    written = [(folds >= first) & (folds <= last) for first, last in _IDEOGRAPHS]
    classes[(classes != 0) & np.any(written, axis=0)] = IDEOGRAPH
    folds = np.where(classes == 0, np.uint32(0), folds)
    classes[_PLANE - 1] = IDEOGRAPH  # stands for all beyond: rare Chinese characters, and emoji
    return folds, classes


_CLASSES = {"Z": 0, "C": 0, "L": LETTER, "M": LETTER, "N": DIGIT}
"""By the first letter of a character's category; all else are marks."""

_IDEOGRAPHS = ((0x3041, 0x30FF), (0x3400, 0x9FFF), (0xAC00, 0xD7FF))
"""Chinese characters, kana and hangul, which are written without spaces or with few."""


def _folded(character: str) -> str:
    """A character in lower case and of normal width; what would become several stays as it is."""
    folded = unicodedata.normalize("NFKC", character).lower()
    return folded if len(folded) == 1 else character
