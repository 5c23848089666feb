"""Keeps the queue moving while the dashboard is up, whether or not a browser is open."""

from __future__ import annotations

import logging
import threading

from backend.errors import MedTuneError
from backend.training.supervisor import Supervisor

SECONDS = 1.0

log = logging.getLogger(__name__)


class Pump:
    """A thread that asks the supervisor once a second to start what can start."""

    def __init__(self, supervisor: Supervisor, *, seconds: float = SECONDS) -> None:
        self._supervisor = supervisor
        self._seconds = seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, name="queue of runs", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the thread; what it started goes on."""
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ended.wait(self._seconds):
            try:
                self._supervisor.pump()
            except (MedTuneError, OSError) as error:  # a full disk, a busy lock: the next time
                log.warning("The queue can't move on: %s", error)
            except Exception:  # a thread that dies here would stop the queue without a word
                log.exception("The queue can't move on")
