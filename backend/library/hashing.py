"""The SHA-256 of files. A leaf: a download's process needs it and little else of the library."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from backend.library.manifest import read_manifest

_CHUNK = 4 << 20


def hash_file(path: Path, on_bytes: Callable[[int], None] = lambda _: None) -> str:
    """The SHA-256 of a file's content, in hexadecimal.

    Args:
        on_bytes: Called with the bytes of each chunk; what it raises ends the reading.

    Raises:
        OSError: it can't be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            on_bytes(len(chunk))
    return digest.hexdigest()


def hash_of(folder: Path, path: str) -> str:
    """The SHA-256 of a file in a folder, from its manifest where the file did not change since.

    Raises:
        OSError: it can't be read.
    """
    status = (folder / path).stat()
    manifest = read_manifest(folder)
    entry = manifest.file(path) if manifest else None
    same = entry and (entry.size, entry.modified_ns) == (status.st_size, status.st_mtime_ns)
    return entry.sha256 if entry and same else hash_file(folder / path)
