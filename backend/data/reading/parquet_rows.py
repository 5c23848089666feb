"""The rows of a Parquet file. What JSON has no word for (dates, decimals, bytes) becomes text.

Knows nothing about other kinds. Row groups are read when their rows are asked for; a page far
behind the start of a group takes the whole group, which is then kept for the next.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import date, datetime
from datetime import time as clock
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from backend.data.reading.form import numbered
from backend.data.reading.needle import Needle
from backend.data.reading.parsing import not_numbers
from backend.data.reading.values import Found, Row
from backend.errors import DataError
from backend.problems import Problem

if TYPE_CHECKING:
    import pyarrow as pa  # type: ignore[import-untyped]
    from pyarrow.parquet import ParquetFile  # type: ignore[import-untyped]

BATCH = 512
"""Rows that are made into Python's values at once."""

SKIPPED = 4096
"""So many rows of a group are read over to come to the first; for more the group is kept."""

GROUP_LIMIT = 256 << 20
"""Largest group that is kept, in bytes when unpacked."""


class ParquetRows:
    """Rows by the groups they are in.

    Args:
        opened: Opens the file at its start; called for each time rows are read.

    Raises:
        DataError: it is no Parquet, or damaged.
    """

    def __init__(self, path: Path, opened: Callable[[], BinaryIO]) -> None:
        self._path = path
        self._opened = opened
        with self._parquet() as file:
            groups = range(file.num_row_groups)
            self._sizes = [file.metadata.row_group(group).num_rows for group in groups]
            self._bytes = [file.metadata.row_group(group).total_byte_size for group in groups]
        self.count = sum(self._sizes)

    def rows(self, first: int, end: int) -> Iterator[Row]:
        """The rows from ``first`` to before ``end``, counted from 0.

        Raises:
            DataError: a part of the file is damaged.
        """
        with self._parquet() as file:
            start = 0
            for group, size in enumerate(self._sizes):
                inside = range(max(first - start, 0), min(end - start, size))
                if inside:
                    yield from self._of_group(file, group, inside, start)
                start += size

    def values(self, places: Iterable[int]) -> Iterator[dict[str, Any] | None]:
        """The columns of rows that were read before, at ascending places; None for one that can't
        be read now."""
        wanted = iter(places)
        place = next(wanted, None)
        for row in self.rows(0, self.count):
            if row.number - 1 == place:
                yield row.value
                place = next(wanted, None)

    def search(self, needle: Needle, first: int, seconds: float, limit: int) -> Found:
        """Rows that hold the words, from place ``first`` on; at least one row is looked at."""
        found: list[int] = []
        reached, until = first, time.monotonic() + seconds
        for row in self.rows(first, self.count):
            reached = row.number
            if row.value is not None and needle.is_in(row.value):
                found.append(reached)
            if len(found) == limit or time.monotonic() > until:
                break
        return Found(found, reached)

    def _of_group(self, file: ParquetFile, group: int, inside: range, start: int) -> Iterator[Row]:
        number, skip, left = start + inside.start + 1, inside.start, len(inside)
        for table in self._tables(file, group, far=skip > SKIPPED):
            taken = table.slice(min(skip, len(table)), left)
            skip = max(skip - len(table), 0)
            left -= len(taken)
            for batch in taken.to_batches(max_chunksize=BATCH):
                yield from _rows_of(batch, number)
                number += len(batch)
            if left == 0:
                return

    def _tables(self, file: ParquetFile, group: int, *, far: bool) -> Iterator[pa.Table]:
        """The rows of a group, a few at a time or, for one far behind its start, all at once."""
        if far and self._bytes[group] <= GROUP_LIMIT:
            yield _kept_group(self, group)
            return
        import pyarrow as pa

        # Threads of pyarrow's would not live on in the processes that read ranges.
        found = file.iter_batches(batch_size=BATCH, row_groups=[group], use_threads=False)
        with self._told():
            for batch in found:
                yield _readable(pa.Table.from_batches([batch]))

    def group(self, group: int) -> pa.Table:
        """All rows of a group."""
        with self._parquet() as file, self._told():
            return _readable(file.read_row_group(group, use_threads=False))

    @contextmanager
    def _parquet(self) -> Iterator[ParquetFile]:
        from pyarrow.parquet import ParquetFile

        with self._opened() as file:
            with self._told():
                parquet = ParquetFile(file)
            yield parquet

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Tell a person what pyarrow says of a damaged file."""
        import pyarrow as pa

        try:
            yield
        except (pa.ArrowException, OSError) as error:
            reason = str(error).partition("\n")[0][:200]
            raise DataError(
                "data.errors.parquet_broken", name=self._path.name, reason=reason
            ) from error


@lru_cache(maxsize=1)
def _kept_group(rows: ParquetRows, group: int) -> pa.Table:
    return rows.group(group)


# --- Values -------------------------------------------------------------------------------------


def _readable(table: pa.Table) -> pa.Table:
    """A table whose columns have names of their own, and types that Python has values for."""
    import pyarrow as pa

    table = table.rename_columns(list(numbered(table.column_names)))
    types = [_readable_type(field.type) for field in table.schema]
    if types == table.schema.types:
        return table
    schema = pa.schema(list(zip(table.column_names, types, strict=True)))
    return table.cast(schema, safe=False)


def _readable_type(kind: Any) -> Any:
    """A type without nanoseconds, which Python's times don't have, at any depth."""
    import pyarrow as pa

    if pa.types.is_timestamp(kind):
        return pa.timestamp(_unit(kind), "UTC" if kind.tz else None)
    if pa.types.is_time64(kind):
        return pa.time64("us")
    if pa.types.is_duration(kind):
        return pa.duration(_unit(kind))
    if pa.types.is_list(kind):
        return pa.list_(_readable_type(kind.value_type))
    if pa.types.is_struct(kind):
        return pa.struct([(field.name, _readable_type(field.type)) for field in kind])
    return kind


def _unit(kind: Any) -> str:
    """A coarser unit is left alone: in microseconds a time far away would become another one."""
    return "us" if kind.unit == "ns" else str(kind.unit)


def _rows_of(batch: pa.RecordBatch, number: int) -> Iterator[Row]:
    """The rows of a batch; a value that Python can't hold costs its own row only."""
    try:
        values = batch.to_pylist()
    except _UNREADABLE:
        values = None
    for place in range(len(batch)):
        if values is None:
            yield _alone(batch, place, number + place)
        else:
            yield _row(number + place, values[place])


