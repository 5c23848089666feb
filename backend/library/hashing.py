"""The hashes of files. A leaf: a download's process needs it and little else of the library."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from backend.library.manifest import read_manifest

_CHUNK = 4 << 20


def hash_file(path: Path, on_bytes: Callable[[int], None] = lambda _: None) -> str:
    """The SHA-256 of a file's content, in hexadecimal.

    Args:
        on_bytes: Called with the bytes of each chunk; what it raises ends the reading.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb") as stream:
        return _digest(stream, hashlib.sha256(), on_bytes)


def git_blob(path: Path) -> str:
    """What git calls a file's content: the SHA-1 of its size and its bytes, in hexadecimal.

    Git's own documentation, "Git Internals - Git Objects", says how.

    Raises:
        OSError: it can't be read.
    """
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        # No secret hangs on it; a system that allows no SHA-1 for secrets allows this.
        digest = hashlib.sha1(f"blob {size}\0".encode(), usedforsecurity=False)
        return _digest(stream, digest, lambda _: None)


def hash_of(folder: Path, path: str) -> str:
    """The SHA-256 of a file in a folder, from its manifest where the file did not change since.

    Of one that was found damaged it is read: a disk that loses bits changes no date.

    Raises:
        OSError: it can't be read.
    """
    status = (folder / path).stat()
    manifest = read_manifest(folder)
    entry = manifest.file(path) if manifest else None
    same = (
        entry
        and not entry.damaged
        and (entry.size, entry.modified_ns) == (status.st_size, status.st_mtime_ns)
    )
    return entry.sha256 if entry and same else hash_file(folder / path)


def _digest(stream: BinaryIO, digest: hashlib._Hash, on_bytes: Callable[[int], None]) -> str:
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
        on_bytes(len(chunk))
    return digest.hexdigest()
