"""What is new in a file that another process appends lines to, or replaces.

A follower keeps the offset up to which it has read and so gets each line once. Knows nothing about
what the lines say.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

CHUNK = 4 * 1024 * 1024
"""Bytes taken by one read at most: some 20,000 lines. The next read gets the rest."""

_MARK = 64
"""Bytes at the beginning, and before the offset, by which a file is known again."""


@dataclass(frozen=True)
class Appended:
    """What a read brought.

    Attributes:
        replaced: The file is not the one that was read before: forget its lines, these are from
            the beginning.
        lines: Whole lines, without their ends. One still being written waits for the next read.
    """

    replaced: bool
    lines: list[bytes]


class Follower:
    """Reads a growing file line by line, for one thread at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._head = self._tail = b""
        self._file: tuple[int, ...] | None = None
        self._seen: tuple[int, ...] | None = None

    def read(self) -> Appended | None:
        """The next lines, or None where nothing is new. Call it until it gives None."""
        try:
            if _signature(os.stat(self._path)) == self._seen:
                return None
            with self._path.open("rb") as file:
                return self._read(file)
        except (FileNotFoundError, NotADirectoryError):
            return Appended(True, []) if self._forget() else None

    def _read(self, file: BinaryIO) -> Appended | None:
        signature = _signature(os.fstat(file.fileno()))
        replaced = not self._continues(file, signature)
        if replaced:
            self._forget()
        file.seek(self._offset)
        block = file.read(CHUNK)
        if len(block) == CHUNK:
            block += file.readline()
        else:
            # All of it has been read: until the file changes there is nothing to look for.
            self._seen = signature
        self._file = signature[:2]
        whole = block[: block.rfind(b"\n") + 1]
        self._offset += len(whole)
        self._head = (self._head + whole)[:_MARK]
        self._tail = (self._tail + whole)[-_MARK:]
        return Appended(replaced, whole.split(b"\n")[:-1]) if whole or replaced else None

    def _continues(self, file: BinaryIO, signature: tuple[int, ...]) -> bool:
        """Whether the file is the one that was read before, and still has what was read of it.

        The number of a deleted file is given to the next one, and a log that was emptied grows past
        the offset again: so the bytes themselves are looked at too.
        """
        if self._file is None or self._offset == 0:
            return True
        if signature[:2] != self._file or signature[2] < self._offset:
            return False
        if file.read(len(self._head)) != self._head:
            return False
        file.seek(self._offset - len(self._tail))
        return bool(file.read(len(self._tail)) == self._tail)

    def _forget(self) -> bool:
        """Start over; True if anything had been read."""
        had = self._offset > 0
        self._offset = 0
        self._head = self._tail = b""
        self._file = self._seen = None
        return had


def _signature(stat: os.stat_result) -> tuple[int, ...]:
    """Device, inode, size and time of the last change."""
    return stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns
