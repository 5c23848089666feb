"""What was found out about data files, kept in the cache: indexes of rows, plain copies, hashes.

All are named after the file's path and stamp, so that a file that changed has others. None is
needed: what was cleared is made again. Knows nothing about what is in them.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO

from backend import units
from backend.data.reading import index, window
from backend.data.reading.index import Index, Spans, Told
from backend.data.reading.opening import seldom
from backend.data.reading.unpacking import plain_stream
from backend.data.reading.values import Form, Progress, Stamp
from backend.errors import DataError
from backend.files import replacing

KEPT_COPIES = 8
KEPT_INDEXES = 64
KEPT_HASHES = 1024

KEPT_BYTES = 32 << 30
"""Bytes that all plain copies may have together, but for the one just made."""

UNPACKED_LIMIT = 16 << 30
"""Bytes that a packed file may become: a hundred times the largest sets of medical questions."""

RATIO_LIMIT = 100
"""Times its packed size that a file may become. Text stays below 30, tables of repeated words below
60; gzip can't do above 1,032."""

RATIO_FREE = 256 << 20
"""Bytes up to which the ratio does not matter."""

ROOM_LEFT = 1 << 30
ROOM_LEFT_SHARE, ROOM_LEFT_MOST = 0.05, 16 << 30
"""A copy leaves free a share of the disk, at least and at most so many bytes: checkpoints need
them."""

_HASH = re.compile("[0-9a-f]{64}")
_ROOM_ASKED = 64 << 20
_PART_SECONDS = 24 * 3600


def _room_left(disk: int) -> int:
    return max(ROOM_LEFT, min(int(disk * ROOM_LEFT_SHARE), ROOM_LEFT_MOST))


