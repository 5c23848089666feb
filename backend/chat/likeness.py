"""Which folders hold the same weights, whatever they are called.

Only what could be the same is read: files of the same sizes. That happens in a thread, once for
each file as it stands; until then folders count as different.
"""

from __future__ import annotations

import hashlib
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from backend.files import read_json, write_json
from backend.library.weights import pickle_files, weight_files

File = tuple[str, int, int]
"""A weight file's resolved path, its size in bytes and its time of change in nanoseconds."""


class Likeness:
    """Compares folders of weights. Safe among threads.

    Args:
        store: The file in which hashes are kept from one start to the next.
        tell: Called when folders may be known to be the same that were not before.
    """

    def __init__(self, store: Path, tell: Callable[[], None] = lambda: None) -> None:
        self._store = store
        self._tell = tell
        self._lock = threading.Lock()
        self._known: dict[File, str] | None = None
        self._wanted: list[File] = []
        self._unreadable: set[File] = set()
        self._reader: threading.Thread | None = None

    def marks(self, folders: Sequence[Path]) -> Mapping[Path, str]:
        """A mark for each folder: equal where the weights are known to be."""
        files = {folder: _files(folder) for folder in folders}
        # Links to the same files need no reading.
        alike = Counter(_sizes(found) for found in set(files.values()) if found)
        with self._lock:
            known = self._hashes()
            marks = {}
            for folder, found in files.items():
                hashes = [known.get(file) for file in found]
                if found and all(hashes):
                    marks[folder] = "|".join(sorted(filter(None, hashes)))
                else:
                    marks[folder] = repr(found or folder)
                    if alike[_sizes(found)] > 1:
                        self._read_later([file for file in found if file not in known])
        return marks

    def wait(self, seconds: float) -> None:
        """Wait until nothing is being read, at most so long."""
        reader = self._reader
        if reader is not None:
            reader.join(seconds)

    def _hashes(self) -> dict[File, str]:
        if self._known is None:
            self._known = _load(self._store)
        return self._known

    def _read_later(self, files: Sequence[File]) -> None:
        """Let the thread read these; the lock is held."""
        self._wanted += [
            one for one in files if one not in self._wanted and one not in self._unreadable
        ]
        if self._wanted and (self._reader is None or not self._reader.is_alive()):
            self._reader = threading.Thread(target=self._read, daemon=True, name="likeness")
            self._reader.start()

    def _read(self) -> None:
        while True:
            with self._lock:
                if not self._wanted:
                    # Before the lock is let go: whoever wants more then starts another thread.
                    self._reader = None
                    return
                file = self._wanted[0]
            digest = _digest(file)
            with self._lock:
                self._wanted.remove(file)
                known = self._hashes()
                if digest is None:
                    self._unreadable.add(file)
                    continue
                known[file] = digest
                _save(self._store, known)
            self._tell()


def _files(folder: Path) -> tuple[File, ...]:
    """The weight files of a folder by their sizes; none where they can't be looked at."""
    try:
        paths = sorted(path.resolve() for path in weight_files(folder) or pickle_files(folder))
        facts = [(path, path.stat()) for path in paths]
    except OSError:
        return ()
    return tuple((str(path), one.st_size, one.st_mtime_ns) for path, one in facts)


def _sizes(files: Sequence[File]) -> tuple[int, ...]:
    return tuple(sorted(size for _, size, _ in files))


def _digest(file: File) -> str | None:
    """SHA-256 of a file, unless it has changed meanwhile or can't be read."""
    path = Path(file[0])
    try:
        with path.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
        after = path.stat()
    except OSError:
        return None
    return digest if (after.st_size, after.st_mtime_ns) == file[1:] else None


def _load(store: Path) -> dict[File, str]:
    try:
        content: Any = read_json(store)
        return {(str(p), int(size), int(time)): str(digest) for p, size, time, digest in content}
    except (OSError, ValueError, TypeError):
        return {}


def _save(store: Path, known: Mapping[File, str]) -> None:
    """Keep what is known of files that are still there; it can be found out again."""
    kept = [[*file, digest] for file, digest in known.items() if Path(file[0]).is_file()]
    with suppress(OSError):
        write_json(store, kept, durable=False)
