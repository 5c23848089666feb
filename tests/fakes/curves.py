"""Curves of trainings that never were: healthy ones in many shapes, and ones with a known fault.

Each is made from a seed, so that one which a test stumbles over can be looked at again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from backend.training.series import Series


@dataclass(frozen=True)
class Shape:
    """What a healthy curve is made of.

    Attributes:
        points: Logged steps; every ``every``-th step is logged.
        start, floor: The loss at the beginning, and what it falls towards.
        pace: Falls by e in this share of the run; slow ones are still falling at the end.
        noise: Relative noise of a logged loss; ``memory`` is how much of it lasts to the next one.
        epochs: The loss steps down a little at each epoch's end, as memorised rows come again.
        cosine: Schedule after the warm-up; else linear.
        norm_spread: Sigma of the gradient norm's logarithm.
        evaluations: How many; 0 for none.
    """

    points: int
    every: int
    start: float
    floor: float
    pace: float
    noise: float
    memory: float
    epochs: int
    warm_up: float
    cosine: bool
    norm_spread: float
    speed_spread: float
    evaluations: int


def shape_of(seed: int) -> Shape:
    draw = np.random.default_rng(seed)
    start = float(np.exp(draw.uniform(np.log(0.8), np.log(5.0))))
    return Shape(
        points=int(np.exp(draw.uniform(np.log(24), np.log(4000)))),
        every=int(draw.choice([1, 5, 10])),
        start=start,
        floor=start * float(draw.uniform(0.01, 0.75)),
        pace=float(np.exp(draw.uniform(np.log(0.02), np.log(0.6)))),
        noise=float(np.exp(draw.uniform(np.log(0.01), np.log(0.3)))),
        memory=float(draw.choice([0.0, 0.0, 0.3, 0.5])),
        epochs=int(draw.integers(1, 6)),
        warm_up=float(draw.choice([0.0, 0.03, 0.1])),
        cosine=bool(draw.random() < 0.7),
        norm_spread=float(draw.uniform(0.1, 0.5)),
        speed_spread=float(draw.uniform(0.02, 0.3)),
        evaluations=int(draw.choice([0, 0, 4, 10, 30])),
    )


def healthy(seed: int, **changes: Any) -> Series:
    """A training without a fault, with what healthy ones have: noise, outliers, pauses."""
    shape = replace(shape_of(seed), **changes)
    draw = np.random.default_rng([seed, 1])
    share = np.arange(1, shape.points + 1) / shape.points
    rate = _schedule(shape, share)
    level = _level(shape, share)
    return Series(
        step=np.arange(1.0, shape.points + 1) * shape.every,
        loss=level * np.exp(_noise(draw, shape)),
        learning_rate=2e-4 * rate,
        epoch=share * shape.epochs,
        tokens=np.cumsum(draw.integers(1000, 4000, shape.points)).astype(float),
        time=1.7e9 + np.cumsum(draw.uniform(0.5, 1.5, shape.points)),
        grad_norm=_norms(draw, shape, share),
        speed=_speeds(draw, shape),
        memory=np.full(shape.points, 4e9),
        gpu_memory=np.full(shape.points, np.nan),
        gpu_use=np.full(shape.points, np.nan),
        eval_step=_eval_steps(shape),
        eval_loss=_eval_losses(draw, shape),
        total_steps=shape.points * shape.every,
    )


def _schedule(shape: Shape, share: np.ndarray) -> np.ndarray:
    warm = np.clip(share / shape.warm_up, 0, 1) if shape.warm_up else np.ones_like(share)
    left = np.clip((1 - share) / (1 - shape.warm_up), 0, 1)
    return warm * (0.5 - 0.5 * np.cos(np.pi * left) if shape.cosine else left)


def _level(shape: Shape, share: np.ndarray) -> np.ndarray:
    fall = np.exp(-np.maximum(0, share - shape.warm_up / 2) / shape.pace)
    stairs = 1 - 0.05 * np.floor(np.minimum(share, 0.999) * shape.epochs)
    return (shape.floor + (shape.start - shape.floor) * fall) * stairs


def _noise(draw: np.random.Generator, shape: Shape) -> np.ndarray:
    fresh = draw.standard_t(6, shape.points) * shape.noise / 1.22
    noise = np.empty_like(fresh)
    before = 0.0
    for place, new in enumerate(fresh):
        before = shape.memory * before + (1 - shape.memory**2) ** 0.5 * new
        noise[place] = before
    return noise


def _norms(draw: np.random.Generator, shape: Shape, share: np.ndarray) -> np.ndarray:
    level = 0.3 + 4 * np.exp(-share / 0.02) + 0.5 * np.exp(-share / 0.3)
    norms = level * np.exp(shape.norm_spread * draw.standard_normal(shape.points))
    if draw.random() < 0.3:  # one strange batch
        norms[draw.integers(shape.points)] *= 30
    return norms


def _speeds(draw: np.random.Generator, shape: Shape) -> np.ndarray:
    speeds = 3000 * np.exp(shape.speed_spread * draw.standard_normal(shape.points))
    paused = draw.random(shape.points) < 0.03  # evaluations, checkpoints
    speeds[paused] *= draw.uniform(0.05, 0.6, paused.sum())
    speeds[0] = np.nan
    return speeds


def _eval_steps(shape: Shape) -> np.ndarray:
    share = np.arange(1, shape.evaluations + 1) / max(1, shape.evaluations)
    return np.round(share * shape.points).astype(float) * shape.every


def _eval_losses(draw: np.random.Generator, shape: Shape) -> np.ndarray:
    share = np.arange(1, shape.evaluations + 1) / max(1, shape.evaluations)
    floor = 0.4 * shape.start + 0.6 * shape.floor
    level = floor + (shape.start - floor) * np.exp(-share / shape.pace)
    # Most end flat, some a touch above their lowest, as a good training does at its last steps.
    level *= 1 + draw.choice([0.0, 0.01]) * np.maximum(0, share - 0.7)
    return level * np.exp(draw.uniform(0.001, 0.01) * draw.standard_normal(shape.evaluations))


# --- Faults -------------------------------------------------------------------------------------


def diverging(seed: int) -> Series:
    """The loss turns somewhere in the second half and climbs above half of what it had lost."""
    draw = np.random.default_rng([seed, 2])
    series = healthy(seed, points=int(draw.integers(60, 3000)), noise=draw.uniform(0.02, 0.2))
    share = np.linspace(0, 1, len(series.loss))
    turn = draw.uniform(0.4, 0.8)
    climb = np.clip((share - turn) / draw.uniform(0.02, 0.1), 0, 1)
    top = max(series.loss[:5].mean(), 1.0) * draw.uniform(1.0, 4.0)
    return replace(series, loss=series.loss * (1 - climb) + climb * top * _wobble(draw, series))


def flat(seed: int) -> Series:
    """Nothing is learned: a learning rate of next to nothing, or a frozen model."""
    draw = np.random.default_rng([seed, 3])
    series = healthy(seed, points=int(draw.integers(300, 3000)))
    level = draw.uniform(0.8, 4.0)
    noise = draw.uniform(0.01, 0.08) * draw.standard_normal(len(series.loss))
    drift = 1 - draw.uniform(0, 0.003) * np.linspace(0, 1, len(series.loss))
    return replace(series, loss=level * drift * np.exp(noise))


def not_a_number(seed: int) -> Series:
    """From some step on the weights are NaN; transformers logs 0 in place of the loss."""
    draw = np.random.default_rng([seed, 4])
    series = healthy(seed)
    begin = int(draw.integers(1, len(series.loss) - 4))
    loss, norm = series.loss.copy(), series.grad_norm.copy()
    loss[begin:], norm[begin:] = 0.0, np.nan
    if seed % 2:  # the filter is off, or another trainer
        loss[begin:] = np.nan
        unusable = tuple(int(step) for step in series.step[begin:])
        return replace(series, loss=loss, grad_norm=norm, unusable=unusable)
    return replace(series, loss=loss, grad_norm=norm)


def spiking(seed: int) -> Series:
    """Several gradients of 20 to 200 times the usual."""
    draw = np.random.default_rng([seed, 5])
    series = healthy(seed, points=int(draw.integers(100, 4000)))
    norm = series.grad_norm.copy()
    places = draw.choice(np.arange(len(norm) // 10, len(norm)), draw.integers(5, 9), replace=False)
    norm[places] *= np.exp(draw.uniform(np.log(20), np.log(200), len(places)))
    return replace(series, grad_norm=norm)


def overfitting(seed: int) -> Series:
    """The validation loss turns in the middle third and rises by a tenth or more."""
    draw = np.random.default_rng([seed, 6])
    series = healthy(seed, evaluations=int(draw.integers(8, 30)), points=600)
    share = series.eval_step / series.eval_step[-1]
    turn = draw.uniform(0.3, 0.6)
    rise = draw.uniform(0.1, 0.6) * np.maximum(0, share - turn) / (1 - turn)
    lowest = series.eval_loss[np.searchsorted(share, turn)]
    turned = lowest * np.exp(0.004 * draw.standard_normal(len(share)))
    return replace(series, eval_loss=np.where(share > turn, turned, series.eval_loss) * (1 + rise))


def slowing(seed: int) -> Series:
    """From some step in the middle on the speed is half or less of what it was."""
    draw = np.random.default_rng([seed, 7])
    series = healthy(seed, points=int(draw.integers(120, 4000)))
    speed = series.speed.copy()
    speed[int(draw.uniform(0.5, 0.8) * len(speed)) :] *= draw.uniform(0.1, 0.5)
    return replace(series, speed=speed)


def _wobble(draw: np.random.Generator, series: Series) -> np.ndarray:
    return np.exp(0.1 * draw.standard_normal(len(series.loss)))
