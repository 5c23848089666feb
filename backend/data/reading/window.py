"""The part of a file that is in memory while the places of its rows are looked for.

Knows nothing about rows.
"""

from __future__ import annotations

from typing import Protocol

CHUNK = 1 << 20
"""Bytes read at a time."""


class Bytes(Protocol):
    """What a scan needs of a file; an empty answer is its end."""

    def read(self, size: int, /) -> bytes: ...

    def tell(self) -> int: ...


class Window:
    """Positions in ``bytes`` count from its first byte, ``offset`` is that one's in the file."""

    def __init__(self, file: Bytes) -> None:
        self._file = file
        self.offset = file.tell()
        self.bytes = b""

    def grow(self, keep: int) -> bool:
        """Let go of what lies before ``keep`` and read on; what was at ``keep`` is then at 0.

        Reads as much as is kept, at least a chunk: a long row is then looked at few times.
        """
        kept = self.bytes[keep:]
        more = self._file.read(max(CHUNK, len(kept)))
        self.offset += keep
        self.bytes = kept + more
        return bool(more)
