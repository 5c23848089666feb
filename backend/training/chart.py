"""What a chart gets of a run's curves: all of them thinned out, or what is new since it last asked.

Pure: curves and a view in, an answer that JSON can hold out. Knows nothing about files or pages.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from backend.training.downsampling import pick_around
from backend.training.smoothing import smooth, smooth_end

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from backend.training.curves import Curves
    from backend.training.series import Floats

Axis = Literal["step", "tokens", "time"]

MOST_POINTS = 1500
"""Points of a curve in a fresh answer; those that follow one by one come on top."""

MOST_NEW = 500
"""Points that may follow, before all of them are thinned out anew. A curve on the page so has at
most 2,000."""

LEAST_POINTS = 300
"""Points of a curve where many runs share the page."""

MOST_EPOCHS = 24
"""Lines for epochs; of more epochs every second has one, or every third …"""

_MOST_GAPS = 200
_BYTES, _SECONDS = 1e9, 60.0


@dataclass(frozen=True)
class View:
    """How a chart shows its runs.

    Attributes:
        axis: What x is: the step, the tokens read, or minutes of training.
        window: What of x can be seen; None for all of it.
        smoothing: Weight of the moving average, 0 for none.
        log: The loss is drawn on a logarithmic scale.
        runs: How many share the page.
    """

    axis: Axis = "step"
    window: tuple[float, float] | None = None
    smoothing: float = 0.0
    log: bool = False
    runs: int = 1

    @property
    def most(self) -> int:
        """Points of one curve."""
        return max(LEAST_POINTS, min(MOST_POINTS, 2 * MOST_POINTS // max(1, self.runs)))


class Seen(NamedTuple):
    """What a chart has of a run, in the view that it asks about."""

    generation: str
    rows: int
    evaluations: int


class Curve(NamedTuple):
    x: Floats
    y: Floats


def news(curves: Curves, view: View, seen: Seen | None) -> dict[str, Any] | None:
    """What a chart that has ``seen`` lacks; None where nothing is new.

    Returns:
        ``generation``, ``rows`` and ``evaluations`` to ask with the next time; ``step``, the last
        one; ``fresh``: forget what was there, else the points come behind it; ``whole``: no point
        is left out; ``curves``: by figure the lists ``x`` and ``y`` and, of the loss, ``step``;
        None in ``y`` is a gap; ``epochs``: pairs of an epoch and where on x it ends, or None
        where there is no new one.
    """
    series = curves.series
    rows, evaluations = len(series.step), len(series.eval_step)
    since = seen if seen and _goes_on(curves, seen) else None
    if since and (since.rows, since.evaluations) == (rows, evaluations):
        return None
    first, first_evaluation = (since.rows, since.evaluations) if since else (0, 0)
    x = _axis(curves, view.axis, first)
    found = {
        **_by_step(curves, view, x, first),
        **_evaluated(curves, view, first_evaluation),
    }
    return {
        "generation": curves.generation,
        "rows": rows,
        "evaluations": evaluations,
        "step": int(series.step[-1]) if rows else None,
        "fresh": since is None,
        "whole": max(rows, evaluations) <= view.most,
        "curves": found,
        "epochs": _epochs(curves, view.axis, first),
    }


def _goes_on(curves: Curves, seen: Seen) -> bool:
    new = len(curves.series.step) - seen.rows, len(curves.series.eval_step) - seen.evaluations
    return seen.generation == curves.generation and all(0 <= one <= MOST_NEW for one in new)


def _axis(curves: Curves, axis: Axis, first: int) -> Floats:
    """x of the logged steps from row ``first`` on; NaN where it was not logged."""
    match axis:
        case "step":
            return curves.series.step[first:]
        case "tokens":
            return curves.series.tokens[first:]
        case "time":
            return curves.elapsed[first:] / _SECONDS


def _by_step(curves: Curves, view: View, x: Floats, first: int) -> dict[str, Any]:
    """The curves with a value for each logged step, from row ``first`` on."""
    series = curves.series
    loss = series.loss[first:]
    found = {"loss": _loss(Curve(x, loss), series.step[first:], view)}
    if view.smoothing > 0:
        smoothed = (
            smooth_end(series.loss, view.smoothing, first)
            if first
            else smooth(series.loss, view.smoothing)
        )
        found["smoothed"] = _thinned(Curve(x, smoothed), view, log=view.log)
    others = {
        "learning_rate": series.learning_rate[first:],
        "grad_norm": series.grad_norm[first:],
        "speed": np.round(series.speed[first:], 2),
        "memory": np.round(series.memory[first:] / _BYTES, 4),
        "gpu_memory": np.round(series.gpu_memory[first:] / _BYTES, 4),
        "gpu_use": np.round(series.gpu_use[first:], 1),
    }
    for name, values in others.items():
        found[name] = _thinned(Curve(x, values), view, log=view.log and name == "grad_norm")
    return found


def _evaluated(curves: Curves, view: View, first: int) -> dict[str, Any]:
    """The evaluation loss from evaluation ``first`` on."""
    series = curves.series
    steps, values = series.eval_step[first:], series.eval_loss[first:]
    x = steps
    if view.axis != "step":
        # An evaluation has a step only: it lies where that step, or its neighbours, were logged.
        known = _axis(curves, view.axis, 0)
        there = np.isfinite(known)
        x = np.full(len(steps), math.nan)
        if len(steps) and there.any():
            x = np.interp(steps, series.step[there], np.maximum.accumulate(known[there]))
    return {"eval_loss": _thinned(Curve(x, values), view, log=view.log)}


def _loss(curve: Curve, step: Floats, view: View) -> dict[str, Any]:
    """The loss as it was logged, with a gap where it was no number, and the step of each point."""
    placed = np.isfinite(curve.x)
    x, y, step = curve.x[placed], curve.y[placed], step[placed]
    finite = np.isfinite(y)
    where = np.flatnonzero(finite)
    chosen = where[_chosen(Curve(x[finite], y[finite]), view, log=view.log)]
    gaps = np.flatnonzero(~finite & np.concatenate([[True], finite[:-1]]))[:_MOST_GAPS]
    chosen = np.union1d(chosen, gaps)
    values = [value if math.isfinite(value) else None for value in y[chosen].tolist()]
    found = {"x": x[chosen].tolist(), "y": values}
    return found | ({} if view.axis == "step" else {"step": step[chosen].tolist()})


def _thinned(curve: Curve, view: View, *, log: bool) -> dict[str, Any]:
    known = np.isfinite(curve.x) & np.isfinite(curve.y)
    some = Curve(curve.x[known], curve.y[known])
    chosen = _chosen(some, view, log=log)
    return {"x": some.x[chosen].tolist(), "y": some.y[chosen].tolist()}


def _chosen(curve: Curve, view: View, *, log: bool) -> NDArray[np.intp]:
    # Tokens and time rise, unless a clock or a counter was set back.
    x = np.maximum.accumulate(curve.x) if len(curve.x) else curve.x
    return pick_around(x, curve.y, view.window, view.most, log=log)


def _epochs(curves: Curves, axis: Axis, first: int) -> list[tuple[int, float]] | None:
    """Where the epochs end, or None where none has ended since row ``first``."""
    epoch = curves.series.epoch
    if first and not _epoch_ended(epoch, first):
        return None
    x = _axis(curves, axis, 0)
    known = np.isfinite(x) & np.isfinite(epoch)
    if not known.any():
        return []
    passed, places = np.maximum.accumulate(epoch[known]), x[known]
    last = math.floor(passed[-1])
    each = max(1, math.ceil(last / MOST_EPOCHS))
    ends = np.arange(each, last + 1, each)
    return list(zip(ends.tolist(), np.interp(ends, passed, places).tolist(), strict=True))


def _epoch_ended(epoch: Floats, first: int) -> bool:
    around = epoch[first - 1 :]
    around = around[np.isfinite(around)]
    return len(around) > 0 and math.floor(around.max()) != math.floor(around[0])
