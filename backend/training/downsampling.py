"""Which points of a long curve a page gets, so that none that the eye would miss is left out.

Knows nothing about runs. The choosing is tsdownsample's, in Rust: MinMaxLTTB for the shape, and the
smallest and largest of each stretch besides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from backend.training.series import Floats

_SHAPE = 2
"""One of so many points is chosen for the shape; the others are extremes."""


def pick(values: Floats, most: int, *, log: bool = False) -> NDArray[np.intp]:
    """Places of at most ``most`` values, in order, that draw the same curve.

    First and last are among them, and the smallest and the largest of each of about ``most / 4``
    stretches: LTTB alone keeps one point of a stretch, so that of a spike up and one down beside
    it, either could be lost. Extremes stay extremes on a logarithmic scale.

    Args:
        values: Finite, shape (n,).
        most: At least 8.
        log: They are drawn on a logarithmic scale, so that the shape is that of their logarithms.
    """
    if len(values) <= most:
        return np.arange(len(values))
    # Only when a curve is long: the library costs 40 ms to import.
    import tsdownsample

    fewest: Any = tsdownsample.MinMaxDownsampler  # its constructors have no types
    shapeliest: Any = tsdownsample.MinMaxLTTBDownsampler
    values = np.ascontiguousarray(values)
    shape = most // _SHAPE
    # An even number of extremes, and room for the last value: rounding can leave it out of the
    # last stretch (tsdownsample 0.1.5.1, 1,008 values to 1,000).
    extremes = fewest().downsample(values, n_out=(most - shape - 1) // 2 * 2)
    scaled = np.log(values) if log and values.min() > 0 else values
    drawn = shapeliest().downsample(scaled, n_out=shape)
    ends = np.array([0, len(values) - 1])
    chosen: NDArray[np.intp] = np.unique(np.concatenate([ends, extremes, drawn]).astype(np.intp))
    return chosen


def pick_around(
    x: Floats, values: Floats, window: tuple[float, float] | None, most: int, *, log: bool = False
) -> NDArray[np.intp]:
    """As ``pick``, with four fifths of the points within a window of ``x``.

    The rest, on both sides, is what a person sees while the window is moved, until finer points
    have come.

    Args:
        x: Rising, shape (n,).
        window: From and to; None for all of it.
    """
    if window is None or len(x) <= most:
        return pick(values, most, log=log)
    # With one more at either edge, so that the lines go on to it.
    first = max(0, int(np.searchsorted(x, window[0])) - 1)
    last = min(len(x), int(np.searchsorted(x, window[1], side="right")) + 1)
    last = max(last, first)
    side = most // 10
    parts = [(0, first, side), (first, last, most - 2 * side), (last, len(x), side)]
    return np.concatenate(
        [begin + pick(values[begin:end], room, log=log) for begin, end, room in parts]
    )
