"""Keys and values of a batch whose rows come and go.

Rows are aligned at the right: a row shorter than the batch has padding on its left. Knows nothing
about what the rows mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from transformers.cache_utils import Cache, DynamicLayer

STEP = 64
"""Tokens by which a row's place grows at least, and else by a sixteenth. transformers' own layer
copies everything at every token, which makes a long answer's cost grow with the square of its
length."""


class GrowingLayer(DynamicLayer):
    """A layer's keys and values, [rows, heads, tokens, size], written in place, with room to grow
    into."""

    def __init__(self) -> None:
        super().__init__()
        self._room: tuple[torch.Tensor, torch.Tensor] | None = None
        self._used = 0

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        start, end = self._used, self._used + key_states.shape[-2]
        if self._room is None or end > self._room[0].shape[-2]:
            kept = () if self._room is None else (self.keys, self.values)
            self._room = (_room(key_states, end), _room(value_states, end))
            for room, old in zip(self._room, kept, strict=False):
                room[:, :, :start] = old
        for room, new in zip(self._room, (key_states, value_states), strict=True):
            room[:, :, start:end] = new
        self._show(end)
        return self.keys, self.values

    @classmethod
    def of(cls, parts: Sequence[tuple[GrowingLayer, torch.Tensor]], width: int) -> GrowingLayer:
        """Rows of several layers under each other, ``width`` tokens wide, aligned at the right."""
        layer = cls()
        count = sum(len(rows) for _, rows in parts)
        first = parts[0][0]
        layer._room = (
            _room(first.keys, width, rows=count),
            _room(first.values, width, rows=count),
        )
        top = 0
        for part, rows in parts:
            taken = min(width, part.keys.shape[-2])
            for room, old in zip(layer._room, (part.keys, part.values), strict=True):
                room[top : top + len(rows), :, : width - taken] = 0
                room[top : top + len(rows), :, width - taken : width] = old[
                    rows, :, old.shape[-2] - taken :
                ]
            top += len(rows)
        layer._show(width)
        return layer

    def _show(self, used: int) -> None:
        assert self._room is not None
        self._used = used
        self.keys, self.values = (room[:, :, :used] for room in self._room)
        self.dtype, self.device = self.keys.dtype, self.keys.device
        self.is_initialized = True


def _room(like: torch.Tensor, tokens: int, *, rows: int | None = None) -> torch.Tensor:
    count, heads, _, size = like.shape
    places = (tokens + tokens // 16 + STEP - 1) // STEP * STEP
    return like.new_empty((count if rows is None else rows, heads, places, size))


@dataclass(frozen=True)
class Part:
    """Rows to take from a cache: their places in it, in order."""

    cache: Cache
    rows: Sequence[int]


def new_cache() -> Cache:
    return Cache(layer_class_to_replicate=GrowingLayer)


def assemble(parts: Sequence[Part], width: int) -> Cache:
    """One cache of the rows of several, as wide as its longest row.

    Args:
        parts: What to take; those without rows are left out.
        width: Tokens of the longest row taken.
    """
    parts = [part for part in parts if part.rows]
    layers = []
    for index in range(len(parts[0].cache.layers)):
        taken = []
        for part in parts:
            layer = part.cache.layers[index]
            rows = torch.tensor(list(part.rows), device=layer.keys.device)
            taken.append((layer, rows))
        layers.append(GrowingLayer.of(taken, width))
    return Cache(layers=layers)
