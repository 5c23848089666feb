"""Manifests by place, in one file: of what has no folder of its own that one could lie in.

That is links, whose folder is another's, and single data files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType

from filelock import FileLock

from backend.files import read_json, write_json
from backend.library.manifest import Manifest, manifest_of

_LOCK_SECONDS = 10


@dataclass(frozen=True)
class Register:
    """The manifests in one file; a place is a relative path with slashes."""

    path: Path

    def entries(self) -> Mapping[str, Manifest]:
        """All manifests by place; those that are damaged or can't be read are left out."""
        try:
            return self._read()
        except OSError:
            return {}

    def add(self, manifests: Mapping[str, Manifest]) -> None:
        """Note manifests; what was noted of the same places is replaced.

        Raises:
            OSError: the file can't be read or written, or another program holds it.
        """
        self._change(lambda entries: {**entries, **manifests})

    def remove(self, places: Iterable[str]) -> None:
        """Forget manifests; the others stay.

        Raises:
            OSError: as ``add``.
        """
        gone = frozenset(places)
        if gone.isdisjoint(self.entries()):
            return
        self._change(
            lambda entries: {place: one for place, one in entries.items() if place not in gone}
        )

    def _change(self, change: Callable[[Mapping[str, Manifest]], Mapping[str, Manifest]]) -> None:
        lock = self.path.with_name(f".{self.path.name.strip('.')}.lock")
        with FileLock(lock, timeout=_LOCK_SECONDS):
            before = self._read()
            after = change(before)
            if after != before:
                write_json(self.path, dict(after))

    def _read(self) -> Mapping[str, Manifest]:
        try:
            status = self.path.stat()
        except FileNotFoundError:
            return {}
        return _read(self.path, status.st_ino, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=8)
def _read(path: Path, inode: int, size: int, modified: int) -> Mapping[str, Manifest]:
    value = read_json(path)
    entries = value.items() if isinstance(value, dict) else ()
    found = {place: one for place, entry in entries if (one := manifest_of(entry)) is not None}
    return MappingProxyType(found)
