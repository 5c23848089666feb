"""Keys and values that grow in place, join and leave are those that copying would give."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers.cache_utils import Cache

from backend.workers.engine_cache import STEP, GrowingLayer, Part, assemble, new_cache

pytestmark = pytest.mark.integration

HEADS, SIZE = 2, 3
LENGTHS = st.integers(1, STEP + 40)


def states(rows: int, tokens: int) -> torch.Tensor:
    return torch.randn(rows, HEADS, tokens, SIZE)


def filled(rows: int, tokens: int) -> Cache:
    cache = new_cache()
    for layer in range(2):
        cache.update(states(rows, tokens), states(rows, tokens), layer)
    return cache


@given(st.lists(LENGTHS, min_size=1, max_size=5))
@settings(max_examples=20, deadline=None)
def test_growing_in_place_is_appending(lengths: list[int]) -> None:
    layer = GrowingLayer()
    keys, values = states(2, 0), states(2, 0)
    for tokens in lengths:
        new = states(2, tokens), states(2, tokens)
        keys, values = torch.cat([keys, new[0]], -2), torch.cat([values, new[1]], -2)
        got = layer.update(*new)
        assert torch.equal(got[0], keys)
        assert torch.equal(got[1], values)
        assert layer.get_seq_length() == keys.shape[-2]


@given(
    st.lists(
        st.tuples(st.integers(1, 3), LENGTHS, st.sets(st.integers(0, 2))), min_size=1, max_size=3
    ),
    st.integers(0, 5),
)
@settings(max_examples=30, deadline=None)
def test_rows_that_join_and_stay_are_aligned_at_the_right(
    groups: list[tuple[int, int, set[int]]], more: int
) -> None:
    """What a row lacks on its left is zero, never what happened to be in memory: a stray NaN there
    would spread through the attention's sum, masked or not."""
    parts = [
        Part(filled(rows, tokens), sorted(row for row in kept if row < rows))
        for rows, tokens, kept in groups
    ]
    if not any(part.rows for part in parts):
        return
    width = max(part.cache.get_seq_length() for part in parts if part.rows) + more
    made = assemble(parts, width)
    for index, layer in enumerate(made.layers):
        expected = [
            torch.nn.functional.pad(old, (0, 0, width - old.shape[-2], 0))
            for part in parts
            if part.rows
            for old in [part.cache.layers[index].keys[list(part.rows)]]
        ]
        assert torch.equal(layer.keys, torch.cat(expected))
    new = states(made.layers[0].keys.shape[0], 1)
    assert torch.equal(made.update(new, new, 0)[0][:, :, -1:], new)


def test_the_padding_of_the_longest_goes_with_it() -> None:
    cache = filled(2, 50)
    made = assemble([Part(cache, [1])], 10)
    assert torch.equal(made.layers[1].values, cache.layers[1].values[1:, :, -10:])
