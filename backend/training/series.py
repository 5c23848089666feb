"""The curves of one run as arrays: what charts draw and what a diagnosis looks at.

Knows nothing about files or pages. Arrays are float64; NaN stands for "not logged at this step" and
for a value that was logged and is not finite, which ``unusable`` tells apart.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Series:
    """One run's log, by logged training step and by evaluation; steps rise strictly.

    Attributes:
        step, loss, learning_rate, epoch: As ``trainer_log.jsonl`` has them, one a logged step.
        tokens: Input tokens seen since the run began, padding included.
        time: Unix seconds at which the step was logged.
        grad_norm: Before clipping, as transformers reports it.
        speed: Tokens a second since the entry before; NaN for the first of an attempt.
        memory, gpu_memory: Bytes: resident in the process, and most that torch held on the GPU.
        gpu_use: Per cent of the time in which the run's GPUs were at work, their mean.
        eval_step, eval_loss: One entry an evaluation.
        unusable: Steps whose loss was logged as NaN or infinite.
        total_steps: What the training goes up to; 0 before that is known.
    """

    step: Floats
    loss: Floats
    learning_rate: Floats
    epoch: Floats
    tokens: Floats
    time: Floats
    grad_norm: Floats
    speed: Floats
    memory: Floats
    gpu_memory: Floats
    gpu_use: Floats
    eval_step: Floats
    eval_loss: Floats
    unusable: tuple[int, ...] = field(default=())
    total_steps: int = 0
