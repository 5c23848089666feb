"""Copy files piece by piece, so that a copy can be watched and cancelled.

Knows nothing about what the files are.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.errors import LibraryError

_CHUNK = 4 << 20


@dataclass(frozen=True)
class Piece:
    """A file to copy.

    Attributes:
        source: Where it is; links are followed.
        place: Where it goes, under the copy's folder.
        size: Bytes.
    """

    source: Path
    place: Path
    size: int


def pieces_in(folder: Path, wanted: Callable[[Path], bool]) -> list[Piece]:
    """The wanted files in a folder and its folders, links followed, hidden ones not.

    Raises:
        LibraryError: a link leads nowhere or round in a circle, or a folder can't be read.
    """
    return [
        Piece(file, file.relative_to(folder), size)
        for file, size in _files(folder, seen=set())
        if wanted(file)
    ]


def _files(folder: Path, *, seen: set[Path]) -> Iterator[tuple[Path, int]]:
    real = folder.resolve()
    if real in seen:
        raise LibraryError("library.errors.link_loop", path=folder)
    seen.add(real)
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        reason = error.strerror or error
        raise LibraryError("library.errors.unreadable", path=folder, reason=reason) from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        try:
            status = entry.stat()
        except OSError as error:
            raise LibraryError("library.errors.link_broken", path=entry) from error
        if stat.S_ISDIR(status.st_mode):
            yield from _files(entry, seen=seen)
        elif stat.S_ISREG(status.st_mode):
            yield entry, status.st_size


def copy_piece(piece: Piece, target: Path, on_bytes: Callable[[int], None]) -> str:
    """Copy one file and see to it that it is on the disk; the SHA-256 of its content.

    Args:
        on_bytes: Called with the bytes of each chunk; what it raises ends the copy.

    Raises:
        LibraryError: the file became another while it was copied.
        OSError: it can't be read or written.
    """
    digest = hashlib.sha256()
    target.parent.mkdir(parents=True, exist_ok=True)
    with piece.source.open("rb") as source, target.open("xb") as copy:
        while chunk := source.read(_CHUNK):
            copy.write(chunk)
            digest.update(chunk)
            on_bytes(len(chunk))
        size = copy.tell()
        copy.flush()
        os.fsync(copy.fileno())
    if size != piece.size:
        raise LibraryError("library.errors.source_changed", path=piece.source)
    return digest.hexdigest()
