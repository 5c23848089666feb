"""How busy a run's GPUs are, by nvidia-smi, which comes with the driver.

A thread of the trainer's asks now and then; what a line of the log says is the mean since the line
before. Where there is no nvidia-smi, or the driver does not say (MIG), there is nothing to log, and
no error. Knows nothing about training.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence

ASK_SECONDS = 5.0
"""Between two questions. Each costs some 50 ms of another core; the driver's own figure is over the
last sixth of a second up to a second (nvidia-smi's manual), so that single ones say little."""

_COMMAND = ("nvidia-smi", "--query-gpu=utilization.gpu", "--format=csv,noheader,nounits")


class GpuUse:
    """Asks until it is closed, or until an answer says that none will come.

    Args:
        visible: The trainer's ``CUDA_VISIBLE_DEVICES``: numbers by place on the PCI bus, or names.
            All GPUs where None.
    """

    def __init__(
        self,
        visible: str | None,
        *,
        command: Sequence[str] = _COMMAND,
        seconds: float = ASK_SECONDS,
    ) -> None:
        self._command = [*command, *([f"--id={visible}"] if visible else [])]
        self._seconds = seconds
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._seen: list[float] = []
        self._thread = threading.Thread(target=self._work, name="GPU use", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Ask no more; does not wait for an answer under way."""
        self._ended.set()

    def take(self) -> float | None:
        """Per cent since this was last asked, the mean of answers and GPUs; None without any."""
        with self._lock:
            seen, self._seen = self._seen, []
        return sum(seen) / len(seen) if seen else None

    def _work(self) -> None:
        while not self._ended.wait(self._seconds):
            use = self._ask()
            if use is None:
                return
            with self._lock:
                self._seen.append(use)

    def _ask(self) -> float | None:
        try:
            answer = subprocess.run(
                self._command, capture_output=True, text=True, timeout=30, check=True,
                stdin=subprocess.DEVNULL,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError):
            return None
        return mean_use(answer.stdout)


def mean_use(answer: str) -> float | None:
    """The mean over the GPUs in nvidia-smi's answer, a line each; None where none has a figure."""
    figures = [float(line) for line in map(str.strip, answer.splitlines()) if line.isdecimal()]
    known = [figure for figure in figures if figure <= 100]
    return sum(known) / len(known) if known else None
