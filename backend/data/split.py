"""Which rows are kept for validation: by group, so that no relatives are on both sides.

Rows of one group (exact and near duplicates, one question with several answers) have the same
number. Knows nothing else of them.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def validation_rows(groups: NDArray[np.int64], share: float, *, seed: int) -> NDArray[np.bool_]:
    """Which rows to keep for validation, given the group of each.

    As many rows as ``share`` says, less where the next group has too many rows to fit; at least one
    group where ``share`` is not 0 and there are two, and never all. Another seed takes others. A
    row's place does not matter: the same groups give the same answer in any order.
    """
    names, which, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if share == 0 or len(names) < 2:
        return np.zeros(len(groups), dtype=bool)
    left = min(max(1, round(share * len(groups))), len(groups) - 1)
    order = np.argsort(_shuffled(names, seed), kind="stable")
    chosen = np.zeros(len(names), dtype=bool)
    for place in order:
        if sizes[place] <= left:
            chosen[place] = True
            left -= int(sizes[place])
        if left == 0:
            break
    if not chosen.any():
        smallest = order[np.argmin(sizes[order])]
        chosen[smallest] = True
    return np.asarray(chosen[which], dtype=bool)


def _shuffled(names: NDArray[np.int64], seed: int) -> NDArray[np.uint64]:
    """A number by chance for each group: SplitMix64 (Steele, Lea and Flood, OOPSLA 2014)."""
    with np.errstate(over="ignore"):
        mixed = names.astype(np.uint64) + np.uint64(seed % 2**64) * np.uint64(0x9E3779B97F4A7C15)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return np.asarray(mixed ^ (mixed >> np.uint64(31)), dtype=np.uint64)
