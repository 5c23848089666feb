"""What a cutoff does to rows, for all rows at once, is what LLaMA-Factory does to each."""

from __future__ import annotations

import importlib
import json
from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.tokens.cutoff import (
    answer_steps,
    effects,
    kept,
    kept_of_target,
    over_cutoff,
    reasoning_steps,
    rows_cut,
    smallest_cutoff,
    thresholds,
)
from backend.data.tokens.lengths import Lengths, save
from backend.errors import DataError
from backend.workers.inspect_source import processors

Turns = Sequence[tuple[int, int]]


def infer_seqlen(source: int, target: int, cutoff: int) -> tuple[int, int]:
    """The installed LLaMA-Factory's own."""
    return processors().infer_seqlen(source, target, cutoff)


def make(rows: Sequence[tuple[Turns, int]], tail: int = 0) -> Lengths:
    """Lengths of rows, each of turns (source, target) and reasoning tokens of the last target."""
    turns = [turn for turns, _ in rows for turn in turns]
    return Lengths(
        rows=np.arange(1, len(rows) + 1),
        turn_starts=np.cumsum([0, *(len(turns) for turns, _ in rows)]),
        source=np.array([source for source, _ in turns], dtype=np.int32),
        target=np.array([target for _, target in turns], dtype=np.int32),
        reasoning=np.array([reasoning for _, reasoning in rows], dtype=np.int32),
        tail=tail,
    )


def cut_by_hand(turns: Turns, cutoff: int, tail: int) -> list[tuple[int, int]]:
    """The loop of ``SupervisedDatasetProcessor._encode_data_example``."""
    used, found = tail, []
    for source, target in turns:
        one = (0, 0) if used >= cutoff else infer_seqlen(source, target, cutoff - used)
        used += sum(one)
        found.append(one)
    return found


def test_every_small_turn_is_cut_as_llamafactory_cuts_it() -> None:
    cases = [(s, t, c) for s, t, c in product(range(26), range(26), range(1, 60)) if s + t]
    source, target, room = (np.array(side) for side in zip(*cases, strict=True))
    found = kept_of_target(source, target, room)
    assert found.tolist() == [infer_seqlen(*case)[1] for case in cases]


def test_large_turns_are_rounded_alike() -> None:
    """The quotient comes first, in double precision: 3 · (1/3) is 1, but 49 · (1/49) is not."""
    random = np.random.default_rng(7)
    source, target, room = random.integers(1, 40_000, (3, 20_000))
    found = kept_of_target(source, target, room)
    cases = zip(source.tolist(), target.tolist(), room.tolist(), strict=True)
    assert found.tolist() == [infer_seqlen(*case)[1] for case in cases]


def test_the_threshold_of_a_single_turn() -> None:
    """A row keeps its whole answer iff the cutoff is at least 2t + 1 where t < s, else s + t."""
    for source, target in product(range(30), range(1, 30)):
        lengths = make([([(source, target)], 0)])
        needed = 2 * target + 1 if target < source else source + target
        assert thresholds(lengths).tolist() == [needed]
        for cutoff in range(1, 70):
            whole = infer_seqlen(source, target, cutoff)[1] == target
            assert whole == (cutoff >= needed), (source, target, cutoff)


def test_a_larger_cutoff_may_keep_less_of_an_answer() -> None:
    """With room 2s both sides share; with 2s + 1 the source is kept whole, at the answer's cost."""
    assert infer_seqlen(10, 1000, 20)[1] == 19
    assert infer_seqlen(10, 1000, 21)[1] == 11
    steps = reasoning_steps(make([([(10, 1000)], 15)]))
    assert [cutoff for cutoff in range(1, 40) if steps.at(cutoff)] == [
        *range(1, 16),
        *range(21, 25),
    ]
    assert min(row for _, row in steps.pairs()) == -1


def test_steps_of_reasoning_for_all_small_rows() -> None:
    cases = [(s, t, r) for s, t in product(range(14), range(1, 14)) for r in range(1, t + 1)]
    for tail in (0, 1):
        for source, target, wanted in cases:
            steps = reasoning_steps(make([([(source, target)], wanted)], tail))
            for cutoff in range(1, 45):
                kept_target = cut_by_hand([(source, target)], cutoff, tail)[0][1]
                assert steps.at(cutoff) == (kept_target < wanted), (source, target, wanted, cutoff)


turn = st.tuples(st.integers(0, 40), st.integers(1, 60))
some_rows = st.lists(
    st.lists(turn, min_size=1, max_size=4).flatmap(
        lambda turns: st.tuples(st.just(turns), st.integers(0, turns[-1][1]))
    ),
    min_size=1,
    max_size=6,
)


@settings(deadline=None, max_examples=120)
@given(some_rows, st.integers(1, 300), st.integers(0, 1))
def test_conversations_are_cut_as_llamafactory_cuts_them(
    rows: list[tuple[Turns, int]], cutoff: int, tail: int
) -> None:
    lengths = make(rows, tail)
    expected = [cut_by_hand(turns, cutoff, tail) for turns, _ in rows]
    source, target = kept(lengths, cutoff)
    flat = [one for turns in expected for one in turns]
    assert list(zip(source.tolist(), target.tolist(), strict=True)) == flat

    hit = [
        any(one[1] < turn[1] for one, turn in zip(found, turns, strict=True))
        for found, (turns, _) in zip(expected, rows, strict=True)
    ]
    unclosed = [
        found[-1][1] < reasoning for found, (_, reasoning) in zip(expected, rows, strict=True)
    ]
    said = effects(lengths, cutoff)
    assert rows_cut(lengths, cutoff).tolist() == hit
    assert said.answer_cut == answer_steps(lengths).at(cutoff) == sum(hit)
    assert said.reasoning_unclosed == reasoning_steps(lengths).at(cutoff) == sum(unclosed)
    assert said.tokens == sum(map(sum, flat)) + tail * len(rows)
    assert said.tokens + said.tokens_dropped == int(lengths.totals.sum())
    both = list(zip(flat, [one for turns, _ in rows for one in turns], strict=True))
    assert said.turns_dropped == sum(one == (0, 0) for one, _ in both)


@settings(deadline=None, max_examples=80)
@given(some_rows, st.integers(0, 1))
def test_the_smallest_cutoff_is_the_smallest(rows: list[tuple[Turns, int]], tail: int) -> None:
    lengths = make(rows, tail)
    smallest = smallest_cutoff(lengths)
    assert not rows_cut(lengths, smallest).any()
    assert rows_cut(lengths, smallest - 1).any()


def test_steps_are_ascending_and_each_cutoff_comes_once() -> None:
    rows = [([(5, 20)], 7), ([(5, 20)], 7), ([(30, 4), (2, 9)], 3)]
    assert answer_steps(make(rows)).pairs() == [[25, 2], [45, 1]]
    for steps in (answer_steps(make(rows)), reasoning_steps(make(rows))):
        cutoffs = steps.cutoffs.tolist()
        assert cutoffs == sorted(set(cutoffs))


def test_rows_of_the_file_are_marked_by_their_numbers() -> None:
    """Rows that make no lesson have no lengths: positions among the lessons are not row numbers."""
    lengths = make([([(5, 20)], 0), ([(5, 90)], 0)])
    lengths = Lengths(
        np.array([2, 5]),
        lengths.turn_starts,
        lengths.source,
        lengths.target,
        lengths.reasoning,
    )
    assert np.flatnonzero(over_cutoff(lengths, 50, 6)).tolist() == [4]
    with pytest.raises(DataError):
        over_cutoff(lengths, 50, 4)


def test_the_parts_of_rows_add_up() -> None:
    lengths = make([([(5, 20)], 7), ([(30, 4), (2, 9)], 3)], tail=1)
    assert lengths.totals.tolist() == [26, 46]
    assert lengths.prompt.tolist() == [5, 36]
    assert (lengths.prompt + lengths.reasoning + lengths.answer).tolist() == [26, 46]
    assert lengths.multi_turn


def test_a_histogram_has_every_row_and_every_token_once() -> None:
    random = np.random.default_rng(3)
    rows = [([(int(s), int(t))], int(t) // 2) for s, t in random.integers(1, 900, (400, 2))]
    lengths = make([*rows, ([(10, 100_000)], 50)])
    shown = lengths.histogram(bins=20)
    assert len(shown.edges) == 21
    assert shown.rows.sum() == 401
    assert (shown.prompt + shown.reasoning + shown.answer).sum() == lengths.totals.sum()
    assert shown.edges[-2] < 5000, "one long row must not flatten all the others"
    assert shown.edges[-1] == 100_010
    inside = (lengths.totals >= shown.edges[3]) & (lengths.totals < shown.edges[4])
    assert shown.rows[3] == inside.sum() > 0


def test_no_rows_at_all() -> None:
    """A file whose rows all teach nothing is measured, too."""
    lengths = make([])
    assert effects(lengths, 100).rows == 0
    assert smallest_cutoff(lengths) == 0
    assert answer_steps(lengths).pairs() == reasoning_steps(lengths).pairs() == []
    assert lengths.histogram(5).rows.tolist() == [0] * 5


def test_saved_lengths_come_back(tmp_path: Path) -> None:
    lengths = make([([(5, 20)], 7), ([(30, 4), (2, 9)], 3)], tail=1)
    save_whole(tmp_path, lengths)
    found = Lengths.load(tmp_path)
    assert found.totals.tolist() == lengths.totals.tolist()
    assert effects(found, 30) == effects(lengths, 30)


@pytest.mark.parametrize("damage", ["gone", "short", "empty", "outcome"])
def test_damaged_lengths_are_told(tmp_path: Path, damage: str) -> None:
    save_whole(tmp_path, make([([(5, 20)], 7)]))
    target = tmp_path / "target.npy"
    if damage == "gone":
        target.unlink()
    elif damage == "short":
        np.save(target, np.zeros(0, dtype=np.int32))
    elif damage == "empty":
        target.write_bytes(b"")
    else:
        (tmp_path / "outcome.json").unlink()
    with pytest.raises(DataError) as caught:
        Lengths.load(tmp_path)
    assert caught.value.key == "data.errors.lengths_lost"


def save_whole(folder: Path, lengths: Lengths) -> None:
    names = ("rows", "turn_starts", "source", "target", "reasoning")
    save(folder, {name: getattr(lengths, name) for name in names})
    outcome = {"state": "done", "result": {"tail": lengths.tail}}
    (folder / "outcome.json").write_text(json.dumps(outcome))


def test_the_light_processors_are_the_installed_source() -> None:
    """Executed under a private name, so that nothing of LLaMA-Factory's package is imported."""
    module = importlib.import_module(processors().infer_seqlen.__module__)
    assert Path(str(module.__file__)).parts[-3:] == ("data", "processor", "processor_utils.py")
    assert "llamafactory" in Path(str(module.__file__)).parts
    assert processors().light
    assert processors().ignored == -100
