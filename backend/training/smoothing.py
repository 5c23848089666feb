"""The smoothed curve: TensorBoard's debiased exponential moving average."""

from __future__ import annotations

import math
from itertools import accumulate
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from backend.training.series import Floats

STRONGEST = 0.99

_FORGOTTEN = 1e-12
"""What weighs less in an average is not looked at: it would not change what is drawn."""


def smooth(values: Floats, weight: float) -> Floats:
    """Each value averaged with those before, which count less by ``weight`` with each step.

    ``s = weight * s + (1 - weight) * value``, from 0, divided by ``1 - weight ** n``, which undoes
    the pull of that 0 on the first values (TensorBoard, ``line-chart.ts``, ``resmoothDataset``).
    NaN stays NaN and counts as no step.

    Args:
        values: Shape (n,).
        weight: 0 (as they are) to ``STRONGEST``.
    """
    known = np.isfinite(values)
    some = values[known].tolist()
    rest = 1.0 - weight
    sums = list(accumulate(some, lambda sum_, value: sum_ * weight + rest * value, initial=0.0))
    debias = 1.0 - np.power(weight, np.arange(1, len(some) + 1, dtype=np.float64))
    smoothed = np.full(len(values), math.nan)
    smoothed[known] = np.array(sums[1:]) / debias
    return smoothed


def smooth_end(values: Floats, weight: float, start: int) -> Floats:
    """``smooth(values, weight)[start:]``, for the price of what is new.

    It begins where what came before no longer counts, and is exact to twelve digits.
    """
    reach = math.ceil(math.log(_FORGOTTEN) / math.log(weight)) if weight > 0 else 0
    begin = max(0, start - reach)
    # A stretch of NaN counts as no step: then it is the whole curve that is looked at.
    if not np.isfinite(values[begin:start]).all():
        begin = 0
    return smooth(values[begin:], weight)[start - begin :]
