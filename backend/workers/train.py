"""The trainer: ``python -m backend.workers.train RUN_FOLDER`` trains what its ``config.yaml`` says.

The training is LLaMA-Factory's own, step for step what ``llamafactory-cli train config.yaml`` does;
what is added is a way to stop with a full checkpoint, a way to go on from one, a few numbers that
its log lacks, and a last word about how it ended (``exit.json``). Under torchrun every process runs
this; the first one alone writes, unless another one fails before it.
"""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from backend.files import read_json, write_json
from backend.training import layout, trainer_lock
from backend.training.record import hash_data, hash_weights
from backend.workers.train_end import is_first, leave, take_exit_room, watch_others

POLL_SECONDS = 0.2


class StopBeforeTraining(BaseException):
    """A stop was asked for before the first step: there is nothing to save."""


class Gate:
    """Lets a training begin, unless a stop was asked for before.

    Until it has begun nothing is worth saving, and imports or loading a model can take minutes: a
    thread then ends the process at once. Once begun, the callback stops it between two steps.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._begun = threading.Event()
        self._lock = threading.Lock()

    def watch(self) -> None:
        """Start the thread that ends the process on a request to stop."""
        threading.Thread(target=self._watch, name="stop before training", daemon=True).start()

    def begin(self) -> None:
        """Note that the training begins.

        Raises:
            StopBeforeTraining: a stop was asked for.
        """
        with self._lock:
            if self.stop_asked and is_first():
                raise StopBeforeTraining
            self._begun.set()

    @property
    def stop_asked(self) -> bool:
        return (self._folder / layout.STOP).exists()

    @property
    def checkpoint_asked(self) -> bool:
        return (self._folder / layout.CHECKPOINT).exists()

    def checkpoint_saved(self) -> None:
        """Note that the checkpoint that was asked for is there."""
        with suppress(OSError):
            (self._folder / layout.CHECKPOINT).unlink(missing_ok=True)

    def _watch(self) -> None:
        while not self._begun.wait(POLL_SECONDS):
            with self._lock:
                if self.stop_asked and not self._begun.is_set():
                    leave(self._folder, 0, "stopped")


def main() -> None:
    """Train, say how it went, and leave."""
    folder = Path(sys.argv[1]).resolve()
    gate = Gate(folder)
    if is_first():
        if not trainer_lock.claim(folder):
            sys.exit("the run has ended, or another trainer is at work in this folder")
        take_exit_room(folder)
        gate.watch()
        threading.Thread(target=_hash_files, args=(folder,), name="hash files", daemon=True).start()
    watch_others(folder)
    try:
        reason = train(folder, gate)
    except StopBeforeTraining:
        leave(folder, 0, "stopped")
    except BaseException as error:  # the process boundary: whatever it is, it is written down
        leave(folder, 1, "failed", error)
    leave(folder, 0, reason)


def train(folder: Path, gate: Gate) -> layout.Reason:
    """Run the training and say how it ended.

    Raises:
        StopBeforeTraining: a stop was asked for before the first step.
    """
    from omegaconf import OmegaConf

    # LLaMA-Factory's own reader of such a file.
    config = OmegaConf.to_container(OmegaConf.load(folder / layout.CONFIG))
    config = resumed(folder, config)
    _spare_imports(config)
    from llamafactory.train.tuner import run_exp

    from backend.workers import train_callback, train_precision

    if isinstance(config, dict):
        train_precision.load_single(config)
    train_callback.end_evaluations()
    train_callback.load_onto_numbered_cpus()
    callback = train_callback.RunCallback(folder, gate)
    callbacks: list[Any] = [callback]
    if (folder / layout.PROBE).exists():
        from backend.workers.train_probe import ProbeCallback

        callbacks.append(ProbeCallback(folder))
    # One that was broken off outside the training, after its last step, takes nothing with it.
    with suppress(train_callback.EvaluationStopped):
        run_exp(config, callbacks=callbacks)
    return "stopped" if callback.stopped else "finished"


def resumed(folder: Path, config: Any) -> Any:
    """The configuration with the checkpoint from which ``resume.json`` says to go on, if any."""
    resume = read_json(folder / layout.RESUME)
    if not isinstance(resume, dict) or not isinstance(config, dict):
        return config
    return {
        **config,
        "resume_from_checkpoint": str(folder / str(resume["checkpoint"])),
        # LLaMA-Factory would delete trainer_log.jsonl.
        "overwrite_output_dir": False,
    }


def _hash_files(folder: Path) -> None:
    """Complete ``record.json`` while LLaMA-Factory is imported: this needs no Python's lock."""
    record = read_json(folder / layout.RECORD)
    with suppress(OSError, KeyError, TypeError):
        for complete in (hash_data, hash_weights):
            record = complete(record)
            write_json(folder / layout.RECORD, record)


def _spare_imports(config: object) -> None:
    # LLaMA-Factory imports matplotlib whenever it is installed, 0.7 s, to draw the loss at the end.
    if isinstance(config, dict) and not config.get("plot_loss"):
        from llamafactory.extras import packages

        packages.is_matplotlib_available = lambda: False


if __name__ == "__main__":
    main()
