"""The lengths of some rows are those of a file that has only these."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.tokens.cutoff import effects, thresholds
from backend.data.tokens.lengths import Lengths
from tests.unit.test_tokens_cutoff import make

TURNS = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 30)), min_size=1, max_size=3)


@settings(deadline=None, max_examples=60)
@given(rows=st.lists(st.tuples(TURNS, st.booleans()), max_size=8), cutoff=st.integers(1, 80))
def test_what_is_left_out_does_not_count(
    rows: list[tuple[list[tuple[int, int]], bool]], cutoff: int
) -> None:
    whole = make([(turns, turns[-1][1] // 2) for turns, _ in rows], tail=1)
    some = whole.only(np.array([kept for _, kept in rows], dtype=bool))
    alone = make([(turns, turns[-1][1] // 2) for turns, kept in rows if kept], tail=1)
    assert some.rows.tolist() == [n for n, (_, kept) in enumerate(rows, start=1) if kept]
    assert thresholds(some).tolist() == thresholds(alone).tolist()
    if len(alone):
        assert effects(some, cutoff) == effects(alone, cutoff)


def test_rows_that_make_no_lesson_have_no_length() -> None:
    """Row 2 of three can't be used: the numbers of the others are not their places."""
    lengths = Lengths(
        rows=np.array([1, 3]),
        turn_starts=np.array([0, 1, 2]),
        source=np.array([5, 7], dtype=np.int32),
        target=np.array([6, 8], dtype=np.int32),
        reasoning=np.array([0, 0], dtype=np.int32),
    )
    found = lengths.only(np.array([False, False, True]))
    assert (found.rows.tolist(), found.source.tolist(), found.turn_starts.tolist()) == (
        [3],
        [7],
        [0, 1],
    )
