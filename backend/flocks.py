"""Locks that the system lets go with the process that holds them, and that a child can inherit.

``filelock`` has no way to hand a lock to a child; these are open file descriptors. Where there is
no flock (Windows, some network file systems) nothing is locked and nobody is refused.
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from types import ModuleType


def _flock() -> ModuleType | None:
    try:
        return import_module("fcntl")
    except ImportError:
        return None


_FCNTL = _flock()


def open_lock(path: Path) -> int | None:
    """A descriptor of the file, locked; None where another process holds its lock.

    Closing it lets the lock go, unless a child has inherited it.

    Raises:
        OSError: the file can't be made.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    if _FCNTL is None:
        return descriptor
    try:
        _FCNTL.flock(descriptor, _FCNTL.LOCK_EX | _FCNTL.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    except OSError:  # a file system without locks
        return descriptor
    return descriptor
