"""One decode loop for all rows: every row is itself, and none waits for another's end.

Rows join when their prompt is read and leave when they end; a row's tokens depend on its own
prompt, adapter, settings and seed, not on its neighbours. Rows of the base and of adapters that mix
share each forward pass; the others take turns with them. Knows nothing about text or HTTP: token
ids come in, token ids go out. (Shape after nanochat's engine.)
"""

from __future__ import annotations

import queue
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

import torch

from backend.workers.engine_lane import Lane, tokens_of
from backend.workers.engine_lora import AdapterBank, AdapterWeights
from backend.workers.engine_model import Base, trim
from backend.workers.engine_peft import PeftAdapter
from backend.workers.engine_row import Row

GATHER_SECONDS = 0.01
"""How long an idle engine waits for the next of the other columns' requests, from the last on."""
MAX_WAITING = 256


class FullError(Exception):
    """More requests wait than the engine keeps."""


class BatchLoop:
    """The loop. ``run`` is a thread's whole life; everything else may be called from any thread."""

    def __init__(self, base: Base) -> None:
        self._base = base
        self._bank = AdapterBank(base.model)
        self._arrivals: queue.SimpleQueue[Row | Future[Any]] = queue.SimpleQueue()
        self._calls: dict[Future[Any], Callable[[], Any]] = {}
        self._waiting: deque[Row] = deque()
        self._mixed = Lane(base, base.model, self._bank)
        self._alone: dict[int, Lane] = {}
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
        running = sum(len(lane.rows) for lane in self._lanes())
        return {"running": running, "waiting": len(self._waiting) + self._arrivals.qsize()}

    def call(self, function: Callable[[], Any]) -> Future[Any]:
        """Run ``function`` in the loop's thread, between two forward passes."""
        future: Future[Any] = Future()
        self._calls[future] = function
        self._arrivals.put(future)
        return future

    def attach(self, adapter: AdapterWeights | PeftAdapter) -> int:
        """Hold an adapter. The number names it and is never used again. Loop's thread only."""
        if isinstance(adapter, PeftAdapter):
            number = self._bank.reserve()
            self._alone = {**self._alone, number: Lane(self._base, adapter.model, None)}
        else:
            number = self._bank.add(adapter)
        trim()
        return number

    def retire(self, adapter: int) -> None:
        """Remove an adapter when no row uses it any more. Loop's thread only."""
        self._retired.add(adapter)
        self._remove_retired()

    def run(self) -> None:
        with torch.inference_mode():
            while True:
                self._take_arrivals()
                self._let_in()
                busy = [lane for lane in self._lanes() if lane.rows]
                if busy:
                    min(busy, key=lambda lane: lane.spent).step()
                self._remove_retired()

    def _lanes(self) -> Sequence[Lane]:
        return [self._mixed, *self._alone.values()]

    # 1. Arrivals

    def _take_arrivals(self) -> None:
        idle = not self._waiting and not any(lane.rows for lane in self._lanes())
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
                until = time.monotonic() + GATHER_SECONDS
            else:
                self._answer(arrival)

    def _answer(self, future: Future[Any]) -> None:
        function = self._calls.pop(future)
        try:
            future.set_result(function())
        except Exception as error:
            # Whoever waits for the future gets it.
            future.set_exception(error)

    # 2. Places

    def _let_in(self) -> None:
        """Give places to waiting rows. Those of one lane whose prompts are equally long are read
        together, since that needs no padding."""
        groups: dict[Lane, list[Row]] = {}
        for row in list(self._waiting):
            if row.cancelled:
                row.end("cancelled")
                self._waiting.remove(row)
                continue
            lane = self._lane_of(row)
            group = groups.get(lane, [])
            if lane.reading or len(lane.rows) + len(group) >= self._base.max_rows:
                continue
            if group and len(row.prompt) != len(group[0].prompt):
                continue
            if not self._fit({**groups, lane: [*group, row]}):
                # Nobody overtakes a row that waits for memory, or it might wait for ever.
                break
            groups[lane] = [*group, row]
            self._waiting.remove(row)
        for lane, rows in groups.items():
            self._begin(lane, rows)

    def _begin(self, lane: Lane, rows: list[Row]) -> None:
        if not lane.rows:
            # A lane that rested gets no credit for it: the others would stand still meanwhile.
            others = [other.spent for other in self._lanes() if other.rows]
            lane.spent = max(lane.spent, min(others, default=0.0))
        lane.read(rows)

    def _lane_of(self, row: Row) -> Lane:
        return self._mixed if row.adapter is None else self._alone.get(row.adapter, self._mixed)

    def _fit(self, groups: dict[Lane, list[Row]]) -> bool:
        """Whether these and all that run can run to their longest. One row alone always can: the
        API saw to it."""
        tokens = sum(tokens_of([*lane.rows, *groups.get(lane, [])]) for lane in self._lanes())
        return tokens <= self._base.room

    # 3. Ends

    def _remove_retired(self) -> None:
        if not self._retired:
            return
        running = [*self._waiting, *(row for lane in self._lanes() for row in lane.rows)]
        for number in self._retired - {row.adapter for row in running}:
            self._retired.discard(number)
            if number in self._alone:
                self._alone = {key: lane for key, lane in self._alone.items() if key != number}
            else:
                self._bank.remove(number)
            trim()
