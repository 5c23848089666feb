"""Which rows are kept for validation, by group."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from backend.data.split import validation_rows

SHARES = st.floats(0, 1, exclude_max=True)
GROUPS = st.lists(st.integers(-(2**63), 2**63 - 1) | st.integers(0, 5), max_size=40)
SEEDS = st.integers(-(2**70), 2**70)


def kept(groups: list[int], share: float, seed: int = 42) -> NDArray[np.bool_]:
    return validation_rows(np.array(groups, dtype=np.int64), share, seed=seed)


@settings(deadline=None, max_examples=50)
@given(groups=GROUPS, share=SHARES, seed=SEEDS)
def test_no_group_is_on_both_sides_and_neither_side_is_empty(
    groups: list[int], share: float, seed: int
) -> None:
    """A question on both sides is memorised, and its validation loss means nothing."""
    aside = kept(groups, share, seed)
    assert aside.shape == (len(groups),) and aside.dtype == bool
    validation = {group for group, one in zip(groups, aside, strict=True) if one}
    training = {group for group, one in zip(groups, aside, strict=True) if not one}
    assert not validation & training
    assert bool(validation) == (share > 0 and len(set(groups)) > 1)
    assert bool(training) == bool(groups)


@settings(deadline=None, max_examples=50)
@given(groups=GROUPS, share=SHARES, seed=SEEDS)
def test_share_is_met_within_the_size_of_a_group(
    groups: list[int], share: float, seed: int
) -> None:
    """As many as asked, less only where no group that is left would fit; never more, but for the
    one group that there has to be.
    """
    aside = kept(groups, share, seed)
    rows = int(aside.sum())
    if rows == 0:
        return
    sizes = Counter(groups)
    wanted = min(max(1, round(share * len(groups))), len(groups) - 1)
    if rows > wanted:
        assert rows == min(sizes.values())
    else:
        chosen = {group for group, one in zip(groups, aside, strict=True) if one}
        assert all(sizes[group] > wanted - rows for group in sizes.keys() - chosen)


@settings(deadline=None, max_examples=50)
@given(groups=GROUPS, share=SHARES, order=st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(
    groups: list[int], share: float, order: random.Random
) -> None:
    shuffled = order.sample(groups, len(groups))
    before = {group for group, one in zip(groups, kept(groups, share), strict=True) if one}
    after = {group for group, one in zip(shuffled, kept(shuffled, share), strict=True) if one}
    assert before == after


@pytest.mark.parametrize(
    ("rows", "share", "count"),
    [(198, 0.05, 10), (24, 0.05, 1), (2, 0.01, 1), (2, 0.99, 1), (9, 0, 0), (1, 0.5, 0)],
)
def test_rows_that_are_alone_in_their_groups(rows: int, share: float, count: int) -> None:
    assert kept(list(range(rows)), share).sum() == count


def test_one_group_is_trained_on() -> None:
    assert not kept([7] * 9, 0.5).any()


def test_a_large_group_leaves_room_for_small_ones() -> None:
    """Where ten answers to one question do not fit into a share of five rows, five others do."""
    for seed in range(20):
        aside = kept([1] * 50 + list(range(2, 52)), 0.05, seed)
        assert aside.sum() == 5 and not aside[:50].any()


def test_only_large_groups() -> None:
    """Nothing fits into one row of share, so the smallest group is taken, not none."""
    aside = kept([1] * 9 + [2] * 7 + [3] * 8, 0.05)
    assert aside.tolist() == [False] * 9 + [True] * 7 + [False] * 8


def test_another_seed_keeps_others() -> None:
    """Neighbouring seeds too, and seeds far out: a person types 1, 2, 3, or a date."""
    chosen = {tuple(kept(list(range(200)), 0.1, seed).nonzero()[0]) for seed in (1, 2, 3, 20260101)}
    assert len(chosen) == 4
    assert {len(one) for one in chosen} == {20}


def test_groups_with_near_numbers_are_not_kept_together() -> None:
    """Were groups taken in the order of their numbers, a sorted file would give its beginning."""
    places = kept(list(range(1000)), 0.1).nonzero()[0]
    assert len(places) == 100
    assert places.min() < 100 and places.max() > 900
    assert 350 < places.mean() < 650


def test_the_same_everywhere() -> None:
    """A prepared dataset must come out the same on another machine and in a later version."""
    groups = [4955944693748501364, 7, 7, 2**63 - 1, -1, 0, 12, 13, 14, 15, -(2**63), 3]
    assert kept(groups, 0.3, 42).nonzero()[0].tolist() == [5, 7, 9, 10]
