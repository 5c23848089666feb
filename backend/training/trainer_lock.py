"""One trainer for one run's folder, whoever starts it and whoever is killed meanwhile.

The supervisor locks the folder (flock) and hands the open lock to the trainer that it starts, so
that there is no moment at which a trainer lives and nothing is locked: a dashboard that dies
between starting a trainer and noting it leaves a lock, and the next dashboard starts no second one.
The system lets the lock go with the trainer. Where there is no flock (Windows) nothing is locked.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from backend.files import write_json
from backend.flocks import open_lock
from backend.processes import ProcessId
from backend.training import layout

VARIABLE = "MEDTUNE_TRAINER_LOCK"
"""Tells a trainer under which number it got the open lock."""

_PATIENCE = 1.0


@dataclass(frozen=True)
class TrainerLock:
    """A folder's lock, held for as long as ``descriptor`` is open here or in a child."""

    descriptor: int

    @classmethod
    def take(cls, folder: Path, *, patience: float = _PATIENCE) -> TrainerLock | None:
        """The lock, or None where a trainer holds it for longer than ``patience`` seconds."""
        deadline = time.monotonic() + patience
        while (descriptor := open_lock(folder / layout.LOCK)) is None:
            if time.monotonic() >= deadline:
                return None
            time.sleep(0.02)
        return cls(descriptor)

    def close(self) -> None:
        """Let it go here; a child that was given it goes on holding it."""
        os.close(self.descriptor)


def claim(folder: Path) -> bool:
    """What a trainer does first: hold the lock, say which process it is, leave the queue.

    Of several processes under torchrun only the first does so, for the launcher that holds all.

    Returns:
        Whether this is the trainer of a run that has not ended; one that is not must leave without
        a word there.
    """
    launched = "LOCAL_RANK" in os.environ
    if not _inherit() and not launched and TrainerLock.take(folder) is None:
        return False
    if (folder / layout.EXIT).exists():  # it was cancelled at the last moment, or has ended
        return False
    process = ProcessId.of(os.getppid() if launched else os.getpid())
    if process is not None:
        write_json(folder / layout.PROCESS, asdict(process))
    (folder / layout.QUEUED).unlink(missing_ok=True)
    return True


def _inherit() -> bool:
    """Whether the supervisor has given this process the lock; helpers forked later let it go."""
    number = os.environ.pop(VARIABLE, "")
    if not number.isdigit() or "LOCAL_RANK" in os.environ:
        return False
    descriptor = int(number)
    try:
        os.set_inheritable(descriptor, False)
    except OSError:
        return False
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: _close(descriptor))
    return True


def _close(descriptor: int) -> None:
    with suppress(OSError):
        os.close(descriptor)
