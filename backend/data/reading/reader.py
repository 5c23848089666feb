"""Rows of a data file, by number, whatever its kind, its encoding and its size.

Opening scans the file once for the places where rows begin, and keeps them in the cache; reading a
page then costs that page. A row that can't be read is a ``Row`` with a problem, so that it is named
and the rest is not lost. Knows nothing about what the columns mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from backend.data.reading.finding import Finding, FoundRows, ToldOf, known_sha256, part_of
from backend.data.reading.needle import Needle
from backend.data.reading.opening import opened, reading
from backend.data.reading.values import Encoding, Form, Found, Kind, Progress, Row, Stamp

__all__ = ["Found", "Kind", "Row", "RowReader", "Stamp", "known_sha256"]


class RowReader:
    """The rows of one file as it was when it was opened. Holds no open file.

    Attributes:
        path: The file.
        stamp: By what a change of it is recognised.
        kind: What its rows are written as, whatever its name says.
        encoding: Of its text.
        packed: It is packed with gzip.
        complete: All its rows are known; else only those at its beginning.
    """

    def __init__(self, path: Path, found: FoundRows) -> None:
        self.path = path
        self.stamp = found.stamp
        self.kind: Kind = found.form.kind
        self.encoding: Encoding = found.form.encoding
        self.packed = found.form.packed
        self.complete = found.complete
        self._rows = found.rows
        self._sha256 = found.sha256

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        cache: Path,
        progress: Progress | None = None,
        told: ToldOf | None = None,
    ) -> RowReader:
        """Find the rows of a file: one scan, remembered for as long as the file does not change.

        Args:
            cache: Folder for the places of the rows, and for the plain text of a file that is
                packed or in another encoding.
            progress: Told how many bytes are done, of how many; what it raises ends the scan.
            told: Told of rows while the rest are looked for; ``part`` reads them.

        Raises:
            DataError: there is no such file, it is no text, or holds nothing that looks like rows;
                or the cache can't be written.
        """
        return cls(path, Finding(path, cache).whole(progress, told))

    @classmethod
    def part(cls, path: Path, stamp: Stamp, form: Form, pairs: bytes) -> RowReader:
        """Some rows of a file that ``told`` was told of, numbered from the first of them.

        Args:
            stamp: Of the file when it was opened: a file that changed since is refused.
            form, pairs: As they were told.
        """
        return cls(path, part_of(path, stamp, form, pairs))

    @classmethod
    def glance(cls, path: Path, *, cache: Path, rows: int = 200) -> RowReader:
        """The first rows of a file, or all where the file is small or was opened before.

        Reads a few megabytes at most, whatever the size of the file; all of it only where the file
        is Parquet inside gzip, whose table of contents is at its end.

        Args:
            rows: As many are wanted; there may be more, or fewer where they are long.

        Raises:
            DataError: as for ``open``.
        """
        return cls(path, Finding(path, cache).beginning(rows))

    @property
    def count(self) -> int:
        """Number of rows that are known, unreadable ones included."""
        return self._rows.count

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.stamp.size

    def page(self, start: int, size: int) -> list[Row]:
        """Up to ``size`` rows from row ``start`` on, counted from 0; past the end there are none.

        Raises:
            DataError: the file changed since it was opened, or can't be read any more.
        """
        first = max(start, 0)
        return list(self.rows(first, first + max(size, 0)))

    def rows(self, first: int, end: int) -> Iterator[Row]:
        """The rows from ``first`` to before ``end``, counted from 0; past the last there are none.

        Raises:
            DataError: the file changed since it was opened, or can't be read any more.
        """
        with reading(self.path):
            yield from self._rows.rows(max(first, 0), min(end, self.count))

    def __iter__(self) -> Iterator[Row]:
        return self.rows(0, self.count)

    def values(self, places: Iterable[int]) -> Iterator[dict[str, Any] | None]:
        """The columns of rows that were read before and found good, in half the time of ``rows``.

        Args:
            places: Counted from 0, ascending.

        Returns:
            None for a row that can't be read now.

        Raises:
            DataError: the file changed since it was opened, or can't be read any more.
        """
        with reading(self.path):
            yield from self._rows.values(places)

    def search(self, words: str, *, start: int, seconds: float = 1.0, limit: int = 50) -> Found:
        """Rows that hold the words in any value, as they are written but for case.

        Args:
            start: Number of the first row to look at, from 1.
            seconds: So long at most; a little more, for the last rows that are looked at.
            limit: So many at most.

        Raises:
            DataError: the file changed since it was opened, or can't be read any more.
        """
        first = max(start, 1) - 1
        if first >= self.count or not words:
            return Found([], self.count)
        with reading(self.path):
            return self._rows.search(Needle(words), first, seconds, max(limit, 1))

    def opened(self) -> BinaryIO:
        """The file's own bytes, at their start.

        Raises:
            DataError: it changed since its rows were found, or can't be read any more.
        """
        return opened(self.path, self.stamp)

    def sha256(self) -> str:
        """SHA-256 of the file's own bytes, in hexadecimal digits; the scan of a text makes it.

        Raises:
            DataError: it changed since its rows were found, or can't be read any more; or the cache
                can't be written.
        """
        return self._sha256()
