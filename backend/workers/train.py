"""The trainer: ``python -m backend.workers.train RUN_FOLDER`` trains what its ``config.yaml`` says.

The training is LLaMA-Factory's own, step for step what ``llamafactory-cli train config.yaml`` does;
what is added is a way to stop with a full checkpoint, a few numbers that its log lacks, and a last
word about how it ended (``exit.json``).
"""

from __future__ import annotations

import os
import sys
import threading
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

from backend.files import write_json
from backend.training import layout

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
            if self.stop_asked:
                raise StopBeforeTraining
            self._begun.set()

    @property
    def stop_asked(self) -> bool:
        return (self._folder / layout.STOP).exists()

    def _watch(self) -> None:
        while not self._begun.wait(POLL_SECONDS):
            with self._lock:
                if self.stop_asked and not self._begun.is_set():
                    leave(self._folder, 0, "stopped")


def main() -> None:
    """Train, say how it went, and leave."""
    folder = Path(sys.argv[1]).resolve()
    gate = Gate(folder)
    gate.watch()
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
    _spare_imports(config)
    from llamafactory.train.tuner import run_exp

    from backend.workers.train_callback import RunCallback

    callback = RunCallback(folder, gate)
    run_exp(config, callbacks=[callback])
    return "stopped" if callback.stopped else "finished"


def leave(
    folder: Path, code: int, reason: layout.Reason, error: BaseException | None = None
) -> NoReturn:
    """Write ``exit.json`` and end the process.

    Without the interpreter's own way out: taking torch apart costs time, and a thread that hangs
    would keep the process, and the GPU's memory, for ever.
    """
    ending = {
        "code": code,
        "reason": reason,
        "error": describe(error) if error else None,
        "when": datetime.now(UTC).isoformat(),
    }
    try:
        end_children()
        if error:
            traceback.print_exception(error)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:  # a full disk takes no more of the log; it may still take this
        _write_exit(folder, ending)
        os._exit(code)


def _write_exit(folder: Path, ending: dict[str, Any]) -> None:
    with suppress(OSError):
        write_json(folder / layout.EXIT, ending)


def describe(error: BaseException, *, limit: int = 400) -> str:
    """An exception in one line: its type and the first line of its message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ": ".join([type(error).__name__, *lines[:1]])[:limit]


def end_children() -> None:
    """End helper processes, for instance those that tokenise: nobody else will."""
    import psutil

    for child in psutil.Process().children(recursive=True):
        child.kill()


def _spare_imports(config: object) -> None:
    # LLaMA-Factory imports matplotlib whenever it is installed, 0.7 s, to draw the loss at the end.
    if isinstance(config, dict) and not config.get("plot_loss"):
        from llamafactory.extras import packages

        packages.is_matplotlib_available = lambda: False


if __name__ == "__main__":
    main()
