"""Bring what arrives to the disk while more arrives.

A file must be on the disk before anything says that it is whole. Left to the end, a gigabyte takes
a third of a second of waiting for nothing else; on the way it costs nothing.
"""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

_SECONDS = 0.05
_STEP = 16 << 20
"""Bytes that may be in memory alone: fewer would make a slow line write for every packet."""

_sync = getattr(os, "fdatasync", os.fsync)


class Flushing:
    """Flushes the partial files in a folder from time to time, until the block ends."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._flushed: dict[Path, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="flush", daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._ended.wait(_SECONDS):
            self.flush()

    def flush(self) -> list[Path]:
        """Flush the files that have grown enough since; the result is which."""
        done = []
        for path in self._folder.rglob("*.incomplete"):
            # It may be whole, and have another name, by now; a disk that fails fails the transfer.
            with suppress(OSError):
                size = path.stat().st_size
                if abs(size - self._flushed.get(path, 0)) >= _STEP:
                    _flush(path)
                    self._flushed[path] = size
                    done.append(path)
        return done


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDWR)
    try:
        _sync(handle)
    finally:
        os.close(handle)
