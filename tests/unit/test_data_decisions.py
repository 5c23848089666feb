"""What a person decided about findings, and what becomes of each row by it."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.checks.registry import CHECKS, flag_of
from backend.data.checks.values import Remedy
from backend.data.decisions import Decisions
from backend.data.study_values import Count, Fate, Selection, Study, select
from backend.problems import Problem

IDS = [check.id for check in CHECKS]
ROWS = st.frozensets(st.integers(1, 40), max_size=12)
DECISIONS = st.builds(
    Decisions, st.dictionaries(st.sampled_from(IDS), st.booleans(), max_size=6), ROWS, ROWS
)

# --- Decisions ----------------------------------------------------------------------------------


def test_what_nobody_decided_is_as_advised() -> None:
    """A person who clicks nothing gets what the registry of checks advises, and nothing else."""
    decisions = Decisions()
    assert [one for one in IDS if decisions.applies(one)] == [c.id for c in CHECKS if c.advised]
    assert {"think_unclosed", "exact_duplicate"} <= set(decisions.applied(Remedy.EXCLUDE))
    assert decisions.mended == (
        *("think_typo", "control_characters", "mojibake"),
        *("pii_cn_id", "pii_phone", "pii_email", "pii_record", "pii_birth"),
    )
    assert decisions.excluding & flag_of("refusal")
    assert not decisions.excluding & flag_of("no_reasoning")
    assert not decisions.excluding & flag_of("pii_phone"), "a masked row is not also left out"


def test_a_choice_holds_whatever_is_advised() -> None:
    chosen = Decisions().choose("refusal", False).choose("near_duplicate", True)
    chosen = chosen.choose("pii_name", True).choose("pii_phone", False)
    assert not chosen.excluding & flag_of("refusal")
    assert chosen.excluding & flag_of("near_duplicate")
    assert "pii_name" in chosen.mended and "pii_phone" not in chosen.mended
    back = chosen.choose("refusal", True)
    assert back.applies("refusal") and back.applies("near_duplicate")


def test_a_check_that_does_not_exist_is_a_fault_of_the_program() -> None:
    with pytest.raises(KeyError):
        Decisions().choose("refusals", True)


def test_rows_left_out_put_back_and_forgotten() -> None:
    """The last click on a row counts: no row may be both left out and kept."""
    decisions = Decisions().leave_out([3, 4]).put_back([4, 5])
    assert (decisions.excluded, decisions.kept) == ({3}, {4, 5})
    decisions = decisions.leave_out([5])
    assert (decisions.excluded, decisions.kept) == ({3, 5}, {4})
    decisions = decisions.forget([3, 4, 9])
    assert (decisions.excluded, decisions.kept) == ({5}, frozenset())


@settings(deadline=None, max_examples=50)
@given(decisions=DECISIONS)
def test_decisions_survive_the_disk(decisions: Decisions) -> None:
    assert Decisions.from_json(orjson.loads(orjson.dumps(decisions.to_json()))) == decisions


def test_checks_that_are_gone_are_dropped_from_a_file() -> None:
    """A draft of an older version that knew another check must not break the next one."""
    file = {"remedies": {"phase_of_the_moon": True, "refusal": False}, "excluded": [1], "kept": []}
    decisions = Decisions.from_json(file)
    assert decisions == Decisions({"refusal": False}, frozenset({1}))
    assert decisions.excluding  # asks every check that is named, and would raise at one unknown


# --- What becomes of the rows -------------------------------------------------------------------


def study_of(flags: list[int], problem: list[int] | None = None) -> Study:
    rows = len(flags)
    return Study(
        problems=(Problem("data.problems.unusable"), Problem("data.problems.tools")),
        problem=np.array(problem or [0] * rows, dtype=np.uint16),
        flags=np.array(flags, dtype=np.uint32),
        twin=np.zeros(rows, dtype=np.int32),
        group=np.arange(rows, dtype=np.int64),
    )


def fates(selection: Selection) -> list[Fate]:
    return [Fate(int(one)) for one in selection.fate]


def test_which_word_counts_where_several_speak() -> None:
    """One row for each step of the order: unusable, by hand, kept, by a check, over the cutoff."""
    refusal = flag_of("refusal")
    study = study_of([refusal] * 4 + [0] * 2, problem=[1, 0, 0, 0, 0, 0])
    over = np.array([True] * 5 + [False])
    decisions = Decisions(excluded=frozenset({1, 2}), kept=frozenset({1, 2, 3}))
    assert fates(select(study, decisions, over)) == [
        *(Fate.UNUSABLE, Fate.BY_HAND, Fate.TAUGHT, Fate.BY_CHECK, Fate.OVER_CUTOFF, Fate.TAUGHT)
    ]


def test_a_finding_whose_remedy_is_not_applied_leaves_nothing_out() -> None:
    study = study_of([flag_of("refusal"), flag_of("near_duplicate"), flag_of("pii_phone")])
    assert fates(select(study, Decisions())) == [Fate.BY_CHECK, Fate.TAUGHT, Fate.TAUGHT]
    other = Decisions().choose("refusal", False).choose("near_duplicate", True)
    assert fates(select(study, other)) == [Fate.TAUGHT, Fate.BY_CHECK, Fate.TAUGHT]


@pytest.mark.parametrize("number", [0, -1, 4, 10**30])
def test_rows_that_the_file_does_not_have(number: int) -> None:
    """A draft outlives its file: row 0 must not become the last one; and a damaged draft with a
    number beyond 64 bits must not break the page.
    """
    decisions = Decisions(excluded=frozenset({number}), kept=frozenset({number}))
    assert fates(select(study_of([0, 0, 0]), decisions)) == [Fate.TAUGHT] * 3


@st.composite
def cases(draw: st.DrawFn) -> tuple[Study, Decisions, Any]:
    rows = draw(st.integers(1, 40))
    flags = draw(st.lists(st.integers(0, (1 << len(CHECKS)) - 1), min_size=rows, max_size=rows))
    problem = draw(st.lists(st.integers(0, 2), min_size=rows, max_size=rows))
    over = draw(st.none() | st.lists(st.booleans(), min_size=rows, max_size=rows))
    return study_of(flags, problem), draw(DECISIONS), None if over is None else np.array(over)


@settings(deadline=None, max_examples=100)
@given(case=cases())
def test_every_row_has_one_fate_and_a_kept_row_is_left_out_by_no_check(case: Any) -> None:
    study, decisions, over = case
    selection = select(study, decisions, over)
    counts = selection.counts()
    assert sum(counts.values()) == study.rows
    assert list(counts) == list(Fate)
    assert counts[Fate.TAUGHT] == selection.taught
    assert counts[Fate.UNUSABLE] == study.rows - study.usable
    for number, fate in enumerate(fates(selection), start=1):
        if number in decisions.kept:
            assert fate not in (Fate.BY_CHECK, Fate.OVER_CUTOFF)
        if fate is Fate.BY_HAND:
            assert number in decisions.excluded
        if fate is Fate.BY_CHECK:
            leaving = [find for find in study.checks_of(number - 1) if decisions.applies(find)]
            assert leaving and study.checks_of(number - 1, decisions.excluding)


# --- What a study says --------------------------------------------------------------------------


def test_counts_name_the_first_rows() -> None:
    refusal, typo = flag_of("refusal"), flag_of("think_typo")
    study = study_of([refusal, 0, refusal | typo, refusal, 0, refusal, refusal, refusal])
    assert study.check_counts() == {
        "think_typo": Count(1, (3,)),
        "refusal": Count(6, (1, 3, 4, 6, 7)),
    }
    assert list(study.check_counts()) == ["think_typo", "refusal"], "in the order of the checks"
    assert study.checks_of(2) == ["think_typo", "refusal"]
    assert study.checks_of(2, refusal) == ["refusal"]


def test_the_most_frequent_fault_comes_first() -> None:
    study = study_of([0] * 5, problem=[1, 2, 0, 2, 2])
    assert study.problem_counts() == [
        (Problem("data.problems.tools"), Count(3, (2, 4, 5))),
        (Problem("data.problems.unusable"), Count(1, (1,))),
    ]
    assert study.usable == 1
