"""What the checkpoints of a training take on the disk."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.data.tokens.stamps import FILES
from backend.planning.memory import Needs, Stock
from backend.planning.method import Method
from backend.planning.steps import saves

SPARE = 0.9
"""Share of the free disk that checkpoints may take: logs, caches and others write, too."""


@dataclass(frozen=True)
class Saved:
    """Checkpoints of a training.

    Attributes:
        each: Bytes of one: weights, the optimiser's state, the tokenizer.
        count: How many there are at once, at most.
        last: Bytes of what the training saves at its end besides: weights and tokenizer.
        free: Bytes that are free where they will lie.
    """

    each: int
    count: int
    last: int
    free: int

    @property
    def total(self) -> int:
        return self.each * self.count + self.last

    @property
    def fits(self) -> bool:
        return self.total <= SPARE * self.free

    @property
    def room_for(self) -> int:
        """How many checkpoints there is room for."""
        return max(0, int((SPARE * self.free - self.last) // max(self.each, 1)))


def saved_by(
    values: Mapping[str, Any],
    *,
    stock: Stock,
    method: Method,
    needs: Needs,
    steps: int,
    model: Path,
    runs: Path,
) -> Saved:
    """The checkpoints of a training of so many steps.

    transformers writes weights in the numbers in which they are held (an adapter's and trained ones
    in float32), and the optimiser's state as it is. With a limit it saves before it deletes.
    """
    adapter = needs.part("adapter")
    frozen = 0 if method.kind == "lora" else (stock.parameters - needs.trained)
    narrow = 2 if method.half else 4
    weights = adapter or needs.trained * (2 if method.pure else 4) + frozen * narrow
    tokenizer = sum(_size(model / name) for name in FILES)
    state = 0 if values.get("save_only_model") is True else needs.part("optimiser")
    count = saves(values["save_steps"], steps)
    limit = values.get("save_total_limit") or 0
    if limit > 0:
        count = min(count, limit + 1)
    free = shutil.disk_usage(runs).free
    return Saved(weights + tokenizer + state, count, weights + tokenizer, free)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
