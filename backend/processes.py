"""Which process is which, for as long as the machine is up.

A process id alone says little: it is given to another program once its owner is gone. An id and the
moment at which its process began name one process only. Knows nothing about training.

psutil is imported where it is used: a download's process does not use it and starts sooner.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import psutil

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


@dataclass(frozen=True)
class ProcessId:
    """A process that can't be mistaken for another one.

    Attributes:
        pid: The system's number, used again for other processes later.
        born: When the process began, as an opaque text to compare; empty for one that has ended.
    """

    pid: int
    born: str

    @classmethod
    def of(cls, pid: int) -> ProcessId | None:
        """The process that has ``pid`` now, or None where none has."""
        born = _born(pid)
        return None if born is None else cls(pid, born)

    def is_alive(self) -> bool:
        """Whether this very process runs; one that ended and waits to be reaped does not."""
        return bool(self.born) and _born(self.pid) == self.born


def same_boot(born: str) -> bool | None:
    """Whether a process was born since this machine started; None where that can't be told."""
    try:
        boot = _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return born.startswith(f"{boot}:") if ":" in born else None


def end_group(process: ProcessId, *, patience: float = 2.0) -> None:
    """End a session leader and the processes of its group, kindly first, then by force.

    Args:
        process: The leader; nothing happens when it is gone already.
        patience: Seconds between asking (SIGTERM) and forcing (SIGKILL).
    """
    if not process.is_alive():
        return
    children = _children(process.pid)
    _signal_group(process.pid, signal.SIGTERM)
    _wait(process, patience)
    # Also when the leader is gone: its helpers (tokenising workers) may not have listened.
    if process.is_alive() or any(child.is_running() for child in children):
        _signal_group(process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    for child in children:
        _kill(child)
    _wait(process, patience)


def _wait(process: ProcessId, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.02)


def _signal_group(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(pid, number)
        else:  # Windows has no groups to signal; the caller ends the children one by one
            os.kill(pid, number)


def _kill(process: psutil.Process) -> None:
    import psutil

    with suppress(psutil.NoSuchProcess):
        process.kill()


def _children(pid: int) -> list[psutil.Process]:
    import psutil

    try:
        return psutil.Process(pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def _born(pid: int) -> str | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
        boot = _BOOT_ID.read_text(encoding="ascii").strip()
    except OSError:
        return _born_elsewhere(pid)
    # The second field is the program's name in brackets and may hold spaces and brackets itself.
    fields = stat[stat.rindex(b")") + 2 :].split()
    if fields[0] in (b"Z", b"X"):
        return None
    # Ticks since boot. psutil's create_time adds the clock to it, so it moves when that is set.
    return f"{boot}:{int(fields[19])}"


def _born_elsewhere(pid: int) -> str | None:
    """Where there is no /proc: macOS, Windows; and on Linux where the process is gone."""
    import psutil

    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        return f"{process.create_time():.2f}"
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
