"""Rows that repeat one another: one of them is taught, as long as a single one may be."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.checks.registry import CHECKS, TWINS, flag_of
from backend.data.decisions import Decisions
from backend.data.study_values import Fate, Study, select
from backend.problems import Problem

DECIDED = Decisions(dict.fromkeys(TWINS, True))


def study(twins: list[int], checks: list[set[str]]) -> Study:
    """A study of rows that repeat the rows of these numbers, 0 for none."""
    count = len(twins)
    return Study(
        problems=(Problem("data.problems.unusable"),),
        problem=np.zeros(count, dtype=np.uint16),
        flags=np.array([sum(map(flag_of, found)) for found in checks], dtype=np.uint32),
        twin=np.array(twins, dtype=np.int32),
        group=np.zeros(count, dtype=np.int64),
    )


def taught(found: Study, decisions: Decisions = DECIDED, over: Any = None) -> list[int]:
    fate = select(found, decisions, over).fate
    return [int(place) + 1 for place in np.flatnonzero(fate == Fate.TAUGHT)]


@pytest.mark.parametrize("check", TWINS)
def test_a_copy_stays_when_the_first_is_left_out_by_hand(check: str) -> None:
    """Row 1 was left out by hand and row 2 as its duplicate: what both say was lost."""
    found = study([0, 1, 1, 0], [set(), {check}, {check}, set()])
    assert taught(found) == [1, 4]
    assert taught(found, DECIDED.leave_out([1])) == [2, 4]
    assert taught(found, DECIDED.leave_out([1, 2])) == [3, 4]
    assert taught(found, DECIDED.leave_out([1, 2, 3])) == [4]


@pytest.mark.parametrize("check", ("same_question", "near_duplicate"))
def test_a_copy_stays_when_a_check_leaves_the_first_out(check: str) -> None:
    """The first answer to a question refused, and the good second one went with it."""
    found = study([0, 1, 1], [{"refusal"}, {check}, {check}])
    assert taught(found) == [2]
    assert taught(found, DECIDED.choose("refusal", False)) == [1]


def test_a_copy_that_is_faulty_itself_does_not_stand_in() -> None:
    found = study([0, 1, 1], [{"refusal"}, {"same_question", "repetition"}, {"same_question"}])
    assert taught(found) == [3]


def test_a_copy_stays_when_the_first_is_over_the_cutoff() -> None:
    found = study([0, 1], [set(), {"same_question"}])
    assert taught(found, over=np.array([True, False])) == [2]


def test_a_row_that_is_kept_by_hand_stands_in_before_others() -> None:
    found = study([0, 1, 1, 1], [set(), *[{"exact_duplicate"}] * 3])
    assert taught(found, DECIDED.leave_out([1]).put_back([3])) == [3]
    assert taught(found, DECIDED.put_back([3])) == [1, 3]


def test_relatives_over_several_steps_have_one_that_is_taught() -> None:
    """Row 2 asks nearly what row 1 asks, and row 3 is row 2 again."""
    found = study([0, 1, 2], [set(), {"near_duplicate"}, {"exact_duplicate"}])
    assert taught(found) == [1]
    assert taught(found, DECIDED.leave_out([1])) == [2]
    assert taught(found, DECIDED.choose("near_duplicate", False)) == [1, 2]
    assert taught(found, DECIDED.choose("near_duplicate", False).leave_out([2])) == [1, 3]
    assert taught(found, DECIDED.choose("exact_duplicate", False)) == [1, 3]


@st.composite
def any_study(draw: st.DrawFn) -> Study:
    twins, checks = [], []
    for number in range(1, draw(st.integers(1, 9)) + 1):
        twin = draw(st.integers(0, number - 1))
        found = {draw(st.sampled_from(TWINS))} if twin else set()
        twins.append(twin)
        checks.append(found | draw(st.sets(st.sampled_from(["refusal", "very_short"]))))
    return study(twins, checks)


@settings(max_examples=300, deadline=None)
@given(any_study(), st.data())
def test_of_relatives_none_is_lost_and_none_is_taught_twice(found: Study, data: Any) -> None:
    numbers = st.sets(st.integers(1, found.rows))
    chosen = {check.id: data.draw(st.booleans()) for check in CHECKS}
    decisions = Decisions(chosen).leave_out(data.draw(numbers)).put_back(data.draw(numbers))
    alone = Decisions({**chosen, **dict.fromkeys(TWINS, False)}, decisions.excluded, decisions.kept)
    would, are = set(taught(found, alone)), set(taught(found, decisions))
    assert are <= would and decisions.kept <= are
    applied = sum(flag_of(name) for name in TWINS if chosen[name])
    relatives: dict[int, set[int]] = {}
    for number in range(1, found.rows + 1):
        first = number
        while int(found.flags[first - 1]) & applied:
            first = int(found.twin[first - 1])
        relatives.setdefault(first, set()).add(number)
    for first, cluster in relatives.items():
        assert bool(cluster & would) is bool(cluster & are)
        others = cluster & are - decisions.kept
        assert len(others) <= 1 and (first in are or not others or not cluster & decisions.kept)
