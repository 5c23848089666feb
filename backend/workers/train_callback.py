"""What MedTune adds to a training of LLaMA-Factory's: a full checkpoint on request, a few numbers.

It draws no random number and touches no weight, so that the losses are those of the bare command.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
import torch
from torch import distributed
from transformers import Trainer, TrainerCallback

from backend.training import layout
from backend.training.gpu_use import GpuUse

if TYPE_CHECKING:
    from transformers import TrainerControl, TrainerState, TrainingArguments

    from backend.workers.train import Gate


class EvaluationStopped(Exception):
    """A person asked to stop while the model was being evaluated."""


def end_evaluations() -> None:
    """Let ``EvaluationStopped`` end an evaluation of transformers' and not the training around it.

    Evaluation has no way out of its own, and may take longer than all that was trained. What the
    trainer does at the end of a step is then done once more without it: saving.
    """
    original = Trainer._maybe_log_save_evaluate

    def without_evaluation(self: Trainer, *args: Any, **kwargs: Any) -> None:
        try:
            original(self, *args, **kwargs)
        except EvaluationStopped:
            self.control.should_evaluate = False
            original(self, *args, **kwargs)  # logs nothing: this step's loss is logged already

    Trainer._maybe_log_save_evaluate = without_evaluation


def load_onto_numbered_cpus() -> None:
    """Let torch load onto ``cpu:0``, which is what a process under torchrun calls its CPU.

    Without it no training of several processes on CPUs can be resumed: transformers asks for the
    optimiser's state there, and ``torch.load`` (2.13) knows only ``cpu``.
    """

    def onto_cpu(storage: Any, location: str) -> Any:
        return storage if location.startswith("cpu:") else None

    torch.serialization.register_package(5, lambda _: None, onto_cpu)


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
        self._use: GpuUse | None = None

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._gate.begin()
        if torch.cuda.is_available() and state.is_world_process_zero:
            self._use = GpuUse(os.environ.get("CUDA_VISIBLE_DEVICES"))
            self._use.start()
        self._note(state, event="begin", total=state.max_steps)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        stop, save = self._asked(args)
        if save:
            control.should_save = True
        if stop and state.global_step < state.max_steps:
            self._stop(args, control)
            # A person waits; evaluation may take longer than all that was trained.
            control.should_evaluate = False

    def on_prediction_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        stop, _ = self._asked(args)
        if stop:
            if state.global_step < state.max_steps:
                self._stop(args, control)
            args.do_eval = False
            raise EvaluationStopped

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if state.is_world_process_zero:
            self._gate.checkpoint_saved()

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if logs and "loss" in logs:
            self._note(state, grad_norm=logs.get("grad_norm"), **self._device())

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if self._use:
            self._use.close()

    def _stop(self, args: TrainingArguments, control: TrainerControl) -> None:
        self.stopped = True
        control.should_save = True
        control.should_training_stop = True
        args.do_eval = False

    def _asked(self, args: TrainingArguments) -> tuple[bool, bool]:
        """Whether a stop, and whether a checkpoint is asked for: of all processes the same answer.

        Each looks at another moment, and those that go on would wait for ever for one that stops.
        """
        asked = (self._gate.stop_asked, self._gate.checkpoint_asked)
        if args.world_size == 1 or not distributed.is_initialized():
            return asked
        seen = torch.tensor(asked, dtype=torch.uint8, device=args.device)
        distributed.broadcast(seen, src=0)
        stop, save = seen.tolist()
        return bool(stop), bool(save)

    def _device(self) -> dict[str, float]:
        """Bytes that the process holds; the most that torch has held on the GPU, and how busy that
        was since the last time, where there is one that says so."""
        figures: dict[str, float] = {"memory": self._process.memory_info().rss}
        if torch.cuda.is_available():
            figures["gpu_memory"] = torch.cuda.max_memory_allocated()
        use = self._use.take() if self._use else None
        return figures if use is None else {**figures, "gpu_use": use}

    def _note(self, state: TrainerState, **entry: Any) -> None:
        if not state.is_world_process_zero:
            return
        line = json.dumps({"step": state.global_step, "time": time.time(), **entry})
        try:
            with (self._folder / layout.METRICS).open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:  # these numbers are not worth a training
            print(f"metrics.jsonl: {error}")
