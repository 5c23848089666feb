"""Which sets of hashes are nearly the same, among very many: MinHashes, made by rensa, and bands.

Sets are candidates that have the same MinHashes in one of some bands, and of candidates the sets
themselves are compared, so that nothing is found that is not so. Knows nothing about questions.

Memory, for a million sets of 128 hashes: 160 MB of bands, 26 MB of MinHashes at a time, and the
sets themselves twice (1 GB), with and without what most of them have.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.data.checks.grouping import Places, components, is_twice, spans_of
from backend.data.checks.parameters import BOILERPLATE_LEAST, BOILERPLATE_SHARE, NEIGHBOURS
from backend.data.checks.units import U64, sums_of

_BANDS = 20
_ROWS = 4
"""Bands of so many MinHashes each. Two sets of Jaccard similarity s have a MinHash in common with
probability s (A. Broder, "On the resemblance and containment of documents", 1997), all of a band
with s^4, and no band of 20 with (1 - s^4)^20 (J. Leskovec, A. Rajaraman, J. Ullman, "Mining of
Massive Datasets", 2014, section 3.4.2): of pairs at 0.85 0.00004 % are missed (3.9e-7), of pairs
at 0.1 0.2 % are compared in vain. rensa's MinHashes agree no less often and are less scattered
than independent ones (S. Dahlgaard, M. Knudsen, M. Thorup, "Fast similarity sketching", 2017)."""

_BAND_THRESHOLD = 0.85  # rensa asks for one and looks at bands only

_SEED = 1
"""Any number, and always the same one, for the same result every time."""

_BLOCK = 1 << 12
"""Sets whose MinHashes are made at a time: rensa gives them as Python's numbers, of 40 bytes."""

_AT_ONCE = 1 << 24
"""Elements of sets that rensa is asked about together: their MinHashes and what it is given take
200 MB."""

_BITS = 20
"""Elements are counted in at most 2^20 bins, and only those of full bins one by one."""

ALL_KNOWN = np.uint32(0xFFFFFFFF)

_FEW = 8

_CHUNK = 2_000_000
"""Elements of pairs that are compared at a time."""


@dataclass(frozen=True)
class Sets:
    """Sets of hashes.

    Attributes:
        values: uint32: all elements, set after set.
        starts, sizes: int64 a set: where its elements are.
        limits: uint32 a set: elements above are not known; ``ALL_KNOWN`` where all are known.
    """

    values: NDArray[np.uint32]
    starts: Places
    sizes: Places
    limits: NDArray[np.uint32]

    @cached_property
    def parities(self) -> NDArray[np.uint64]:
        """64 bits a set: whether it has an odd number of elements of each of 64 kinds."""
        bits = np.uint64(1) << (self.values & np.uint32(63)).astype(np.uint64)
        found = np.zeros(len(self.sizes), dtype=np.uint64)
        filled = self.sizes > 0
        if filled.any():
            found[filled] = np.bitwise_xor.reduceat(bits, self.starts[filled])
        return found

    def chosen(self, sets: Places) -> Sets:
        """Some of them, in the order given."""
        starts, sizes = self.starts[sets], self.sizes[sets]
        # Slice by slice: 64 bits for the place of each element take three times as long.
        slices = zip(starts.tolist(), (starts + sizes).tolist(), strict=True)
        none = [self.values[:0]]
        values = np.concatenate([self.values[start:end] for start, end in slices] or none)
        return Sets(values, np.cumsum(sizes) - sizes, sizes, self.limits[sets])

    def without(self, dropped: NDArray[np.bool_]) -> Sets:
        """Without some elements."""
        places, ends = np.flatnonzero(dropped), self.starts + self.sizes
        sizes = self.sizes + np.searchsorted(places, self.starts) - np.searchsorted(places, ends)
        return Sets(self.values[~dropped], np.cumsum(sizes) - sizes, sizes, self.limits)


Pairs = tuple[Places, Places]

Spread = Callable[[Callable[[Any], Any], Iterable[Any]], Iterator[Any]]
"""``map``, or what does the same in several processes."""


def can_spread() -> bool:
    """Whether processes that are forked now can make MinHashes. Not where this one made some:
    rensa's threads do not go with a fork, and it would wait for them for ever.
    """
    return "rensa" not in sys.modules


def like_pairs(
    sets: Sets,
    asked: Places,
    counted: NDArray[np.bool_],
    known: Pairs,
    threshold: float,
    spread: Spread = map,
) -> Pairs:
    """Pairs of sets that are alike: enough of them to link all that are, through others or not.

    Args:
        asked: The sets among which pairs are sought, in an order that decides which are found.
        counted: Sets that count when the elements are looked for that are in too many sets to say
            anything. Sets that differ in a number only would make all of their elements such.
        known: Pairs that are alike for another reason.
        spread: Makes the MinHashes, which takes most of the time.
    """
    sets = sets.without(_common(sets, counted))
    labels = components(len(sets.sizes), *known)
    found = [(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))]
    matched = asked[_is_matched(sets)[asked]]
    for keys in _band_keys(sets.chosen(matched), spread):
        for one, other in _candidates(keys):
            ones, others = matched[one], matched[other]
            apart = np.flatnonzero(labels[ones] != labels[others])
            near = apart[alike(sets, ones[apart], others[apart], threshold)]
            found.append((ones[near], others[near]))
            labels = components(len(labels), labels[ones[near]], labels[others[near]])[labels]
    return np.concatenate([one for one, _ in found]), np.concatenate([two for _, two in found])


