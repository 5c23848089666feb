"""Lessons that are the same, ask the same, or ask nearly the same.

Nearly the same are two questions whose words differ in one number only (an age, a dose), or whose
word 3-shingles have a Jaccard similarity of at least a threshold. Another patient is another
question although it is asked in the same way: what many questions have in common is not counted,
and a word that differs weighs the same wherever it stands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.data.checks.grouping import Places, components, first_of_same
from backend.data.checks.likeness import ALL_KNOWN, Pairs, Sets, Spread, alike, like_pairs
from backend.data.checks.sketches import Arrays, Sketches

__all__ = ["Duplicates", "Sketches", "find_duplicates"]


@dataclass(frozen=True)
class Duplicates:
    """Relatives of each lesson, as positions from 0; -1 where there is none.

    Attributes:
        exact_of: int32: the first lesson that is the same, word for word.
        near_of: int32: the first lesson found whose question is nearly, not quite, the same.
        same_question: int32: the first lesson with the same question, where its answer is another.
            Case, width and white space make no difference.
        cluster: int32: a number for each cluster of relatives, over any number of steps; clusters
            are numbered from 0 in the order of their first lessons.
    """

    exact_of: NDArray[np.int32]
    near_of: NDArray[np.int32]
    same_question: NDArray[np.int32]
    cluster: NDArray[np.int32]


def find_duplicates(
    sketches: Sketches, *, threshold: float = 0.85, spread: Spread = map
) -> Duplicates:
    """The relatives of all lessons.

    Args:
        threshold: Jaccard similarity from which questions are nearly the same. 0.85 lets one word
            of 35 differ, or three of 100.
        spread: Does the longest part, in several processes where it can.
    """
    arrays = sketches.arrays()
    count = len(arrays.question)
    places = np.arange(count, dtype=np.int64)
    same = first_of_same(arrays.exact[:, 0], arrays.exact[:, 1])
    asked = first_of_same(arrays.question)
    asked = np.where(arrays.question == 0, places, asked)
    rows = np.flatnonzero((asked == places) & (arrays.question != 0))
    near = _near(arrays, rows, threshold, spread)
    links = np.concatenate((places, places, near[0])), np.concatenate((same, asked, near[1]))
    labels = components(count, *links)
    return Duplicates(
        exact_of=_or_none(same, same != places),
        near_of=_earlier(near, count)[asked],
        same_question=_or_none(asked, same != same[asked]),
        cluster=np.unique(labels, return_inverse=True)[1].astype(np.int32),
    )


def _or_none(places: Places, valid: NDArray[np.bool_]) -> NDArray[np.int32]:
    return np.where(valid, places, -1).astype(np.int32)


def _earlier(near: Pairs, count: int) -> NDArray[np.int32]:
    """Of each lesson the first of the earlier ones it is paired with."""
    first = np.full(count, count, dtype=np.int64)
    np.minimum.at(first, np.maximum(*near), np.minimum(*near))
    return _or_none(first, first < count)


def _near(arrays: Arrays, rows: Places, threshold: float, spread: Spread) -> Pairs:
    """Pairs among ``rows``, which ask different questions, that ask nearly the same."""
    # By size, then content, so that the order of a file's rows makes no difference.
    rows = rows[np.lexsort((arrays.question[rows], arrays.sizes[rows]))]
    sets = _sets_of(arrays)
    by_number = _but_one_number(arrays, rows)
    counted = np.zeros(len(sets.sizes), dtype=bool)
    counted[rows[first_of_same(arrays.wording[rows]) == np.arange(len(rows))]] = True
    by_words = like_pairs(sets, rows, counted, by_number, threshold, spread)
    ones = np.concatenate((by_number[0], by_words[0]))
    others = np.concatenate((by_number[1], by_words[1]))
    # The first of a cluster is what people look at, but pairs were sought in another order.
    member, leader = _with_leaders(len(sets.sizes), ones, others)
    also = alike(sets, member, leader, threshold)
    return np.concatenate((ones, member[also])), np.concatenate((others, leader[also]))


def _sets_of(arrays: Arrays) -> Sets:
    starts = np.cumsum(arrays.sizes) - arrays.sizes
    limits = np.full(len(starts), ALL_KNOWN)
    limits[arrays.cut] = arrays.shingles[(starts + arrays.sizes)[arrays.cut] - 1]
    return Sets(arrays.shingles, starts, arrays.sizes, limits)


def _but_one_number(arrays: Arrays, rows: Places) -> Pairs:
    """Pairs among ``rows`` whose questions are the same but for one number, each with the first of
    all."""
    chosen = np.zeros(len(arrays.question), dtype=bool)
    chosen[rows] = True
    owner = np.repeat(np.arange(len(chosen)), arrays.counts)
    numbers, owner = arrays.numbers[chosen[owner]], owner[chosen[owner]]
    firsts = owner[first_of_same(numbers)]
    pairs = firsts != owner
    return firsts[pairs], owner[pairs]


def _with_leaders(count: int, ones: Places, others: Places) -> Pairs:
    """Lessons with the relative that comes first in the file, unless that is a pair."""
    leader = components(count, ones, others)
    known = np.full(count, -1, dtype=np.int64)
    for one, other in ((ones, others), (others, ones)):
        with_leader = leader[one] == other
        known[one[with_leader]] = other[with_leader]
    member = np.flatnonzero((leader != np.arange(count)) & (leader != known))
    return member, leader[member]
