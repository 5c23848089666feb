"""A file of JSON lines that grows, read by the number of the line: what was found is remembered.

A look costs what has been added since the last one. A line that is not whole yet, since it is being
written or since the machine stopped while it was, is not there. Knows nothing about what the lines
mean.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Hashable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import orjson

from backend.files import check_writable

Key = Callable[[Mapping[str, Any]], Hashable]


class Last(NamedTuple):
    """The last line about something: its number, and the fact that is remembered of it."""

    number: int
    fact: Hashable


class JsonLines:
    """The objects in one file, in the order in which they were added.

    Args:
        key: What a line is about; of several lines about the same the last one counts. Where it
            raises ``KeyError`` or ``TypeError`` the line is passed over.
        fact: What is remembered of a line beside its place.
    """

    def __init__(self, path: Path, key: Key | None = None, fact: Key | None = None) -> None:
        self.path = path
        self._key = key
        self._fact = fact
        self._lock = threading.Lock()
        self._file: tuple[int, int] = (0, 0)
        self._places: list[tuple[int, int]] = []
        self._latest: dict[Hashable, Last] = {}
        self._end = 0

    def __len__(self) -> int:
        return len(self._seen())

    def read(self, start: int, end: int) -> list[Mapping[str, Any]]:
        """The objects from ``start`` to before ``end``, counted from 0; past the last are none."""
        places = self._seen()[max(start, 0) : end]
        return self._objects(places)

    def pick(self, numbers: Iterable[int]) -> list[Mapping[str, Any]]:
        """The objects of some numbers, in their order.

        Raises:
            IndexError: there is no such.
        """
        places = self._seen()
        return self._objects([places[number] for number in numbers])

    def latest(self) -> dict[Hashable, Last]:
        """For each key its last line, in the order in which keys first came."""
        self._seen()
        with self._lock:
            return self._latest.copy()

    def append(self, objects: Iterable[Mapping[str, Any]]) -> None:
        """Add objects at the end; what a crash left of one there is ended first.

        Raises:
            WorkspaceError: this dashboard only reads.
            OSError: the disk does not take it.
        """
        check_writable(self.path)
        content = b"".join(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in objects)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._lock, self.path.open("ab+") as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                content = content if file.read(1) == b"\n" else b"\n" + content
            file.write(content)

    def _seen(self) -> list[tuple[int, int]]:
        """Where the lines are; those that came since the last look are found now."""
        with self._lock:
            try:
                with self.path.open("rb") as file:
                    self._look(file.fileno())
                    file.seek(self._end)
                    self._take(file.read())
            except FileNotFoundError:
                self._forget((0, 0))
            return self._places.copy()

    def _look(self, handle: int) -> None:
        """Begin anew where it is another file by now, or was cut short."""
        status = os.fstat(handle)
        file = (status.st_dev, status.st_ino)
        if file != self._file or status.st_size < self._end:
            self._forget(file)

    def _forget(self, file: tuple[int, int]) -> None:
        self._file, self._places, self._latest, self._end = file, [], {}, 0

    def _take(self, content: bytes) -> None:
        whole = content[: content.rfind(b"\n") + 1]
        for line in whole.splitlines(keepends=True):
            self._note(line)
            self._end += len(line)

    def _note(self, line: bytes) -> None:
        try:
            found = orjson.loads(line)
            if not isinstance(found, dict):
                return
            if self._key is not None:
                fact = self._fact(found) if self._fact else None
                self._latest[self._key(found)] = Last(len(self._places), fact)
        except (orjson.JSONDecodeError, KeyError, TypeError):
            return
        self._places.append((self._end, len(line)))

    def _objects(self, places: Iterable[tuple[int, int]]) -> list[Mapping[str, Any]]:
        found: list[Mapping[str, Any]] = []
        if not (wanted := list(places)):
            return found
        with self.path.open("rb") as file:
            for start, size in wanted:
                file.seek(start)
                found.append(orjson.loads(file.read(size)))
        return found
