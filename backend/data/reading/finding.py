"""From a path to the rows of a file: what it is, where its rows are, what was stored of that.

The order of things: an index that is stored, else the beginning, which says what the file is and
whether it can be read, else one scan of all of it, by way of a plain copy where it has none.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from io import BufferedReader, BytesIO, FileIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from backend.data.reading.index import Index
from backend.data.reading.needle import Needle
from backend.data.reading.opening import Hashed, Watched, opened, sha256_of, stamp_of
from backend.data.reading.store import Store
from backend.data.reading.text_rows import TextRows
from backend.data.reading.values import TRIED_ROWS, Form, Found, Progress, Row, Stamp
from backend.data.reading.window import CHUNK
from backend.errors import DataError

if TYPE_CHECKING:
    from backend.data.reading.beginning import Beginning

SMALL = 1 << 20
"""Bytes of plain text up to which all rows are found where only the first were asked for."""


ToldOf = Callable[[Form, bytes], None]
"""Called as ``Told`` is, with what the file is. Not called for a file that has a plain copy, or
whose rows are known."""


class RowSource(Protocol):
    """Where rows come from."""

    @property
    def count(self) -> int: ...

    def rows(self, first: int, end: int) -> Iterator[Row]: ...

    def values(self, places: Iterable[int]) -> Iterator[dict[str, Any] | None]: ...

    def search(self, needle: Needle, first: int, seconds: float, limit: int) -> Found: ...


@dataclass(frozen=True)
class FoundRows:
    """The rows of a file as it was then.

    Attributes:
        stamp: By what a change of the file is recognised.
        form: What it is.
        complete: All its rows are known; else only those at its beginning.
        sha256: Gives SHA-256 of the file's bytes, unless it changed since.
    """

    stamp: Stamp
    form: Form
    rows: RowSource
    complete: bool
    sha256: Callable[[], str]


class Finding:
    """The ways from a path to the rows of a file."""

    def __init__(self, path: Path, cache: Path) -> None:
        self._path = path
        self._stamp = stamp_of(path)
        self._store = Store(cache, path, self._stamp)

    def whole(self, progress: Progress | None, told: ToldOf | None = None) -> FoundRows:
        """All rows.

        Args:
            told: Told of rows as they are found.

        Raises:
            DataError: it can't be read, or has none.
        """
        if (stored := self._stored()) is not None:
            return stored
        # Not kept under a name here, so that it can be let go of before the scan.
        return self._complete(_beginning_of(self._path, self._stamp, TRIED_ROWS), progress, told)

    def beginning(self, rows: int) -> FoundRows:
        """As many rows as asked for, or as are in a few megabytes; all where they are known.

        Raises:
            DataError: it can't be read, or has none.
        """
        if (stored := self._stored()) is not None:
            return stored
        start = _beginning_of(self._path, self._stamp, rows)
        small = start.whole and len(start.text) <= SMALL
        if start.form.kind == "parquet" or small or not start.index.count:
            return self._complete(start, None)
        return self._rows_at_start(start)

    def sha256(self) -> str:
        """SHA-256 of the file's bytes, in hexadecimal digits; read once while it stays as it is.

        Raises:
            DataError: it changed, or can't be read any more; or the cache can't be written.
        """
        opened(self._path, self._stamp).close()
        known = self._store.sha256
        if known is None:
            known = sha256_of(self._path, self._stamp)
            self._store.keep_sha256(known)
        return known

    def _stored(self) -> FoundRows | None:
        """The reader of a file whose index is stored."""
        found = self._store.load()
        return self._reader(*found) if found is not None else None

    def _rows_at_start(self, start: Beginning) -> FoundRows:
        """The rows at the beginning; refuses a file of which none can be read."""
        in_memory = not start.form.is_plain
        opening = self._opened_text(start.text) if in_memory else self._opened_plain(start.form)
        return self._checked(
            start.form, TextRows(start.form, start.index, opening), complete=start.whole
        )

    def _complete(
        self, start: Beginning, progress: Progress | None, told: ToldOf | None = None
    ) -> FoundRows:
        form = start.form
        if form.kind == "parquet":
            from backend.data.reading.parquet_rows import ParquetRows  # here: few files need it

            rows = ParquetRows(self._path, self._opened_plain(form, progress))
            return self._checked(form, rows)
        if start.index.count:  # else its first row is longer than a beginning
            self._rows_at_start(start)
        del start  # its text may be megabytes, which the scan needs for itself
        return self._reader(form, self._scan(form, progress, told))

    def _reader(self, form: Form, index: Index) -> FoundRows:
        return self._checked(form, TextRows(form, index, self._opened_plain(form)))

    def _checked(self, form: Form, rows: RowSource, *, complete: bool = True) -> FoundRows:
        _refuse_if_unreadable(self._path.name, form, rows)
        return FoundRows(self._stamp, form, rows, complete, self.sha256)

    def _scan(self, form: Form, progress: Progress | None, told: ToldOf | None) -> Index:
        """Find all rows and store where they are."""
        from backend.data.reading.beginning import end_of_cut, refuse_more, scan

        tell = partial(told, form) if told is not None and form.is_plain else None
        first, second = _halves(progress) if not form.is_plain else (None, progress)
        with self._opened_plain(form, first)() as file, self._store.storing(tell) as (out, spans):
            size = os.fstat(file.fileno()).st_size
            watched = Watched(file, size, second)
            hashed = Hashed(watched, form.start) if form.is_plain else None
            if hashed is None:
                file.seek(form.start)
            tail = scan(hashed or watched, form, spans)
            refuse_more(tail, self._path)
            if self._store.is_cut:
                tail = end_of_cut(spans, tail, size)
            self._store.finish(out, spans, form, tail)
            if hashed is not None:
                self._keep_hash(file, hashed)
        stored = self._store.load()
        if stored is None:
            raise DataError("data.errors.index_lost", name=self._path.name)
        return stored[1]

    def _keep_hash(self, file: BufferedReader, hashed: Hashed) -> None:
        """Remember the hash that the scan made, if the file stayed as it was meanwhile."""
        digest = hashed.sha256()
        if Stamp.of(os.fstat(file.fileno())) == self._stamp:
            self._store.keep_sha256(digest)

    def _opened_plain(
        self, form: Form, progress: Progress | None = None
    ) -> Callable[[], BufferedReader]:
        """What opens the plain text, or Parquet: the file itself, or a copy in the cache."""
        if form.is_plain:
            return partial(opened, self._path, self._stamp)

        def open_copy() -> BufferedReader:
            with opened(self._path, self._stamp) as source:
                copy = self._store.plain_copy(form, source, progress)
            return BufferedReader(FileIO(copy), CHUNK)

        return open_copy

    def _opened_text(self, text: bytes) -> Callable[[], BinaryIO]:
        """What opens a text in memory, as long as the file is as it was."""

        def open_text() -> BinaryIO:
            opened(self._path, self._stamp).close()
            return BytesIO(text)

        return open_text


def _beginning_of(path: Path, stamp: Stamp, rows: int) -> Beginning:
    # Imported here: where an index is stored, its scanners and their patterns are a tenth of what a
    # process that prepares a dataset takes to start.
    from backend.data.reading.beginning import beginning_of

    return beginning_of(path, stamp, rows)


def part_of(path: Path, stamp: Stamp, form: Form, pairs: bytes) -> FoundRows:
    """Some rows of a plain file, whose places ``ToldOf`` told; numbered from the first of them."""
    rows = TextRows(form, Index(array("Q", pairs)), partial(opened, path, stamp))
    return FoundRows(stamp, form, rows, False, partial(sha256_of, path, stamp))


def known_sha256(path: Path, cache: Path) -> str | None:
    """SHA-256 of a file as it is now, if it was hashed before; nothing of it is read."""
    try:
        return Store(cache, path, stamp_of(path)).sha256
    except DataError:  # gone, which its reader tells
        return None


def _halves(progress: Progress | None) -> tuple[Progress | None, Progress | None]:
    """The same progress for two passes, of which each is half."""
    if progress is None:
        return None, None
    return (
        lambda done, total: progress(done // 2, total),
        lambda done, total: progress((total + done) // 2, total),
    )


# --- Refusals -----------------------------------------------------------------------------------

_REFUSALS = {
    "data.problems.row_not_utf8": "data.errors.not_utf8",
    "data.problems.row_not_json": "data.errors.not_json",
    "data.problems.row_not_object": "data.errors.not_objects",
    "data.problems.row_large": "data.errors.large_at_once",
    "data.problems.row_deep": "data.errors.deep_at_once",
    "data.problems.file_truncated": "data.errors.truncated_at_once",
    "data.problems.file_unpacked": "data.errors.packed_broken",
}


def _refuse_if_unreadable(name: str, form: Form, source: RowSource) -> None:
    """Refuse a file without rows, and one of which none of the first can be read."""
    if source.count == 0:
        raise DataError("data.errors.no_rows", name=name)
    rows = list(source.rows(0, min(TRIED_ROWS, source.count)))
    if form.kind == "json_lines" and source.count == 1:
        _refuse_columns(name, rows[0])
    problems = [row.problem for row in rows if row.value is None]
    if len(problems) < len(rows):
        return
    first = problems[0]
    if first is not None and first.key in _REFUSALS:
        raise DataError(_REFUSALS[first.key], name=name, **first.params)
    raise DataError("data.errors.no_readable_row", name=name)


def _refuse_columns(name: str, row: Row) -> None:
    """Refuse one object of columns, as pandas writes: ``{"Question": ["…", "…"], …}``."""
    columns = list(row.value.values()) if row.value else []
    lists = [list(column) for column in columns if isinstance(column, list | dict)]
    if len(columns) < 2 or len(lists) < len(columns) or len(set(map(len, lists))) > 1:
        return
    plain = not any(isinstance(one, list | dict) for column in lists for one in column)
    if plain and len(lists[0]) > 1:
        raise DataError("data.errors.one_of_columns", name=name)
