"""One decode loop for all rows: every step is one forward pass, and every row is itself.

Rows join when their prompt is read and leave when they end; a row's tokens depend on its own
prompt, adapter, settings and seed, not on its neighbours. Knows nothing about text or HTTP: token
ids come in, token ids go out. (Shape after nanochat's engine.)
"""

from __future__ import annotations

import logging
import queue
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import torch
from transformers.cache_utils import Cache

from backend.workers.engine_cache import Part, assemble
from backend.workers.engine_lora import AdapterBank
from backend.workers.engine_model import Base
from backend.workers.engine_row import Row
from backend.workers.engine_sampling import next_tokens

GATHER_SECONDS = 0.03
"""How long an idle engine waits for the other columns' requests before it reads a prompt."""
MAX_WAITING = 256

_log = logging.getLogger("medtune.batch")


class FullError(Exception):
    """More requests wait than the engine keeps."""


@dataclass
class _Prefill:
    """Prompts of one length that are being read, chunk by chunk."""

    rows: list[Row]
    cache: Cache
    read: int = 0


class BatchLoop:
    """The loop. ``run`` is a thread's whole life; everything else may be called from any thread."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self.bank = AdapterBank(base.model)
        self._arrivals: queue.SimpleQueue[Row | Future[Any]] = queue.SimpleQueue()
        self._calls: dict[Future[Any], Callable[[], Any]] = {}
        self._waiting: deque[Row] = deque()
        self._prefill: _Prefill | None = None
        self._rows: list[Row] = []
        self._cache: Cache | None = None
        self._retired: set[int] = set()

    def submit(self, row: Row) -> None:
        """Let a row join as soon as there is room.

        Raises:
            FullError: too many wait already.
        """
        if self._arrivals.qsize() + len(self._waiting) >= MAX_WAITING:
            raise FullError
        self._arrivals.put(row)

    def load_now(self) -> dict[str, int]:
        prefill = self._prefill
        running = len(self._rows) + (len(prefill.rows) if prefill else 0)
        return {"running": running, "waiting": len(self._waiting) + self._arrivals.qsize()}

    def call(self, function: Callable[[], Any]) -> Future[Any]:
        """Run ``function`` in the loop's thread, between two forward passes."""
        future: Future[Any] = Future()
        self._calls[future] = function
        self._arrivals.put(future)
        return future

    def retire(self, adapter: int) -> None:
        """Remove an adapter when no row uses it any more. Loop's thread only."""
        self._retired.add(adapter)
        self._remove_retired()

    def run(self) -> None:
        with torch.inference_mode():
            while True:
                self._take_arrivals()
                try:
                    self._read_prompts()
                    self._decode()
                except Exception as error:
                    # Out of memory, or a model that fails on an input: the rows end with the
                    # reason, the engine goes on for the next ones.
                    _log.exception("a forward pass failed")
                    self._fail(error)
                self._remove_retired()

    # 1. Arrivals

    def _take_arrivals(self) -> None:
        idle = not (self._rows or self._waiting or self._prefill)
        until: float | None = None
        while True:
            try:
                if not idle:
                    arrival = self._arrivals.get_nowait()
                elif until is None:
                    arrival = self._arrivals.get()
                else:
                    arrival = self._arrivals.get(timeout=max(until - time.monotonic(), 0))
            except queue.Empty:
                return
            if isinstance(arrival, Row):
                self._waiting.append(arrival)
                until = until or time.monotonic() + GATHER_SECONDS
            else:
                self._answer(arrival)

    def _answer(self, future: Future[Any]) -> None:
        function = self._calls.pop(future)
        try:
            future.set_result(function())
        except Exception as error:
            # Whoever waits for the future gets it.
            future.set_exception(error)

    # 2. Prompts

    def _read_prompts(self) -> None:
        if self._prefill is None:
            self._prefill = self._next_prefill()
        prefill = self._prefill
        if prefill is None:
            return
        if all(row.cancelled for row in prefill.rows):
            for row in prefill.rows:
                row.end("cancelled")
            self._prefill = None
            return
        end = min(prefill.read + self._base.chunk, len(prefill.rows[0].prompt))
        ids = [list(row.prompt[prefill.read : end]) for row in prefill.rows]
        positions = torch.arange(prefill.read, end, device=self._base.device)
        logits = self._forward(
            prefill.rows, ids, positions.expand(len(ids), -1), prefill.cache, mask=None
        )
        prefill.read = end
        if end == len(prefill.rows[0].prompt):
            self._prefill = None
            self._give_out(prefill.rows, logits)
            self._join(prefill)

    def _next_prefill(self) -> _Prefill | None:
        """The oldest waiting row that fits, and all that fit whose prompts are as long: no padding
        is needed to read them together."""
        taken: list[Row] = []
        for row in list(self._waiting):
            if row.cancelled:
                row.end("cancelled")
                self._waiting.remove(row)
            elif not taken or len(row.prompt) == len(taken[0].prompt):
                if not self._fits([*self._rows, *taken, row]):
                    break
                taken.append(row)
                self._waiting.remove(row)
        return _Prefill(taken, self._base.make_cache()) if taken else None

    def _fits(self, rows: Sequence[Row]) -> bool:
        """Whether these can run to their longest. One row alone always fits: the API saw to it."""
        widest = max(row.total for row in rows)
        return len(rows) <= self._base.max_rows and len(rows) * widest <= self._base.room

    def _join(self, prefill: _Prefill) -> None:
        self._settle([(self._cache, self._rows), (prefill.cache, prefill.rows)])

    # 3. Tokens

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
        self.bank.select([row.adapter for row in rows])
        output = self._base.model(
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

    # 4. Ends

    def _fail(self, error: Exception) -> None:
        rows = self._rows + (self._prefill.rows if self._prefill else [])
        self._rows, self._cache, self._prefill = [], None, None
        for row in rows:
            row.end("error", f"{type(error).__name__}: {error}"[:500])

    def _remove_retired(self) -> None:
        if not self._retired:
            return
        running = [*self._rows, *self._waiting, *(self._prefill.rows if self._prefill else [])]
        for adapter in self._retired - {row.adapter for row in running}:
            self._retired.discard(adapter)
            self.bank.remove(adapter)


def _padding(positions: torch.Tensor, rows: Sequence[Row]) -> torch.Tensor | None:
    """[rows, tokens]: 1 where a row has a token, with the one being fed; None without padding."""
    lengths = {row.cached for row in rows}
    if len(lengths) == 1:
        return None
    widest = max(lengths)
    places = torch.arange(widest + 1, device=positions.device)
    return (places >= widest - positions).long()
