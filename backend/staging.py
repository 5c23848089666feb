"""Folders that are whole or absent: built under a hidden name, then renamed.

The twin of ``backend.files`` for things that are more than one file. What a killed process leaves
behind is told from what a living one is building by a lock, which the system lets go with the
process.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from backend.files import check_writable


@contextmanager
def staging(parent: Path, prefix: str) -> Iterator[Path]:
    """An empty folder on the file system of ``parent``; gone when the block ends.

    What should stay is renamed out of it before.

    Args:
        prefix: Start of the hidden folder's name, with its dot, e.g. ``".importing-"``.
    """
    check_writable(parent)
    folder, lock = _made(parent, prefix)
    try:
        content = folder / "content"
        content.mkdir()
        yield content
    finally:
        lock.release()
        shutil.rmtree(folder, ignore_errors=True)


def clear_leftovers(parent: Path, prefix: str) -> None:
    """Remove the staging folders under ``parent`` whose process is gone."""
    with _gate(parent):
        for folder in parent.glob(f"{prefix}*"):
            if _abandoned(folder):
                shutil.rmtree(folder, ignore_errors=True)


def _made(parent: Path, prefix: str) -> tuple[Path, FileLock]:
    with _gate(parent):
        folder = Path(tempfile.mkdtemp(dir=parent, prefix=prefix))
        lock = _lock_of(folder)
        lock.acquire()
        return folder, lock


def _abandoned(folder: Path) -> bool:
    lock = _lock_of(folder)
    try:
        lock.acquire(blocking=False)
    except (Timeout, OSError):
        return False
    lock.release()
    return True


def _lock_of(folder: Path) -> FileLock:
    return FileLock(folder / "lock")


def _gate(parent: Path) -> FileLock:
    """Held while a folder is made or cleared: none is cleared before it has its lock."""
    return FileLock(parent / ".staging.lock")
