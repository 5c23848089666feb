"""A file that the disk takes in while the rest of it is being made, so that it need not be waited
for at the end."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Thread

_SYNCED_BYTES = 32 << 20


class SyncedFile:
    """A new file. Used with ``with``: all of it is on the disk when the block ends well.

    Attributes:
        file: What is written to.
    """

    def __init__(self, path: Path) -> None:
        self.file = path.open("wb", buffering=1 << 17)  # by 8 kB it takes three times as long
        self._asked = 0
        self._thread: Thread | None = None
        self._error: OSError | None = None

    def __enter__(self) -> SyncedFile:
        return self

    def __exit__(self, kind: object, _error: object, _trace: object) -> None:
        if self._thread is not None:
            self._thread.join()
        with self.file:
            if kind is None:
                self.file.flush()
                os.fsync(self.file.fileno())
        if kind is None and self._error is not None:  # the system tells of each failure once
            raise self._error

    def go_on(self) -> None:
        """Let the disk take in what is written by now, if that is much."""
        written = self.file.tell()
        if written - self._asked < _SYNCED_BYTES:
            return
        if self._thread is None or not self._thread.is_alive():
            self._asked = written
            self._thread = Thread(target=self._sync, daemon=True)
            self._thread.start()

    def _sync(self) -> None:
        try:
            os.fsync(self.file.fileno())
        except OSError as error:
            self._error = error
