"""Levels and noise of a noisy curve, by medians: a few outliers change nothing.

Plain functions of arrays, linear in their length; nothing here knows what the curve is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from backend.training.series import Floats

SIGMA = 1.4826
"""Standard deviations in a median absolute deviation of normal noise (1 / Phi^-1(3/4))."""

MEDIAN_ERROR = 1.2533
"""Standard error of a median over that of a mean, for normal noise: sqrt(pi / 2)."""


@dataclass(frozen=True)
class Level:
    """A stretch of a curve.

    Attributes:
        first, last: The steps between which it lies, both included.
        value: The median.
        error: Standard error of the median, from the noise of the whole curve.
    """

    first: float
    last: float
    value: float
    error: float


def noise_of(values: Floats) -> float:
    """Standard deviation of ``values`` around their median, robustly; 0 for fewer than two."""
    import numpy as np

    if len(values) < 2:
        return 0.0
    return SIGMA * float(np.median(np.abs(values - np.median(values))))


def levels(step: Floats, value: Floats, count: int) -> list[Level]:
    """``count`` stretches of equal length (fewer where points are), each with its level.

    The error allows for neighbouring points that resemble each other: it is taken from the noise of
    means of four, as well as from that of single points, and the larger of the two counts.
    """
    import numpy as np

    count = max(1, min(count, len(value)))
    edges = np.linspace(0, len(value), count + 1).astype(int)
    parts = [value[start:end] for start, end in zip(edges, edges[1:], strict=False)]
    middles = [float(np.median(part)) for part in parts]
    residuals = np.concatenate([part - middle for part, middle in zip(parts, middles, strict=True)])
    noise = max(noise_of(residuals), _noise_of_means(residuals))
    return [
        Level(
            float(step[start]),
            float(step[end - 1]),
            middle,
            float(MEDIAN_ERROR * noise / (end - start) ** 0.5),
        )
        for start, end, middle in zip(edges, edges[1:], middles, strict=False)
    ]


def rolling_level(values: Floats) -> Floats:
    """The level around each point: medians of stretches, joined by straight lines."""
    import numpy as np

    width = int(np.clip(len(values) // 50, 9, 501))
    count = max(1, len(values) // width)
    edges = np.linspace(0, len(values), count + 1).astype(int)
    middles = [
        float(np.median(values[start:end])) for start, end in zip(edges, edges[1:], strict=False)
    ]
    centres = (edges[:-1] + edges[1:] - 1) / 2
    return np.interp(np.arange(len(values)), centres, middles)


def _noise_of_means(residuals: Floats) -> float:
    """The noise of single points that would make means of four as noisy as they are."""
    whole = len(residuals) // 4 * 4
    return 2.0 * noise_of(residuals[:whole].reshape(-1, 4).mean(axis=1)) if whole >= 32 else 0.0
