"""Work in a thread that can be watched, waited for and cancelled."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from backend.errors import LibraryError, MedTuneError

State = Literal["copying", "checking", "done", "failed", "cancelled"]


class Cancelled(Exception):
    """The person does not want it any more."""


@dataclass
class Job(ABC):
    """Work under way or ended. Anyone may read it; only its thread changes it.

    Attributes:
        state: ``"copying"`` or ``"checking"`` until it ends.
        error: Why it failed; None in every other state.
    """

    state: State = field(kw_only=True)
    error: MedTuneError | None = field(default=None, kw_only=True)
    _cancelled: threading.Event = field(default_factory=threading.Event, repr=False, kw_only=True)
    _ended: threading.Event = field(default_factory=threading.Event, repr=False, kw_only=True)

    def cancel(self) -> None:
        """Ask for the end. What has ended stays as it is."""
        self._cancelled.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait for the end, at most ``timeout`` seconds; whether it has come."""
        return self._ended.wait(timeout)

    def run(self, work: Callable[[], None]) -> None:
        """Do the work; called once, in the job's thread."""
        working = self.state
        try:
            state, self.error = self._outcome(work)
            self.state = state
        finally:
            if self.state == working:  # a fault of the program, on its way to the log
                self.state = "failed"
            self._ended.set()

    def go_on(self) -> None:
        """Raises Cancelled: it was asked for; called by the work, several times a second."""
        if self._cancelled.is_set():
            raise Cancelled

    @abstractmethod
    def _told(self, error: OSError) -> LibraryError:
        """What to say of a disk that fails."""

    def _outcome(self, work: Callable[[], None]) -> tuple[State, MedTuneError | None]:
        try:
            work()
        except Cancelled:
            return "cancelled", None
        except MedTuneError as error:
            return "failed", error
        except OSError as error:
            return "failed", self._told(error)
        return "done", None
