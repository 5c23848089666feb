"""How many packs LLaMA-Factory makes of rows (0.9.5, ``PackedSupervisedDatasetProcessor``).

Of a thousand rows at a time the longest that still fits is added to the pack that is being filled
(``greedy_knapsack``). With several processes for the data each has its own thousand, which changes
little.
"""

from __future__ import annotations

import bisect

import numpy as np
from numpy.typing import NDArray

GROUP = 1000
"""LLaMA-Factory's ``preprocessing_batch_size``."""


def packs(lengths: NDArray[np.int64], cutoff: int, rows: int) -> int:
    """Packs of all rows, from those of the first ``GROUP`` lengths.

    Args:
        lengths: Of some rows as they are cut; at least one.
        rows: How many there are in all.
    """
    # LLaMA-Factory takes one off the cutoff when it packs.
    sample = np.minimum(lengths[:GROUP], cutoff - 1)
    return max(1, round(_knapsacks(sorted(sample.tolist()), cutoff - 1) * rows / len(sample)))


def _knapsacks(ascending: list[int], capacity: int) -> int:
    count = 0
    while ascending:
        count += 1
        left = capacity
        while (place := bisect.bisect_right(ascending, left)) > 0:
            left -= ascending.pop(place - 1)
        if left == capacity:  # the shortest row is longer than a pack, which cutting rules out
            ascending.pop()
    return count
