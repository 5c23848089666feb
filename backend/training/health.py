"""How a training is doing, in words: what its curves show, with the numbers that show it.

Takes a ``Series`` and knows nothing about files, runs or pages. Every judgement compares medians of
stretches of the curve with the curve's own noise (median absolute deviation), so that single
outliers decide nothing, and says nothing where the noise leaves both answers open. A curve of
100,000 points costs some tens of milliseconds.

The thresholds were chosen on synthetic curves (``tests/unit/test_training_health.py``): a healthy
one of 500 may be called ill in 2 % of cases at most, an ill one is to be found in 95 %.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from backend.problems import Problem
from backend.training.levels import Level, levels, noise_of, rolling_level

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from backend.training.series import Floats, Series

    Flags = NDArray[np.bool_]

Kind = Literal[
    "too_few",
    "falling",
    "flat",
    "unclear",
    "diverging",
    "not_a_number",
    "spikes",
    "overfitting",
    "slower",
]
Tone = Literal["good", "warning", "bad", "quiet"]

FEWEST = 20
"""Logged losses below which nothing is said of a trend: with five stretches of four a median means
little."""

SURE = 6.0
"""Standard errors of a difference of two medians that can't be noise. 3 would do for independent
points; losses of neighbouring steps are not, and many windows are looked at."""

RISE_OF_FALL = 0.25
"""A loss that diverges has lost a quarter of what it had gained; less is a bad stretch of data."""

RISE_OF_LEVEL = 0.1
"""… and it has risen by a tenth of what it was: at a loss near 0 any ratio is soon reached."""

FALLING = 0.01
"""Share of its first level that a falling loss has lost at least."""

FLAT = 0.03
"""A loss that has surely moved by less than 3 % since the warm-up has learned nothing worth the
steps: LoRA and full fine-tuning on reasoning rows lose 5 % and more in their first hundred."""

LEARNED = 0.1
"""A loss below this (nine of ten tokens' probability) has nowhere left to fall: not flat."""

SPIKE = 10.0
"""Times the gradient norm around it. Healthy norms are spread log-normally with a sigma of 0.3 to
0.6; ten times the median lies at four sigmas and more."""

SPIKE_NOISE = 8.0
"""… and this many robust sigmas of the norm's own logarithm."""

FEWEST_SPIKES = 3
"""One spike is a strange batch, and clipping takes care of it."""

EVAL_RISE = 0.03
"""The validation loss is the same rows each time, but it wanders by a per cent as weights move."""

SLOWER = 0.7
"""Share of its earlier speed from which on a run has become slow: longer rows in a batch and
another program for a moment stay above it."""

FEWEST_SPEEDS = 40


@dataclass(frozen=True)
class Finding:
    """Something that the curves of a run show.

    Attributes:
        kind: What it is; at most one finding of each kind.
        tone: ``bad`` needs a person now, ``warning`` soon, ``good`` does not; ``quiet`` is for what
            can't be said yet.
        problem: What is seen, with the numbers and the steps.
        advice: What to do about it.
    """

    kind: Kind
    tone: Tone
    problem: Problem
    advice: Problem


def diagnose(series: Series) -> list[Finding]:
    """What the curves show, the worst first. Never empty: too few points are said to be so."""
    import numpy as np

    usable = np.isfinite(series.loss) & ~_filled_in(series)
    step, loss = series.step[usable], series.loss[usable]
    found = list(_not_a_number(series))
    if len(loss) < FEWEST:
        found.append(_finding("too_few", "quiet", points=len(loss), needed=FEWEST))
    elif not found:
        found += _trend(series, step, loss)
    found += _spikes(series)
    if not any(one.kind == "diverging" for one in found):
        found += _overfitting(series, step, loss)
    found += _slower(series)
    order: tuple[Tone, ...] = ("bad", "warning", "quiet", "good")
    return sorted(found, key=lambda finding: order.index(finding.tone))


# --- Not a number -------------------------------------------------------------------------------


def _filled_in(series: Series) -> Flags:
    """Where the logged loss is 0 in place of a NaN.

    transformers' ``logging_nan_inf_filter``, on by default, logs the mean of the losses before
    instead of a NaN (``Trainer._inner_training_loop``), and once it has logged, that is exactly 0.
    A cross-entropy is never exactly 0, and the logged loss is not rounded.
    """
    import numpy as np

    return np.equal(series.loss, 0.0)


def _not_a_number(series: Series) -> Iterator[Finding]:
    import numpy as np

    zeros = series.step[_filled_in(series)]
    # One zero alone may be a batch in which every label was masked.
    steps = sorted({*series.unusable, *(zeros.astype(int).tolist() if len(zeros) >= 3 else ())})
    if not steps:
        return
    logged = series.loss[np.isfinite(series.loss) & ~_filled_in(series)]
    key = "training.health.not_a_number.seen"
    if not series.unusable:
        key = "training.health.not_a_number.zeros"
    last = _figure(logged[-1]) if len(logged) else "–"
    yield _finding("not_a_number", "bad", key, step=_step(steps[0]), times=len(steps), last=last)


# --- The training loss --------------------------------------------------------------------------


def _trend(series: Series, step: Floats, loss: Floats) -> Iterator[Finding]:
    rise = _rise(step, loss)
    if rise is not None:
        low, now = rise
        yield _finding(
            "diverging", "bad",
            step=_step(low.last), low=_figure(low.value), now=_figure(now.value),
        )  # fmt: skip
        return
    first, last = _ends(step, loss)
    fall = first.value - last.value
    evidence = {"first": _figure(first.value), "last": _figure(last.value)}
    if fall > max(3.0 * _doubt(first, last), FALLING * first.value):
        yield _finding("falling", "good", **evidence, steps=_step(step[-1]))
        return
    halves = _flat_since_warm_up(series, step, loss)
    if halves is None or fall > FLAT * first.value:
        noise = _figure(2.0 * _doubt(first, last), 2)
        yield _finding("unclear", "quiet", **evidence, noise=noise)
        return
    evidence = {"first": _figure(halves[0].value), "last": _figure(halves[1].value)}
    yield _finding("flat", "warning", **evidence, since=_step(halves[0].first))


def _ends(step: Floats, loss: Floats) -> tuple[Level, Level]:
    """Where the loss began and where it is: of a long curve the first twenty points and the last
    tenth, since most is learned in the first few steps."""
    width = max(5, len(loss) // 10)
    first = levels(step[: min(width, 20)], loss[: min(width, 20)], 1)[0]
    last = levels(step[-width:], loss[-width:], 1)[0]
    return first, last


def _doubt(one: Level, other: Level) -> float:
    """Standard error of the difference of two levels."""
    return math.hypot(one.error, other.error)


def _rise(step: Floats, loss: Floats) -> tuple[Level, Level] | None:
    """The lowest stretch and the present one, if the loss has risen between the two for good.

    Looked for at several scales: a training of 100,000 steps that explodes is seen within some
    steps and not when a twentieth of all lies behind it.
    """
    start = _ends(step, loss)[0]
    for reach in (len(loss), 4000, 400, 80):
        if reach > len(loss):
            continue
        blocks = levels(step[-reach:], loss[-reach:], 20 if reach >= 80 else len(loss) // 4)
        if len(blocks) < 4:
            continue
        low = min(blocks[:-2], key=lambda block: block.value)
        now = min(blocks[-2:], key=lambda block: block.value)
        rise = now.value - low.value
        noise = SURE * _doubt(low, now)
        fallen = max(0.0, start.value - low.value)
        if rise > max(noise, RISE_OF_FALL * fallen, RISE_OF_LEVEL * abs(low.value)):
            return low, now
    return None


def _flat_since_warm_up(series: Series, step: Floats, loss: Floats) -> tuple[Level, Level] | None:
    """Two halves of the curve after the warm-up that are the same within a small margin, surely."""
    begun = step >= _warm(series)
    if begun.sum() < 2 * FEWEST:
        return None
    first, last = levels(step[begun], loss[begun], 2)
    if last.value < LEARNED:
        return None
    most = abs(first.value - last.value) + 2.0 * _doubt(first, last)
    return (first, last) if most < FLAT * first.value else None


def _warm(series: Series) -> float:
    """The step at which the learning rate has all but reached its highest so far; 0 if unknown."""
    import numpy as np

    known = np.isfinite(series.learning_rate)
    rates = series.learning_rate[known]
    if not len(rates) or rates.max() <= 0:
        return 0.0
    return float(series.step[known][np.argmax(rates >= 0.9 * rates.max())])


# --- Gradients ----------------------------------------------------------------------------------


def _spikes(series: Series) -> Iterator[Finding]:
    import numpy as np

    usable = np.isfinite(series.grad_norm) & (series.grad_norm > 0)
    step, norm = series.step[usable], series.grad_norm[usable]
    if len(norm) < FEWEST:
        return
    height = np.log(norm) - rolling_level(np.log(norm))
    high = height > max(np.log(SPIKE), SPIKE_NOISE * noise_of(height))
    # A fresh adapter's first gradients are of another size than those that follow.
    high[: max(3, len(norm) // 50)] = False
    if high.sum() < FEWEST_SPIKES:
        return
    worst = int(np.argmax(np.where(high, height, -np.inf)))
    yield _finding(
        "spikes", "warning",
        times=int(high.sum()), first=_step(step[high][0]), worst=_step(step[worst]),
        norm=_figure(norm[worst]), ratio=_figure(np.exp(height[worst]), 2),
    )  # fmt: skip


# --- The validation loss ------------------------------------------------------------------------


def _overfitting(series: Series, step: Floats, loss: Floats) -> Iterator[Finding]:
    import numpy as np

    usable = np.isfinite(series.eval_loss)
    at, value = series.eval_step[usable], series.eval_loss[usable]
    if len(value) < 4 or len(loss) < FEWEST:
        return
    best = int(np.argmin(value))
    after = value[best + 1 :]
    if len(after) < 2:
        return
    # What the curve wanders by from one evaluation to the next, its slope taken out.
    wander = noise_of(np.diff(value[best:], n=2)) / 6**0.5 if len(after) >= 5 else 0.0
    if after[-2:].min() - value[best] < max(EVAL_RISE * value[best], 4 * wander):
        return
    then, now = _around(step, loss, at[best]), _around(step, loss, at[-1])
    if now.value > then.value + max(2.0 * _doubt(then, now), 0.02 * then.value):
        return  # both rise: that is no over-fitting
    yield _finding(
        "overfitting", "warning",
        step=_step(at[best]), low=_figure(value[best]), now=_figure(value[-1]),
        then=_figure(then.value), train=_figure(now.value),
    )  # fmt: skip


def _around(step: Floats, loss: Floats, at: float) -> Level:
    """The training loss up to a step: the twentieth of the curve that ends there."""
    import numpy as np

    end = max(5, int(np.searchsorted(step, at, side="right")))
    start = max(0, end - max(5, len(step) // 20))
    return levels(step[start:end], loss[start:end], 1)[0]


# --- Speed --------------------------------------------------------------------------------------


def _slower(series: Series) -> Iterator[Finding]:
    import numpy as np

    usable = np.isfinite(series.speed) & (series.speed > 0)
    step, speed = series.step[usable], np.log(series.speed[usable])
    if len(speed) < FEWEST_SPEEDS:
        return
    blocks = levels(step, speed, int(np.clip(len(speed) // 15, 8, 20)))
    now = max(blocks[-2:], key=lambda block: block.value)
    before = blocks[: len(blocks) // 2]
    usual = float(np.median([block.value for block in before]))
    error = max(now.error, noise_of(np.array([block.value for block in before])))
    if now.value - usual > min(np.log(SLOWER), -SURE * error):
        return
    half = usual + np.log(SLOWER)
    slow = next(
        place for place in range(len(blocks))
        if all(block.value <= half for block in blocks[place:])
    )  # fmt: skip
    yield _finding(
        "slower", "warning",
        step=_step(blocks[slow].first), before=f"{np.exp(usual):,.0f}",
        now=f"{np.exp(now.value):,.0f}", share=f"{100 * np.exp(now.value - usual):.0f}",
    )  # fmt: skip


# --- Words --------------------------------------------------------------------------------------


def _finding(kind: Kind, tone: Tone, key: str = "", **evidence: str | int) -> Finding:
    """``key`` names the sentence where a kind has more than one."""
    return Finding(
        kind,
        tone,
        Problem(key or f"training.health.{kind}.seen", evidence),
        Problem(f"training.health.{kind}.advice"),
    )


def _step(value: float) -> str:
    return f"{value:,.0f}"


def _figure(value: float, digits: int = 4) -> str:
    return f"{value:.{digits}g}"
