"""Opening a data file, and only as it was when it was first looked at.

Knows nothing about what is in it. Every other module of this package gets its bytes from here.
"""

from __future__ import annotations

import hashlib
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader, FileIO
from pathlib import Path
from threading import Thread

from backend.data.reading import window
from backend.data.reading.values import Progress, Stamp
from backend.data.reading.window import Bytes
from backend.errors import DataError

_TOLD_SECONDS = 0.2


def stamp_of(path: Path) -> Stamp:
    """By what a change of the file will be recognised.

    Raises:
        DataError: there is no such file, or it is none.
    """
    try:
        status = path.stat()
    except (OSError, ValueError) as error:  # ValueError: a NUL byte in the path
        raise unreadable(path, error) from error
    if stat.S_ISDIR(status.st_mode):
        raise DataError("data.errors.is_folder", name=path.name)
    if not stat.S_ISREG(status.st_mode):
        raise DataError("data.errors.not_a_file", name=path.name)
    return Stamp.of(status)


def opened(path: Path, stamp: Stamp) -> BufferedReader:
    """The file, at its start.

    Raises:
        DataError: it changed since its stamp was taken, or can't be read any more.
    """
    try:
        file: BufferedReader = BufferedReader(FileIO(path), window.CHUNK)
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    if Stamp.of(os.fstat(file.fileno())) != stamp:
        file.close()
        raise DataError("data.errors.file_changed", name=path.name)
    return file


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Tell a person why a disk does not give what a file holds."""
    try:
        yield
    except OSError as error:
        raise unreadable(path, error) from error


def sha256_of(path: Path, stamp: Stamp) -> str:
    """SHA-256 of a file's bytes, in hexadecimal digits.

    Raises:
        DataError: it changed since its stamp was taken, or meanwhile, or can't be read any more.
    """
    with opened(path, stamp) as file, reading(path):
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        if Stamp.of(os.fstat(file.fileno())) != stamp:
            raise DataError("data.errors.file_changed", name=path.name)
        return digest


def unreadable(path: Path, error: Exception) -> DataError:
    """Why a file can't be read, for a person."""
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return DataError("data.errors.file_missing", name=path.name)
    reason = getattr(error, "strerror", None) or str(error)
    return DataError("data.errors.file_unreadable", name=path.name, reason=reason)


def seldom(progress: Progress | None) -> Progress:
    """The same progress, told a few times a second however often it is called."""
    told = time.monotonic()

    def tell(done: int, total: int) -> None:
        nonlocal told
        if progress is not None and time.monotonic() - told > _TOLD_SECONDS:
            told = time.monotonic()
            progress(done, total)

    return tell


class Hashed:
    """A file whose bytes are hashed as they are read, so that no second pass is needed for it.

    A thread hashes what was read last while that is looked at.

    Args:
        file: At its start.
        skip: Bytes before the first that is asked for.
    """

    def __init__(self, file: Bytes, skip: int) -> None:
        self._file = file
        self._digest = hashlib.sha256(file.read(skip))
        self._thread: Thread | None = None

    def read(self, size: int, /) -> bytes:
        more = self._file.read(size)
        self._wait()
        self._thread = Thread(target=self._digest.update, args=(more,))
        self._thread.start()
        return more

    def _wait(self) -> None:
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def tell(self) -> int:
        return self._file.tell()

    def sha256(self) -> str:
        """SHA-256 of all of it, read to its end."""
        while self.read(window.CHUNK):
            pass
        self._wait()
        return self._digest.hexdigest()


class Watched:
    """A file whose reading is told about.

    Args:
        total: Bytes that there are to read.
    """

    def __init__(self, file: BufferedReader, total: int, progress: Progress | None) -> None:
        self._file = file
        self._total = total
        self._progress = seldom(progress)

    def read(self, size: int, /) -> bytes:
        self._progress(self._file.tell(), self._total)
        return self._file.read(size)

    def tell(self) -> int:
        return self._file.tell()