class Store:
    """The part of a cache that belongs to one file as it is now."""

    def __init__(self, cache: Path, path: Path, stamp: Stamp) -> None:
        self._folder = cache / "rows"
        self._path = path
        self._stamp = stamp
        identity = (os.fsencode(path), stamp.inode, stamp.size, stamp.modified, index.VERSION)
        self._key = blake2b(repr(identity).encode(), digest_size=16).hexdigest()

    # Indexes

    def load(self) -> tuple[Form, Index] | None:
        """The index that was stored; None where there is none."""
        return index.load(self._index_file, self._path, self._stamp)

    @contextmanager
    def storing(self, told: Told | None = None) -> Iterator[tuple[BinaryIO, Spans]]:
        """A new index file, and what takes its rows; there when the block ends well.

        Args:
            told: As for ``Spans``.

        Raises:
            DataError: the cache can't be written.
        """
        with self._writing(), replacing(self._index_file, durable=False) as file:
            yield file, Spans(file, told)
        self._tidy("*.index", KEPT_INDEXES, self._index_file)

    def finish(self, file: BinaryIO, spans: Spans, form: Form, tail: index.Tail) -> None:
        """End an index file."""
        spans.flush()
        index.write_footer(file, self._path, self._stamp, form, tail)

    @property
    def _index_file(self) -> Path:
        return self._folder / f"{self._key}.index"

    # Hashes

    @property
    def sha256(self) -> str | None:
        """SHA-256 of the file in hexadecimal digits; None until it was hashed."""
        with suppress(OSError, UnicodeDecodeError):
            if not self._hash_file.is_symlink():
                words = self._hash_file.read_text("ascii")
                return words if _HASH.fullmatch(words) else None
        return None

    def keep_sha256(self, digest: str) -> None:
        """Remember the hash of the file.

        Raises:
            DataError: the cache can't be written.
        """
        with self._writing(), replacing(self._hash_file, durable=False) as file:
            file.write(digest.encode())
        self._tidy("*.sha256", KEPT_HASHES, self._hash_file)

    @property
    def _hash_file(self) -> Path:
        return self._folder / f"{self._key}.sha256"

    # Copies

    @property
    def is_cut(self) -> bool:
        """The plain copy was made of a file that ended too early."""
        return (self._folder / f"{self._key}.cut").is_file()

    def plain_copy(self, form: Form, source: BinaryIO, progress: Progress | None) -> Path:
        """The plain text of a file, made if it is not there. Its name ends in ``.cut`` where the
        file ended too early.

        Args:
            source: The file, at its start.

        Raises:
            DataError: it would become too large, or the cache can't be written.
        """
        for ending in ("plain", "cut"):
            copy = self._folder / f"{self._key}.{ending}"
            if copy.is_file() and not copy.is_symlink():
                with suppress(OSError):
                    os.utime(copy)
                return copy
        return self._make_copy(form, source, progress)

    def _make_copy(self, form: Form, source: BinaryIO, progress: Progress | None) -> Path:
        stream, unpacked = plain_stream(source, form)
        tell = seldom(progress)
        made = self._folder / f"{self._key}.plain"
        self._folder.mkdir(parents=True, exist_ok=True)
        with self._writing(), replacing(made, durable=False) as file:
            written = asked = 0
            while part := stream.read(window.CHUNK):
                if unpacked is not None:
                    self._refuse_bomb(unpacked.size)
                if written >= asked:
                    self._refuse_full_disk()
                    asked = written + _ROOM_ASKED
                file.write(part)
                written += len(part)
                tell(unpacked.packed if unpacked else source.tell(), self._stamp.size)
        if unpacked is not None and unpacked.cut:
            made = made.replace(made.with_suffix(".cut"))
        self._tidy("*.plain", KEPT_COPIES, made)
        self._tidy("*.cut", KEPT_COPIES, made)
        self._tidy_bytes(made)
        return made

    def _refuse_bomb(self, unpacked: int) -> None:
        packed = max(self._stamp.size, 1)
        many = unpacked > RATIO_FREE and unpacked > RATIO_LIMIT * packed
        if many or unpacked > UNPACKED_LIMIT:
            raise DataError(
                "data.errors.unpacks_too_far",
                name=self._path.name,
                packed=units.size(packed),
                unpacked=units.size(unpacked),
                limit=units.size(UNPACKED_LIMIT),
                ratio=f"{RATIO_LIMIT:,}",
            )

    def _refuse_full_disk(self) -> None:
        disk = shutil.disk_usage(self._folder)
        free, left = disk.free, _room_left(disk.total)
        if free < left:
            raise DataError(
                "data.errors.no_room_for_copy",
                name=self._path.name,
                free=units.size(free),
                left=units.size(left),
            )

    # Both

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Tell a person why the cache can't be written."""
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            raise DataError(
                "data.errors.cache_not_written", folder=str(self._folder), reason=reason
            ) from error

    def _tidy_bytes(self, made: Path) -> None:
        """Clear the copies used least until the rest is small enough."""
        with suppress(OSError):
            copies = [*self._folder.glob("*.plain"), *self._folder.glob("*.cut")]
            known = {one: one.stat() for one in copies if one != made}
            total = sum(status.st_size for status in known.values())
            for copy in sorted(known, key=lambda one: known[one].st_mtime):
                if total <= KEPT_BYTES:
                    return
                copy.unlink(missing_ok=True)
                total -= known[copy].st_size

    def _tidy(self, pattern: str, kept: int, made: Path) -> None:
        """Clear what was used least, never what was just made; and what a crash left behind."""
        with suppress(OSError):
            found = {file: file.stat().st_mtime for file in self._folder.glob(pattern)}
            found.pop(made, None)
            oldest = sorted(found, key=lambda file: found[file])
            for file in oldest[: max(len(oldest) - kept + 1, 0)]:
                file.unlink(missing_ok=True)
            for part in self._folder.glob(".*.part"):
                if part.stat().st_mtime < time.time() - _PART_SECONDS:
                    part.unlink(missing_ok=True)
