"""What the live chart's script asks. It comes from a browser, so it may be anything."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.training.chart import Axis, Seen, View
from backend.training.smoothing import STRONGEST

_AXES: Mapping[object, Axis] = {"step": "step", "tokens": "tokens", "time": "time"}


@dataclass(frozen=True)
class Question:
    """Which runs are shown and how, and what the chart has of each; None for nothing."""

    runs: Mapping[str, Seen | None]
    view: View


def question_of(asked: Any, *, most_runs: int) -> Question:
    """The question in what was sent; what makes no sense in it is as if it had not been said."""
    told = asked if isinstance(asked, Mapping) else {}
    runs = [run for run in _list(told.get("runs")) if isinstance(run, str) and run][:most_runs]
    since = told.get("since")
    seen = since if isinstance(since, Mapping) else {}
    axis = told.get("axis")
    view = View(
        axis=_AXES.get(axis, "step") if isinstance(axis, str) else "step",
        window=_window(told.get("range")),
        smoothing=min(max(_number(told.get("smoothing")) or 0.0, 0.0), STRONGEST),
        log=told.get("log") is True,
        runs=len(runs),
    )
    return Question({run: _seen(seen.get(run)) for run in runs}, view)


def _window(value: Any) -> tuple[float, float] | None:
    match [_number(edge) for edge in _list(value)]:
        case [float(begin), float(end)] if begin < end:
            return begin, end
        case _:
            return None


def _seen(value: Any) -> Seen | None:
    match value:
        case [str(generation), int(rows), int(evaluations)]:
            # bool is an int in Python, and true is no number of rows.
            counts = rows, evaluations
            whole = not any(isinstance(count, bool) or count < 0 for count in counts)
            return Seen(generation, rows, evaluations) if whole else None
        case _:
            return None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None
