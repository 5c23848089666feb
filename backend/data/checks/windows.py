"""An index of all windows of some sequences: which windows are where, asked for many at a time.

Knows nothing about what the sequences are; their members are numbers.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from backend.data.checks.grouping import Places, rank_in_run
from backend.data.checks.units import U64, sums_of, window_sums_of

_BITS = 24
"""A table of 2^24 marks (16 MB) tells of nearly all windows that they are nowhere."""

_PLACES = 64
"""Places that are kept of a window in one sequence. From the first of more than
these a run of 64 goes on, wherever in it the block began that was looked for."""


class Windows:
    """Where each window of ``size`` members is.

    Args:
        sequences: uint64 arrays.
        size: Members of a window.
        most: Windows in more sequences than this are not found.
    """

    def __init__(self, sequences: Sequence[U64], size: int, *, most: int) -> None:
        self.size = size
        hashes = [window_sums_of(one, size) for one in sequences]
        counts = [len(one) for one in hashes]
        owner = np.repeat(np.arange(len(hashes), dtype=np.int32), counts)
        offset = np.concatenate(
            [np.arange(0, dtype=np.int32), *(np.arange(one, dtype=np.int32) for one in counts)]
        )
        flat = np.concatenate([np.zeros(0, dtype=np.uint64), *hashes])
        order = np.lexsort((owner, flat))
        kept = order[_kept(flat[order], owner[order], most)]
        self._hashes, self._owner, self._offset = flat[kept], owner[kept], offset[kept]
        self._marks = np.zeros(1 << _BITS, dtype=bool)
        self._marks[self._hashes >> np.uint64(64 - _BITS)] = True

    def __len__(self) -> int:
        return len(self._hashes)

    def of_blocks(self, sequence: U64) -> list[tuple[int, int, int]]:
        """Where the blocks of a sequence are, block after block without overlap.

        A common run of ``2 size - 1`` members holds a whole block, wherever it begins.

        Returns:
            Place in the sequence, which of the indexed sequences, place in that. Windows are told
            apart by 64 bits: whoever needs to be sure compares.
        """
        count = len(sequence) // self.size
        if not count:
            return []
        starts = np.arange(count, dtype=np.int64) * self.size
        hashes = sums_of(sequence[: count * self.size], starts)
        maybe = np.flatnonzero(self._marks[hashes >> np.uint64(64 - _BITS)])
        if not len(maybe):
            return []
        return self._found(hashes[maybe], starts[maybe])

    def _found(self, hashes: U64, starts: Places) -> list[tuple[int, int, int]]:
        first = np.minimum(np.searchsorted(self._hashes, hashes), len(self._hashes) - 1)
        there = np.flatnonzero(self._hashes[first] == hashes)
        if not len(there):
            return []
        end = np.searchsorted(self._hashes, hashes[there], side="right")
        return [
            (int(start), int(self._owner[place]), int(self._offset[place]))
            for start, low, high in zip(starts[there], first[there], end, strict=True)
            for place in range(low, high)
        ]


def _kept(hashes: U64, owner: NDArray[np.int32], most: int) -> NDArray[np.bool_]:
    """Which of the windows, in order of hash and sequence, to keep: those in few sequences.

    Of a window that is very often in one sequence (a rule of dashes) only the first few places.
    """
    if not len(hashes):
        return np.zeros(0, dtype=bool)
    new = np.append(True, hashes[1:] != hashes[:-1])
    fresh = new | np.append(True, owner[1:] != owner[:-1])
    group = np.cumsum(new) - 1
    few: NDArray[np.bool_] = np.bincount(group[fresh])[group] <= most
    return few & (rank_in_run(fresh) < _PLACES)