def _is_matched(sets: Sets) -> NDArray[np.bool_]:
    """Which sets have all MinHashes of a band in common with another, or may have.

    rensa tells in a sixth of the time that it takes to get its numbers.
    """
    found = sets.sizes > 0
    if not 0 < len(sets.values) <= _AT_ONCE:
        return found
    from rensa import RMinHashLSH  # type: ignore[import-untyped]

    index = RMinHashLSH(_BAND_THRESHOLD, _BANDS * _ROWS, _BANDS)
    matrix = _minhashes(sets.values, np.append(sets.starts[found], len(sets.values)))
    found[found] = index.query_duplicate_flags_matrix_one_shot(matrix)
    return found


def _minhashes(values: NDArray[np.uint32], edges: Places) -> Any:
    """rensa's matrix of the MinHashes of sets: their elements, and where each begins and the last
    ends."""
    from rensa import RMinHash

    return RMinHash.digest_matrix_from_flat_token_hashes(
        values.astype(np.uint64), edges.astype(np.uint64), num_perm=_BANDS * _ROWS, seed=_SEED
    )


def _band_keys(sets: Sets, spread: Spread) -> U64:
    """A hash of the MinHashes of each band of each set: (bands, sets)."""
    keys = np.empty((_BANDS, len(sets.sizes)), dtype=np.uint64)
    ends = np.concatenate(([0], np.cumsum(sets.sizes)))
    firsts = range(0, len(sets.sizes), _BLOCK)
    edges = [ends[first : first + _BLOCK + 1] for first in firsts]
    blocks = ((sets.values[one[0] : one[-1]], one - one[0]) for one in edges)
    for first, found in zip(firsts, spread(_block_keys, blocks), strict=True):
        keys[:, first : first + _BLOCK] = found
    return keys


def _block_keys(block: tuple[NDArray[np.uint32], Places]) -> U64:
    """The same of some sets, as for ``_minhashes``."""
    digests = np.array(_minhashes(*block).to_rows(), dtype=np.uint64).ravel()
    return sums_of(digests, np.arange(0, len(digests), _ROWS)).reshape(-1, _BANDS).T


def _candidates(keys: U64) -> Iterator[Pairs]:
    """Sets with the same key, each with the first of these; then with each of the next ones.

    All pairs of a bucket of thousands would be millions.
    """
    order = np.flatnonzero(is_twice(keys))
    order = order[np.argsort(keys[order], kind="stable")]
    keys = keys[order]
    buckets = np.searchsorted(keys, keys)  # where each one's bucket begins
    later = buckets != np.arange(len(keys))
    order, firsts = order[later], order[buckets[later]]
    yield firsts, order
    for step in range(1, NEIGHBOURS + 1):
        same = firsts[step:] == firsts[:-step]
        if not same.any():
            return
        yield order[:-step][same], order[step:][same]