def _alone(batch: pa.RecordBatch, place: int, number: int) -> Row:
    """One row of a batch in which some value can't be read."""
    value: dict[str, Any] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            value[name] = column[place].as_py()
        except _UNREADABLE as error:
            key = "cell_not_text" if isinstance(error, UnicodeDecodeError) else "cell_out_of_range"
            return Row(number, None, Problem(f"data.problems.{key}", {"column": name}))
    return _row(number, value)


_UNREADABLE = (ValueError, OverflowError)
"""A text that is no UTF-8; a time before the year 1 or after 9999. pyarrow's own errors about
values are ValueErrors."""


def _row(number: int, value: dict[str, Any]) -> Row:
    odd = 0

    def plain(one: Any) -> Any:
        nonlocal odd
        match one:
            case None | str() | bool() | int():
                return one
            case float():
                odd += not math.isfinite(one)
                return one if math.isfinite(one) else None
            case dict():
                return {key: plain(inner) for key, inner in one.items()}
            case list() | tuple():
                return [plain(inner) for inner in one]
            case bytes():
                return _text_of(one)
            case datetime() | date() | clock():
                return one.isoformat()
        return str(one)

    plain_value = {key: plain(one) for key, one in value.items()}
    return Row(number, plain_value, None, (not_numbers(odd),) if odd else ())


def _text_of(raw: bytes) -> str:
    """Bytes as the text that they are, or else in hexadecimal digits."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.hex()
