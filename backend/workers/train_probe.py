"""What a probe adds to a training: it times a few steps, notes how fast they were, and leaves.

Nothing is saved: the process ends in the middle of a training that would go on.
"""

from __future__ import annotations

import platform
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import torch
from transformers import TrainerCallback

from backend.files import read_json, write_json
from backend.training import layout
from backend.workers.train_end import leave

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments


class ProbeCallback(TrainerCallback):
    """Times the steps behind the first ones, of which ``probe.json`` says how many there are."""

    def __init__(self, folder: Path) -> None:
        asked = read_json(folder / layout.PROBE)
        self._folder = folder
        self._steps, self._warm = int(asked["steps"]), int(asked["warm"])
        self._began = (0.0, 0)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.global_step == self._warm:
            self._began = self._now(state)
        if state.global_step < min(self._steps, state.max_steps):
            return
        if state.is_world_process_zero:
            self._write(state)
        leave(self._folder, 0, "finished")

    def _write(self, state: TrainerState) -> None:
        now, tokens = self._now(state)
        before, seen = self._began
        speed = (tokens - seen) / max(now - before, 1e-9)
        found = {"tokens_per_second": speed, "memory": _memory()}
        write_json(self._folder / layout.PROBED, found)

    def _now(self, state: TrainerState) -> tuple[float, int]:
        """The time, and the tokens seen until then."""
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        return time.perf_counter(), int(state.num_input_tokens_seen)


def _memory() -> int:
    """The most that was held so far, in bytes: of the GPU, or of the machine without one."""
    if torch.cuda.is_available():
        return int(torch.cuda.max_memory_reserved())
    try:
        import resource
    except ImportError:  # Windows tells only of now
        return int(psutil.Process().memory_info().rss)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if platform.system() == "Darwin" else most * 1024
