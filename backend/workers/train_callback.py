"""What MedTune adds to a training of LLaMA-Factory's: a full checkpoint on request, a few numbers.

It draws no random number and touches no weight, so that the losses are those of the bare command.
"""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import torch
from transformers import TrainerCallback

from backend.training import layout

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from backend.workers.train import Gate


class RunCallback(TrainerCallback):
    """Stops between two steps with a full checkpoint, and writes ``metrics.jsonl``.

    Attributes:
        stopped: The training was ended before its last step because a person asked.
    """

    def __init__(self, folder: Path, gate: Gate) -> None:
        self.stopped = False
        self._folder = folder
        self._gate = gate
        self._process = psutil.Process()

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._gate.begin()
        self._note(state, event="begin", total=state.max_steps)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self._gate.stop_asked and state.global_step < state.max_steps:
            self.stopped = True
            control.should_save = True
            control.should_training_stop = True
            # A person waits; evaluation may take longer than all that was trained.
            control.should_evaluate = False
            args.do_eval = False

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if logs and "loss" in logs:
            self._note(state, grad_norm=logs.get("grad_norm"), **self._memory())

    def _memory(self) -> dict[str, int]:
        """Bytes that the process holds, and the most that torch has held on the GPU."""
        memory = {"memory": self._process.memory_info().rss}
        if torch.cuda.is_available():
            memory["gpu_memory"] = torch.cuda.max_memory_allocated()
        return memory

    def _note(self, state: TrainerState, **entry: Any) -> None:
        if not state.is_world_process_zero:
            return
        line = json.dumps({"step": state.global_step, "time": time.time(), **entry})
        try:
            with (self._folder / layout.METRICS).open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:  # these numbers are not worth a training
            print(f"metrics.jsonl: {error}")
