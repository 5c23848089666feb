"""The two logs of a run as tables that grow with them.

Each table follows from its file alone, whatever the moments of reading; ``curves`` joins them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backend.training.follow import Follower
from backend.training.layout import METRICS, TRAINER_LOG
from backend.training.metrics import entry_of, finite, whole_number
from backend.training.table import Table

_LAST_STEP = 2**53
"""Beyond it whole numbers are no longer exact in float64."""

Row = tuple[float, ...]


class TrainerFile:
    """``trainer_log.jsonl``, which LLaMA-Factory writes.

    Attributes:
        steps: Rows of step, loss, learning rate, epoch, tokens and whether the loss was logged as
            NaN or infinite (1 or 0).
        evaluations: Rows of step and loss.
        total: What the training goes up to, 0 while that is unknown.
        last_step: Of the last entry of any kind; -1 before there is one.
        rewound: At the last update, an evaluation changed that had been there before.
    """

    total: int

    def __init__(self, folder: Path) -> None:
        self._follower = Follower(folder / TRAINER_LOG)
        self._forget()

    def update(self) -> float | None:
        """Read what is new: the smallest step that changed, None where nothing did."""
        touched: float | None = None
        self.rewound = False
        while (appended := self._follower.read()) is not None:
            if appended.replaced:
                self._forget()
                self.rewound = True
                touched = -math.inf
            step = self._take(appended.lines)
            touched = step if touched is None else min(touched, step)
        return touched

    def _take(self, lines: list[bytes]) -> float:
        trained: list[Row] = []
        evaluated: list[Row] = []
        for entry, step in _entries(lines, "current_steps"):
            total = whole_number(entry.get("total_steps"))
            self.total = total if total else self.total
            self.last_step = step
            # The trainer repeats its last step without a loss.
            if "loss" in entry:
                trained.append(_trained(entry, step))
            if "eval_loss" in entry:
                evaluated.append((step, _number(entry, "eval_loss")))
        before = self.evaluations.rows
        first = self.evaluations.add(evaluated)
        self.rewound |= self.evaluations.place(first) < before
        return self.steps.add(trained)

    def _forget(self) -> None:
        self.steps = Table(6)
        self.evaluations = Table(2)
        self.total = 0
        self.last_step = -1
        self.rewound = False


class MetricsFile:
    """``metrics.jsonl``, which our callback writes.

    Attributes:
        steps: Rows of step, time, gradient norm, memory, GPU memory, use of the GPU, number of the
            attempt, and seconds of training until then, pauses between attempts left out.
        begun: The step from which the last attempt went on, and its total; (-1, 0) before one.
    """

    def __init__(self, folder: Path) -> None:
        self._follower = Follower(folder / METRICS)
        self._forget()

    def update(self) -> float | None:
        """Read what is new: the smallest step that changed, None where nothing did."""
        touched: float | None = None
        while (appended := self._follower.read()) is not None:
            if appended.replaced:
                self._forget()
                touched = -math.inf
            step = self._take(appended.lines)
            touched = step if touched is None else min(touched, step)
        return touched

    def _take(self, lines: list[bytes]) -> float:
        noted: list[Row] = []
        for entry, step in _entries(lines, "step"):
            if "total" in entry:  # a training begins, or goes on from a checkpoint
                self.begun = (step, whole_number(entry["total"]) or 0)
                self._attempt += 1
                self._begun_at = _number(entry, "time")
            else:
                noted.append(self._noted(entry, step))
        touched = self.steps.add(noted)
        self._time_training(self.steps.place(touched))
        return touched

    def _noted(self, entry: Mapping[str, Any], step: int) -> Row:
        names = ("time", "grad_norm", "memory", "gpu_memory", "gpu_use")
        return (step, *(_number(entry, name) for name in names), self._attempt, self._begun_at)

    def _time_training(self, start: int) -> None:
        """Put the seconds of training where the new rows still have when their attempt began."""
        before = max(0, start - 1)
        times, attempts, last = (self.steps.column(column)[before:] for column in (1, 6, 7))
        if start == 0:
            times, attempts, last = (
                np.concatenate([[0.0], one]) for one in (times, attempts, last)
            )
        since = np.where(np.diff(attempts) == 0, times[:-1], last[1:])
        seconds = np.maximum(np.nan_to_num(times[1:] - since), 0.0)
        # One after the other, so that the sum is the same whatever came in one read.
        self.steps.fill(7, start, np.cumsum(np.concatenate([last[:1], seconds]))[1:])

    def _forget(self) -> None:
        self.steps = Table(8)
        self.begun = (-1, 0)
        self._attempt = 0
        self._begun_at = math.nan


def _entries(lines: list[bytes], step_name: str) -> Iterator[tuple[dict[str, Any], int]]:
    """The entries among some lines, each with its step."""
    for line in lines:
        entry = entry_of(line)
        step = whole_number(entry.get(step_name)) if entry else None
        if entry and step is not None and 0 <= step <= _LAST_STEP:
            yield entry, step


def _trained(entry: Mapping[str, Any], step: int) -> Row:
    loss = entry["loss"]
    unusable = isinstance(loss, float) and not math.isfinite(loss)
    names = ("loss", "lr", "epoch", "total_tokens")
    return (step, *(_number(entry, name) for name in names), float(unusable))


def _number(entry: Mapping[str, Any], name: str) -> float:
    number = finite(entry.get(name))
    return math.nan if number is None else number
