"""A line of a trainer's log, and the numbers in it.

LLaMA-Factory's ``trainer_log.jsonl`` and our ``metrics.jsonl`` are lines of JSON written by Python,
which writes what JSON does not have. Knows nothing about files or what the numbers mean.
"""

from __future__ import annotations

import json
import math
from typing import Any

import orjson


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
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a whole number of hundreds of digits
        return None


def _entry_with_nan(line: bytes) -> dict[str, Any] | None:
    # A diverged training logs a bare NaN, which is no JSON but what Python's json writes and reads.
    try:
        entry = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None