def alike(sets: Sets, ones: Places, others: Places, threshold: float) -> NDArray[np.bool_]:
    """Of each pair whether its Jaccard similarity is at least ``threshold``.

    Of sets that are known in part, the elements up to the lower of both limits are compared: an
    unbiased sample of both (a bottom-k sketch).
    """
    found = np.zeros(len(ones), dtype=bool)
    left = np.arange(len(ones))
    if len(ones) > len(sets.sizes) // _FEW:  # else that look takes longer than it saves
        left = np.flatnonzero(_may_be_alike(sets, ones, others, threshold))
    work = np.cumsum(sets.sizes[ones[left]] + sets.sizes[others[left]])
    while len(left):
        end = max(1, int(np.searchsorted(work, _CHUNK + (work[0] if len(work) else 0))))
        now, left, work = left[:end], left[end:], work[end:]
        found[now] = _alike(sets, ones[now], others[now], threshold)
    return found


def _may_be_alike(sets: Sets, ones: Places, others: Places, threshold: float) -> NDArray[np.bool_]:
    """Pairs that a look at 64 bits does not rule out.

    Each kind of which one set has an odd and the other an even number holds an element that is not
    common (E. Sandes, G. Teodoro, A. Melo, "Bitmap filter", 2020); of m elements in all, a Jaccard
    similarity of t leaves m (1 - t) / (1 + t) such elements.
    """
    different = np.bitwise_count(sets.parities[ones] ^ sets.parities[others])
    allowed = (sets.sizes[ones] + sets.sizes[others]) * ((1 - threshold) / (1 + threshold))
    partly = np.minimum(sets.limits[ones], sets.limits[others]) != ALL_KNOWN
    possible: NDArray[np.bool_] = partly | (different <= allowed + 1e-9)
    return possible


def _alike(sets: Sets, ones: Places, others: Places, threshold: float) -> NDArray[np.bool_]:
    limits = np.minimum(sets.limits[ones], sets.limits[others])
    keys = np.concatenate([_keys(sets, ones, limits), _keys(sets, others, limits)])
    keys.sort(kind="stable")  # Timsort: both halves are ascending and are only merged
    total = np.bincount((keys >> np.uint64(32)).astype(np.int64), minlength=len(ones))
    twice = keys[1:][keys[1:] == keys[:-1]]
    common = np.bincount((twice >> np.uint64(32)).astype(np.int64), minlength=len(ones))
    return (common > 0) & (common >= threshold * (total - common))


def _keys(sets: Sets, chosen: Places, limits: NDArray[np.uint32]) -> NDArray[np.uint64]:
    sizes = sets.sizes[chosen]
    values = sets.values[spans_of(sets.starts[chosen], sizes)]
    pair = np.repeat(np.arange(len(chosen), dtype=np.uint64), sizes)
    within = values <= np.repeat(limits, sizes)
    return ((pair << np.uint64(32)) | values)[within]


def _common(sets: Sets, counted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Of each element whether it is in too many of the counted sets to say anything."""
    counting = np.repeat(counted, sets.sizes)
    most = max(BOILERPLATE_LEAST, BOILERPLATE_SHARE * int(counted.sum()))
    # So many that few are full by chance; more would not fit in a core's cache.
    bits = min(_BITS, max(12, int(4 * len(sets.values) / most).bit_length()))
    bins = sets.values >> np.uint32(32 - bits)
    binned = bins if counted.all() else bins[counting]
    found: NDArray[np.bool_] = (np.bincount(binned, minlength=1 << bits) > most)[bins]
    maybe = np.flatnonzero(found)
    elements, which = np.unique(sets.values[maybe], return_inverse=True)
    counts = np.bincount(which[counting[maybe]], minlength=len(elements))
    found[maybe] = (counts > most)[which]
    return found
