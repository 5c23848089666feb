"""Rows that share a forward pass: read, answered and let go together.

The base and all adapters that mix share one lane; an adapter that does not mix has one of its own.
Knows nothing about which rows wait, or what they mean.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from transformers.cache_utils import Cache

from backend.workers.engine_cache import Part, assemble
from backend.workers.engine_lora import AdapterBank
from backend.workers.engine_model import Base, trim
from backend.workers.engine_row import Row
from backend.workers.engine_sampling import next_tokens

_log = logging.getLogger("medtune.batch")


@dataclass
class Prefill:
    """Prompts of one length that are being read, chunk by chunk."""

    rows: list[Row]
    cache: Cache
    read: int = 0


class Lane:
    """One batch.

    Args:
        base: The limits.
        model: What computes.
        bank: Gives each row its adapter; None where the model has one itself.
    """

    def __init__(self, base: Base, model: nn.Module, bank: AdapterBank | None) -> None:
        self._base = base
        self._model = model
        self._bank = bank
        self._rows: list[Row] = []
        self._cache: Cache | None = None
        self._prefill: Prefill | None = None
        self.spent = 0.0
        """Seconds of forward passes for each of its rows: whoever has least is next."""

    @property
    def rows(self) -> list[Row]:
        """All that run or are being read."""
        return self._rows + (self._prefill.rows if self._prefill else [])

    @property
    def reading(self) -> bool:
        return self._prefill is not None

    @property
    def longest(self) -> int:
        """Most tokens to which its rows may yet fill the memory, together."""
        return tokens_of(self.rows)

    def read(self, rows: list[Row]) -> None:
        """Begin to read the prompts of ``rows``, which are equally long."""
        self._prefill = Prefill(rows, self._base.make_cache())

    def step(self) -> None:
        """A chunk of the prompts, and a token of each row. Rows end where it fails."""
        begun, count = time.perf_counter(), len(self.rows)
        try:
            self._read_prompts()
            self._decode()
        except Exception as error:
            # Out of memory, or a model that fails on an input: the rows end with the reason, the
            # engine goes on for the next ones.
            _log.exception("a forward pass failed")
            self._fail(error)
        self.spent += (time.perf_counter() - begun) / max(count, 1)

    # 1. Prompts

    def _read_prompts(self) -> None:
        prefill = self._prefill
        if prefill is None:
            return
        if all(row.cancelled for row in prefill.rows):
            for row in prefill.rows:
                row.end("cancelled")
            self._prefill = None
            return
        # What is computed in between takes memory by the tokens of all rows.
        size = max(self._base.chunk // len(prefill.rows), 1)
        end = min(prefill.read + size, len(prefill.rows[0].prompt))
        ids = [list(row.prompt[prefill.read : end]) for row in prefill.rows]
        positions = torch.arange(prefill.read, end, device=self._base.device)
        logits = self._forward(
            prefill.rows, ids, positions.expand(len(ids), -1), prefill.cache, mask=None
        )
        prefill.read = end
        if end == len(prefill.rows[0].prompt):
            self._prefill = None
            self._give_out(prefill.rows, logits)
            self._settle([(self._cache, self._rows), (prefill.cache, prefill.rows)])
            trim()

    # 2. Tokens

    def _decode(self) -> None:
        if any(row.ended or row.cancelled for row in self._rows):
            for row in self._rows:
                if row.cancelled:
                    row.end("cancelled")
            self._settle([(self._cache, self._rows)])
        if not self._rows or self._cache is None:
            return
        rows = self._rows
        positions = torch.tensor([[row.cached] for row in rows], device=self._base.device)
        logits = self._forward(
            rows,
            [[row.last] for row in rows],
            positions,
            self._cache,
            mask=_padding(positions, rows),
        )
        self._give_out(rows, logits)

    def _settle(self, groups: Sequence[tuple[Cache | None, list[Row]]]) -> None:
        """Make one batch of the rows of ``groups`` that have not ended."""
        everyone = [row for _, rows in groups for row in rows]
        self._rows = [row for row in everyone if not row.ended]
        if not self._rows:
            self._cache = None
            return
        filled = [(cache, rows) for cache, rows in groups if cache is not None and rows]
        if len(filled) == 1 and self._rows == everyone:
            self._cache = filled[0][0]
            return
        parts = [
            Part(cache, [index for index, row in enumerate(rows) if not row.ended])
            for cache, rows in filled
        ]
        self._cache = assemble(parts, max(row.cached for row in self._rows))

    def _forward(
        self,
        rows: Sequence[Row],
        ids: list[list[int]],
        positions: torch.Tensor,
        cache: Cache,
        *,
        mask: torch.Tensor | None,
    ) -> torch.Tensor:
        """Logits [rows, vocabulary] after the last of each row's ``ids``."""
        if self._bank is not None:
            self._bank.select([row.adapter for row in rows])
        output = self._model(
            input_ids=torch.tensor(ids, device=self._base.device),
            position_ids=positions,
            attention_mask=mask,
            past_key_values=cache,
            use_cache=True,
            logits_to_keep=1,
        )
        return output.logits[:, -1]

    @staticmethod
    def _give_out(rows: Sequence[Row], logits: torch.Tensor) -> None:
        for row, token in zip(rows, next_tokens(logits, [r.sampler for r in rows]), strict=True):
            row.take(token)

    def _fail(self, error: Exception) -> None:
        rows = self.rows
        self._rows, self._cache, self._prefill = [], None, None
        for row in rows:
            row.end("error", f"{type(error).__name__}: {error}"[:500])


def tokens_of(rows: Sequence[Row]) -> int:
    """Most tokens that keys and values of one batch of ``rows`` may come to: all are as wide as the
    longest."""
    return len(rows) * max((row.total for row in rows), default=0)


def _padding(positions: torch.Tensor, rows: Sequence[Row]) -> torch.Tensor | None:
    """[rows, tokens]: 1 where a row has a token, with the one being fed; None without padding."""
    lengths = {row.cached for row in rows}
    if len(lengths) == 1:
        return None
    widest = max(lengths)
    places = torch.arange(widest + 1, device=positions.device)
    return (places >= widest - positions).long()
