"""The curves of a run, read from ``trainer_log.jsonl`` while the trainer appends to it.

A reader keeps one number, the offset up to which it has read, and so gets each point once. Knows
the format of LLaMA-Factory's log and nothing about runs.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from backend.training.layout import TRAINER_LOG

CHUNK = 8 * 1024 * 1024
"""Bytes read at one call at most: some 40,000 points. The next call gets the rest."""

_NUMBERS: Mapping[str, str] = {
    "loss": "loss",
    "lr": "learning_rate",
    "eval_loss": "eval_loss",
    "epoch": "epoch",
}


@dataclass(frozen=True)
class Points:
    """What is new in a log.

    Attributes:
        offset: Where to go on reading, in bytes; always the start of a line.
        reset: The log is not the one that the reader has read: forget its points, these are from
            the start.
        points: For each logged step ``step``, ``epoch`` and ``loss`` with ``learning_rate``, or
            ``eval_loss``. Values are as logged; one that is not finite is None.
    """

    offset: int
    reset: bool
    points: list[dict[str, float | None]]


def read_points(folder: Path, offset: int = 0) -> Points:
    """The points logged in a run's folder since ``offset``.

    A line still being written is left for the next call; a line that is no log entry, and one that
    has no loss (the trainer repeats its last step without), gives no point.
    """
    try:
        with (folder / TRAINER_LOG).open("rb") as file:
            reset = offset != 0 and not _is_line_start(file, offset)
            start = 0 if reset else offset
            file.seek(start)
            block = file.read(CHUNK)
            if len(block) == CHUNK:
                block += file.readline()
    except FileNotFoundError:
        return Points(0, offset != 0, [])
    whole = block[: block.rfind(b"\n") + 1]
    points = [point for line in whole.split(b"\n") if (point := _point(entry_of(line)))]
    return Points(start + len(whole), reset, points)


def entry_of(line: bytes) -> dict[str, Any] | None:
    """A line of a log as a mapping, or None where it is none."""
    try:
        entry = orjson.loads(line)
    except orjson.JSONDecodeError:
        return _entry_with_nan(line)
    return entry if isinstance(entry, dict) else None


def whole_number(value: Any) -> int | None:
    """``value`` if it is a whole number, which True is not."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def finite(value: Any) -> float | None:
    """``value`` as a number that can be drawn, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _is_line_start(file: Any, offset: int) -> bool:
    """False for a log that is shorter than ``offset`` or has no line's end there: another log."""
    if offset < 0:
        return False
    file.seek(offset - 1)
    return bool(file.read(1) == b"\n")


def _point(entry: Mapping[str, Any] | None) -> dict[str, float | None] | None:
    if entry is None or not ("loss" in entry or "eval_loss" in entry):
        return None
    step = whole_number(entry.get("current_steps"))
    if step is None or step < 0:
        return None
    point: dict[str, float | None] = {"step": step}
    for name, ours in _NUMBERS.items():
        if name in entry:
            point[ours] = finite(entry[name])
    return point


def _entry_with_nan(line: bytes) -> dict[str, Any] | None:
    # A diverged training logs a bare NaN, which is no JSON but what Python's json writes and reads.
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None
