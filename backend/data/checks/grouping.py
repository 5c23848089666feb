"""Groups rows by equal keys and by links between them, with numpy. Knows nothing about what they
are."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Places = NDArray[np.int64]


def first_of_same(*keys: NDArray[Any]) -> Places:
    """Of each row the first row with the same keys; itself where it is the first.

    Args:
        keys: Arrays with one entry a row.
    """
    firsts = np.arange(len(keys[0]), dtype=np.int64)
    some = np.flatnonzero(is_twice(keys[0]))
    if not len(some):
        return firsts
    keys = tuple(key[some] for key in keys)
    order = np.lexsort(keys)
    new = np.ones(len(order), dtype=bool)
    new[1:] = np.any([key[order[1:]] != key[order[:-1]] for key in keys], axis=0)
    # lexsort is stable: within equal keys rows stand in their order.
    firsts[some[order]] = some[order[new][np.cumsum(new) - 1]]
    return firsts


def is_twice(keys: NDArray[Any]) -> NDArray[np.bool_]:
    """Which keys are there more than once: few, which are then sorted; to sort all with their
    places takes six times as long."""
    ascending = np.sort(keys)
    return np.isin(keys, ascending[1:][ascending[1:] == ascending[:-1]])


def components(count: int, links: Places, others: Places) -> Places:
    """Of each of ``count`` rows the lowest row that links lead to, over any number of them.

    Args:
        links, others: The two ends of each link.
    """
    labels = np.arange(count, dtype=np.int64)
    while True:
        mine, theirs = labels[links], labels[others]
        apart = mine != theirs
        if not apart.any():
            return labels
        high = np.maximum(mine[apart], theirs[apart])
        np.minimum.at(labels, high, np.minimum(mine[apart], theirs[apart]))
        while not np.array_equal(shorter := labels[labels], labels):
            labels = shorter


def spans_of(starts: Places, sizes: Places) -> Places:
    """Indices of runs in a flat array, one run after another."""
    before = np.cumsum(sizes) - sizes
    return np.repeat(starts - before, sizes) + np.arange(int(sizes.sum()), dtype=np.int64)


def rank_in_run(starts_of_runs: NDArray[np.bool_]) -> Places:
    """Of each entry its place in its run, from 0.

    Args:
        starts_of_runs: True where a run begins; the first entry begins one.
    """
    places = np.arange(len(starts_of_runs), dtype=np.int64)
    return places - np.maximum.accumulate(np.where(starts_of_runs, places, 0))
