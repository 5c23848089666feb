"""How far a run is and when it will be done, from the end of its logs."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.files import read_json
from backend.training import layout
from backend.training.metrics import entry_of, finite, whole_number

_TAIL = 2 * 1024
"""Bytes read from the end of a log: some ten lines, which mostly tell all."""

_LONGER_TAIL = 64 * 1024
"""… and where they do not, because of many evaluations or of lines that are none."""

_DURATION = re.compile(r"(?:(\d+) days?, )?(\d+):(\d\d):(\d\d)")


@dataclass(frozen=True)
class Progress:
    """Where a run stands.

    Attributes:
        step, total: Optimiser steps done, and to do in all.
        loss, learning_rate: As logged last.
        elapsed_seconds: Since the training began, imports and loading not counted.
        remaining_seconds: LLaMA-Factory's estimate less the time since it was logged; None before
            the first.
        tokens_per_second: Since the training began, padding included.
    """

    step: int
    total: int
    loss: float | None
    learning_rate: float | None
    epoch: float | None
    elapsed_seconds: float
    remaining_seconds: float | None
    tokens_per_second: float | None


def progress_of(folder: Path, *, active: bool) -> Progress | None:
    """How far a run is, or None before its training has begun.

    Args:
        folder: The run's.
        active: The run's trainer lives, so that time goes on since the last line.
    """
    entries, trained = _last_steps(folder / layout.TRAINER_LOG)
    if not entries:
        return _begun(folder, active)
    now, with_loss = entries[-1], (trained[-1] if trained else {})
    age = _age(folder / layout.TRAINER_LOG) if active else 0.0
    elapsed, remaining = _times(now, trained, age)
    step, tokens = _resumed(folder)
    # LLaMA-Factory divides what was done before a resume by the time since.
    if remaining is not None and now["current_steps"] > step:
        remaining *= now["current_steps"] / (now["current_steps"] - step)
    elif step:
        remaining = None  # a line from before the resume tells nothing of now
    return Progress(
        step=now["current_steps"],
        total=now["total_steps"],
        loss=finite(with_loss.get("loss")),
        learning_rate=finite(with_loss.get("lr")),
        epoch=finite(now.get("epoch")),
        elapsed_seconds=elapsed,
        remaining_seconds=remaining,
        tokens_per_second=_speed(now, tokens),
    )


def seconds_of(duration: object) -> float | None:
    """Seconds of a duration as LLaMA-Factory logs it: ``"0:01:05"``, ``"2 days, 3:00:00"``."""
    parts = _DURATION.fullmatch(duration) if isinstance(duration, str) else None
    if not parts:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in parts.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _resumed(folder: Path) -> tuple[int, int]:
    """Steps done and tokens seen before the newest attempt; zeros for a run's first."""
    resumed = read_json(folder / layout.RESUME)
    if not isinstance(resumed, dict):
        return 0, 0
    step, tokens = (whole_number(resumed.get(name)) for name in ("step", "tokens"))
    return step or 0, tokens or 0


def _speed(now: Mapping[str, Any], before: int) -> float | None:
    """Tokens a second of this attempt, of which ``before`` were seen in those before it."""
    speed, tokens = finite(now.get("throughput")), finite(now.get("total_tokens"))
    if speed is None or not tokens or not before:
        return speed
    return max(0.0, speed * (tokens - before) / tokens)


def _times(
    now: Mapping[str, Any], trained: list[dict[str, Any]], age: float
) -> tuple[float, float | None]:
    """Elapsed and remaining seconds: as logged, moved on by the ``age`` of the last line."""
    elapsed = seconds_of(now.get("elapsed_time")) or 0.0
    remaining = seconds_of(now.get("remaining_time"))
    if remaining is not None:
        remaining = max(remaining - age, remaining * _share_after_next_line(now, trained))
    return elapsed + age, remaining


def _share_after_next_line(now: Mapping[str, Any], trained: list[dict[str, Any]]) -> float:
    """The part of the remaining steps that is left when the next line comes.

    Until then no more can have been done, however long it takes: a trainer that hangs is never
    shown as all but done.
    """
    left = int(now["total_steps"] - now["current_steps"])
    if left <= 0:
        return 0.0
    before = trained[-2]["current_steps"] if len(trained) > 1 else 0
    interval = trained[-1]["current_steps"] - before if trained else left
    return min(1.0, max(0.0, float(left - interval) / left))


def _begun(folder: Path, active: bool) -> Progress | None:
    """Before the first line of the log: from the first of ``metrics.jsonl``."""
    try:
        with (folder / layout.METRICS).open("rb") as file:
            entry = entry_of(file.readline()) or {}
    except FileNotFoundError:
        return None
    step, total = whole_number(entry.get("step")), whole_number(entry.get("total"))
    if step is None or total is None:
        return None
    began = finite(entry.get("time"))
    elapsed = max(0.0, time.time() - began) if active and began is not None else 0.0
    return Progress(step, total, None, None, None, elapsed, None, None)


def _last_steps(path: Path) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The last entries of a log that name a step, and those of them with a loss."""
    for size in (_TAIL, _LONGER_TAIL):
        entries = [
            entry
            for entry in _last_entries(path, size)
            if whole_number(entry.get("current_steps")) is not None
            and whole_number(entry.get("total_steps")) is not None
        ]
        trained = [entry for entry in entries if "loss" in entry]
        if len(trained) > 1:  # the interval between two is asked for as well
            break
    return entries, trained


def _last_entries(path: Path, size: int) -> list[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - size))
            block = file.read()
    except FileNotFoundError:
        return []
    return [entry for line in block.split(b"\n") if (entry := entry_of(line))]


def _age(path: Path) -> float:
    try:
        return max(0.0, time.time() - path.stat().st_mtime)
    except FileNotFoundError:
        return 0.0
