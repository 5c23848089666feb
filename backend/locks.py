"""Locks between processes that one waits for; ``flocks.py`` has those that a child inherits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from backend.errors import MedTuneError


@contextmanager
def held(path: Path, *, seconds: float, busy: MedTuneError) -> Iterator[None]:
    """Hold the lock of a file.

    Args:
        seconds: So long another process, or another holder in this one, is waited for.
        busy: Raised when that was in vain.
    """
    from filelock import FileLock, Timeout  # here: a data task's own process waits for no lock

    lock = FileLock(path, thread_local=False)
    try:
        lock.acquire(timeout=seconds)
    except Timeout as error:
        raise busy from error
    try:
        yield
    finally:
        lock.release()
