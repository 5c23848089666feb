"""What the length chart is given, and what it may say to the server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.tokens.cutoff import (
    answer_steps,
    effects,
    reasoning_steps,
    smallest_cutoff,
)
from backend.data.tokens.lengths import Lengths
from ui.components.length_chart import cutoff_of, length_chart_value, no_lengths

ROWS = st.lists(st.tuples(*[st.integers(1, 40_000)] * 3), max_size=60)


def measured(rows: Sequence[tuple[int, int, int]]) -> Lengths:
    """Rows of one turn; an entry is the tokens of prompt, reasoning and answer."""
    table = np.array(rows, dtype=np.int32).reshape(len(rows), 3)
    return Lengths(
        rows=np.arange(1, len(rows) + 1),
        turn_starts=np.arange(len(rows) + 1),
        source=table[:, 0],
        target=table[:, 1] + table[:, 2],
        reasoning=table[:, 1],
    )


def chart(rows: Sequence[tuple[int, int, int]], cutoff: int = 1024) -> dict[str, Any]:
    lengths = measured(rows)
    return length_chart_value(
        lengths.prompt,
        lengths.reasoning,
        lengths.answer,
        answer_steps=answer_steps(lengths),
        reasoning_steps=reasoning_steps(lengths),
        smallest=smallest_cutoff(lengths),
        cutoff=cutoff,
        language="en",
    )


def lost(steps: list[list[int]], cutoff: int) -> int:
    """As the browser counts."""
    return sum(rows for at, rows in steps if at > cutoff)


@settings(max_examples=60, deadline=None)
@given(ROWS, st.integers(16, 50_000))
def test_the_browser_counts_what_the_cutoff_does(
    rows: list[tuple[int, int, int]], cutoff: int
) -> None:
    value, done = chart(rows), effects(measured(rows), cutoff)
    assert lost(value["answer_steps"], cutoff) == done.answer_cut
    assert lost(value["reasoning_steps"], cutoff) == done.reasoning_unclosed
    assert lost(value["answer_steps"], value["smallest"]) == 0
    assert lost(value["reasoning_steps"], value["smallest"]) == 0
    assert value["minimum"] <= value["smallest"] <= value["maximum"]


@settings(max_examples=60, deadline=None)
@given(ROWS)
def test_each_row_is_in_the_bar_of_its_length(rows: list[tuple[int, int, int]]) -> None:
    value = chart(rows)
    edges, totals = value["bins"], [sum(row) for row in rows]
    assert len(edges) == len(value["rows"]) + 1 and len(value["rows"]) <= 50
    for place, number in enumerate(value["rows"]):
        last = value["overflow"] and place == len(value["rows"]) - 1
        end = float("inf") if last else edges[place + 1]
        assert number == sum(edges[place] <= total < end for total in totals)
    orjson.dumps(value)  # as it travels: no numbers of numpy's


def test_parts_are_the_means_of_a_bar() -> None:
    value = chart([(10, 1, 5), (10, 3, 3)])
    place = next(place for place, number in enumerate(value["rows"]) if number)
    assert value["rows"][place] == 2
    assert [value[part][place] for part in ("prompt", "reasoning", "answer")] == [10, 2, 4]


def test_one_very_long_row_does_not_flatten_all_others() -> None:
    """With one axis for all, 10,000 rows stood in a single bar beside an empty page."""
    rows = [(100, 400 + number % 300, 100) for number in range(1000)] + [(100, 99_000, 1000)]
    value = chart(rows)
    assert value["overflow"] and value["rows"][-1] == 1
    assert sum(number > 0 for number in value["rows"]) > 10
    assert value["axis"] < 2000 and value["smallest"] > 100_000


def test_no_rows_are_a_chart_with_words_only() -> None:
    value = no_lengths("zh")
    assert value["total"] == 0 and value["answer_steps"] == []
    assert "分词器" in value["words"]["empty"]


def test_very_many_rows_make_a_small_value() -> None:
    rows = np.random.default_rng(1).integers(50, 3000, (3, 200_000))
    value = chart(rows.T)
    assert sum(value["rows"]) == 200_000
    assert len(orjson.dumps(value)) < 300_000


@pytest.mark.parametrize(
    ("data", "cutoff"),
    [
        ({"cutoff": 2048}, 2048),
        ({"cutoff": 15}, None),
        ({"cutoff": True}, None),
        ({"cutoff": "2048"}, None),
        ({"cutoff": 20.5}, None),
        ({}, None),
        (None, None),
        ([2048], None),
    ],
)
def test_a_cutoff_from_the_browser_is_a_whole_number_or_none(data: Any, cutoff: int | None) -> None:
    assert cutoff_of(gr.EventData(None, data)) == cutoff
