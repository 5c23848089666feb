"""How many steps a training has, counted as transformers does (5.6, ``Trainer``).

A batch that lacks rows counts as one, and so does an accumulation that lacks batches. Several
processes get the same number of batches: the last ones are filled up (accelerate,
``BatchSamplerShard`` with ``even_batches``).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.training.schema import effective_batch_size


@dataclass(frozen=True)
class Steps:
    """The length of a training in optimiser steps.

    Attributes:
        samples: What an epoch trains on: rows, or packs of rows.
        per_epoch: Steps of an epoch.
        total: Steps of the whole.
        warmup: Of these, how many raise the learning rate.
        effective_batch: Samples of a step.
    """

    samples: int
    per_epoch: int
    total: int
    warmup: int
    effective_batch: int

    @property
    def epochs(self) -> float:
        return self.total / self.per_epoch


def used_rows(values: Mapping[str, Any], rows: int) -> int:
    """Rows of the dataset that are trained on."""
    most = values.get("max_samples") or 0
    return min(rows, most) if most > 0 else rows


def steps_of(values: Mapping[str, Any], *, samples: int, processes: int) -> Steps:
    """The steps of a training.

    Args:
        values: As ``schema.validate`` returns them.
        samples: At least 1.
    """
    batch = values["per_device_train_batch_size"]
    accumulation = values["gradient_accumulation_steps"]
    batches = math.ceil(math.ceil(samples / batch) / processes)
    per_epoch = max(math.ceil(batches / accumulation), 1)
    total = values["max_steps"]
    if total <= 0:
        total = max(math.ceil(values["num_train_epochs"] * per_epoch), 1)
    return Steps(
        samples=samples,
        per_epoch=per_epoch,
        total=total,
        warmup=warmup_steps(values, total),
        effective_batch=effective_batch_size(values, processes),
    )


def warmup_steps(values: Mapping[str, Any], total: int) -> int:
    """Steps of warm-up: a number, or below 1 a share (``TrainingArguments.get_warmup_steps``)."""
    asked = float(values.get("warmup_steps") or 0)
    if values.get("lr_scheduler_type") == "constant":
        return 0
    return int(asked) if asked >= 1 else math.ceil(total * asked)


def saves(every: int, total: int) -> int:
    """Checkpoints of a training: one each ``every`` steps, and one at its end (transformers)."""
    return -(-total // every)
