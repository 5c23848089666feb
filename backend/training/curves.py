"""The curves of runs, read while trainers write them, and kept for all who look.

``series_of`` costs two looks at the file system while nothing is new, and else what is new. Knows
the formats of LLaMA-Factory's ``trainer_log.jsonl`` and of our ``metrics.jsonl``, nothing of runs.
"""

from __future__ import annotations

import threading
import time
from bisect import bisect_left
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import numpy as np

from backend.training.curve_files import MetricsFile, TrainerFile
from backend.training.series import Series
from backend.training.table import Table

if TYPE_CHECKING:
    from backend.training.series import Floats

MOST_RUNS = 256
"""Runs kept in memory at most; the one that nobody has asked for longest goes first."""

MOST_ROWS = 300_000
"""Logged steps kept at most, some 60 MB, beside those that somebody looks at just now."""

LOOKED_AT_SECONDS = 60.0
"""So long after the last question a run counts as looked at."""

# Columns of the joined table, which has a row for each of trainer_log.jsonl.
STEP, TIME, GRAD_NORM, MEMORY, GPU_MEMORY, GPU_USE, ATTEMPT, ELAPSED, SPEED = range(9)


@dataclass(frozen=True)
class Curves:
    """A series, and what a chart needs beside it.

    Attributes:
        elapsed: Seconds of training until each logged step; pauses between attempts do not count.
        generation: Stays while rows are only added; another one says that all must be read again.
    """

    series: Series
    elapsed: Floats
    generation: str


def series_of(folder: Path) -> Series:
    """The curves of the run in ``folder``; the same object as long as nothing is new.

    A folder without logs has empty curves. Lines that are no entries are passed over.
    """
    return read_curves(folder).series


def read_curves(folder: Path) -> Curves:
    """As ``series_of``, with what a chart needs beside it."""
    return _kept.of(folder).now()


class RunCurves:
    """The curves of one run's folder, brought up to date at each ``now``. Safe among threads."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        self._trainer = TrainerFile(folder)
        self._metrics = MetricsFile(folder)
        self._joined = Table(9)
        self._unusable: tuple[int, ...] = ()
        self._generation = uuid4().hex
        self._curves = self._snapshot()

    @property
    def rows(self) -> int:
        """Logged steps in memory."""
        return self._joined.rows

    def now(self) -> Curves:
        """The curves as they are on disk."""
        with self._lock:
            # In this order: our callback writes its line before LLaMA-Factory writes the step's,
            # so that a step comes with its gradient norm.
            changed = self._trainer.update()
            joined = self._metrics.update()
            if changed is None and joined is None:
                return self._curves
            first = min(step for step in (changed, joined) if step is not None)
            self._join(first)
            self._curves = self._snapshot()
            return self._curves

    def _join(self, first: float) -> None:
        """Bring the joined table up to date from the first step that may have changed."""
        trained, joined = self._trainer.steps, self._joined
        start = joined.place(first)
        # A line of metrics.jsonl for a step that the trainer's log does not have yet changes none.
        if start < joined.rows or self._trainer.rewound:
            self._generation = uuid4().hex
        joined.cut(start)
        step, tokens = trained.column(0), trained.column(4)
        if start < len(step):
            joined.put(start, self._rows(step[start:], tokens, start))
        self._find_unusable(start)

    def _rows(self, steps: Floats, tokens: Floats, start: int) -> Floats:
        """Rows of the joined table for the steps from row ``start`` on."""
        rows = np.full((9, len(steps)), np.nan)
        rows[STEP] = steps
        noted = self._metrics.steps
        if noted.rows:
            place = np.minimum(np.searchsorted(noted.column(0), steps), noted.rows - 1)
            known = noted.column(0)[place] == steps
            for column in range(TIME, SPEED):
                rows[column, known] = noted.column(column)[place[known]]
        before = [self._joined.column(column)[start - 1 : start] for column in (TIME, ATTEMPT)]
        times = np.concatenate([before[0], rows[TIME]])
        attempts = np.concatenate([before[1], rows[ATTEMPT]])
        rows[SPEED, len(steps) - len(times) + 1 :] = _speed(
            times, attempts, tokens[start - len(before[0]) :]
        )
        return rows

    def _find_unusable(self, start: int) -> None:
        step, flag = (self._trainer.steps.column(column)[start:] for column in (0, 5))
        kept = self._unusable[: bisect_left(self._unusable, step[0])] if len(step) else ()
        if len(step) or not start:
            self._unusable = kept + tuple(int(one) for one in step[flag > 0])

    def _snapshot(self) -> Curves:
        trained, joined, evaluated = self._trainer.steps, self._joined, self._trainer.evaluations
        series = Series(
            step=trained.column(0),
            loss=trained.column(1),
            learning_rate=trained.column(2),
            epoch=trained.column(3),
            tokens=trained.column(4),
            time=joined.column(TIME),
            grad_norm=joined.column(GRAD_NORM),
            speed=joined.column(SPEED),
            memory=joined.column(MEMORY),
            gpu_memory=joined.column(GPU_MEMORY),
            gpu_use=joined.column(GPU_USE),
            eval_step=evaluated.column(0),
            eval_loss=evaluated.column(1),
            unusable=self._unusable,
            total_steps=self._total(),
        )
        return Curves(series, joined.column(ELAPSED), self._generation)

    def _total(self) -> int:
        """What the training goes up to, from whichever file said so last."""
        begun_at, begun_total = self._metrics.begun
        newer = begun_at >= self._trainer.last_step
        return begun_total if newer and begun_total else self._trainer.total or begun_total


def _speed(times: Floats, attempts: Floats, tokens: Floats) -> Floats:
    """Tokens a second between entries of one attempt; one less than there are entries.

    LLaMA-Factory's own ``throughput`` divides all tokens by the time since the trainer was started,
    so that it is far too high after a training was resumed.
    """
    seconds, read = np.diff(times), np.diff(tokens)
    good = (np.diff(attempts) == 0) & (seconds > 0) & (read >= 0)
    speed: Floats = np.divide(read, seconds, out=np.full(len(seconds), np.nan), where=good)
    return speed


class _Kept:
    """The runs that somebody has asked for, a bounded number of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._runs: OrderedDict[Path, tuple[RunCurves, float]] = OrderedDict()

    def of(self, folder: Path) -> RunCurves:
        now = time.monotonic()
        with self._lock:
            curves, _ = self._runs.pop(folder, (None, 0.0))
            curves = curves or RunCurves(folder)
            self._runs[folder] = (curves, now)
            self._make_room(now)
        return curves

    def _make_room(self, now: float) -> None:
        rows = sum(curves.rows for curves, _ in self._runs.values())
        while len(self._runs) > 1:
            curves, asked = next(iter(self._runs.values()))
            too_many = rows > MOST_ROWS and now - asked > LOOKED_AT_SECONDS
            if not too_many and len(self._runs) <= MOST_RUNS:
                return
            rows -= curves.rows
            self._runs.popitem(last=False)


_kept = _Kept()
