"""Parquet: values that JSON has no word for, pages far inside a group, and damaged files."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pyarrow as pa
import pytest
from pyarrow import parquet

from backend.data.reading import parquet_rows
from backend.errors import DataError
from tests.fakes.data_files import contents, opened, refused, write


def saved(path: Path, columns: dict[str, Any] | pa.Table, **options: Any) -> Path:
    table = columns if isinstance(columns, pa.Table) else pa.table(columns)
    parquet.write_table(table, path, **options)
    return path


def test_values_become_what_json_has_words_for(tmp_path: Path) -> None:
    moment = dt.datetime(2026, 11, 24, 3, 6, 1)
    path = saved(
        tmp_path / "rows.parquet",
        {
            "text": ["头痛"],
            "number": [7],
            "share": [0.5],
            "flag": [True],
            "none": pa.array([None], pa.null()),
            "day": [moment.date()],
            "moment": pa.array([moment], pa.timestamp("ns")),
            "abroad": pa.array([moment], pa.timestamp("ns", "Asia/Shanghai")),
            "clock": [moment.time()],
            "price": [Decimal("1.50")],
            "bytes": [b"abc"],
            "binary": [b"\xff\x00"],
            "turns": [[{"role": "user", "at": moment}]],
            "options": [{"A": "x", "B": None}],
            "category": pa.array(["a"]).dictionary_encode(),
        },
    )
    assert contents(path) == [
        {
            "text": "头痛",
            "number": 7,
            "share": 0.5,
            "flag": True,
            "none": None,
            "day": "2026-11-24",
            "moment": "2026-11-24T03:06:01",
            "abroad": "2026-11-24T03:06:01+00:00",
            "clock": "03:06:01",
            "price": "1.50",
            "bytes": "abc",
            "binary": "ff00",
            "turns": [{"role": "user", "at": "2026-11-24T03:06:01"}],
            "options": {"A": "x", "B": None},
            "category": "a",
        }
    ]


def test_nan_is_read_as_null_with_a_note(tmp_path: Path) -> None:
    path = saved(tmp_path / "rows.parquet", {"a": [float("nan"), 1.0], "b": [float("inf"), 2.0]})
    rows = list(opened(path))
    assert [row.value for row in rows] == [{"a": None, "b": None}, {"a": 1.0, "b": 2.0}]
    assert [note.params for note in rows[0].notes] == [{"number": 2}]
    assert rows[1].notes == ()


def test_columns_of_one_name(tmp_path: Path) -> None:
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["a", "a"])
    assert contents(saved(tmp_path / "rows.parquet", table)) == [{"a": 1, "a_2": 2}]


@pytest.mark.parametrize("group", [7, 100])
@pytest.mark.parametrize("limit", [0, 1 << 20])
def test_pages_anywhere_in_a_group(tmp_path: Path, group: int, limit: int) -> None:
    path = saved(tmp_path / "rows.parquet", {"n": list(range(100))}, row_group_size=group)
    with (
        patch.object(parquet_rows, "SKIPPED", 3),
        patch.object(parquet_rows, "BATCH", 5),
        patch.object(parquet_rows, "GROUP_LIMIT", limit),
    ):
        reader = opened(path)
        assert reader.count == 100
        for start in range(0, 100, 3):
            page = reader.page(start, 12)
            assert [row.number for row in page] == list(range(start + 1, min(start + 13, 101)))
            assert [row.value for row in page] == [{"n": row.number - 1} for row in page]


def test_no_rows(tmp_path: Path) -> None:
    path = saved(tmp_path / "rows.parquet", {"a": pa.array([], pa.string())})
    assert "has no rows" in refused(path)


def test_cut_off_or_damaged(tmp_path: Path) -> None:
    whole = saved(tmp_path / "rows.parquet", {"a": ["x" * 100] * 100}).read_bytes()
    for content in (whole[:-1], whole[: len(whole) // 2], b"PAR1", whole[:-4] + b"PAR2"):
        assert "is no whole Parquet file" in refused(write(tmp_path / "cut.parquet", content))
    assert "is no text and no Parquet" in refused(
        write(tmp_path / "magic.parquet", b"PAR\0" + whole[4:])
    )


@pytest.mark.parametrize("batch", [2, 512])
def test_a_value_that_is_none_costs_its_own_row(tmp_path: Path, batch: int) -> None:
    """One Latin-1 text, or a date of the year 60000, in a file of thousands broke the page with an
    error that was meant for nobody.
    """
    latin = pa.array([b"caf\xe9" if n == 5 else b"tea" for n in range(9)], pa.binary())
    far = [1_900_000_000_000 if n == 7 else 0 for n in range(9)]
    table = pa.table(
        {
            "n": list(range(9)),
            "drink": pa.Array.from_buffers(pa.string(), 9, latin.buffers()),
            "at": pa.array(far, pa.timestamp("s")),
            "far": pa.array([[one] for one in far], pa.list_(pa.timestamp("ms"))),
        }
    )
    path = saved(tmp_path / "rows.parquet", table)
    with patch.object(parquet_rows, "BATCH", batch):
        rows = list(opened(path))
        assert opened(path).search("tea", start=1).rows == [1, 2, 3, 4, 5, 7, 9]
    assert [row.number for row in rows] == list(range(1, 10))
    told = {row.number: row.problem for row in rows if row.problem}
    assert {number: one.key.rpartition(".")[2] for number, one in told.items()} == {
        6: "cell_not_text",
        8: "cell_out_of_range",
    }
    assert "drink" in told[6].sentence("en") and "at" in told[8].sentence("zh")
    assert rows[6].value == {
        "n": 6,
        "drink": "tea",
        "at": "1970-01-01T00:00:00",
        "far": ["1970-01-01T00:00:00"],
    }


def test_damage_inside_a_group_is_told_when_it_is_read(tmp_path: Path) -> None:
    rows = {"a": [f"text {n}" for n in range(1000)]}
    path = saved(tmp_path / "rows.parquet", rows, row_group_size=500, use_dictionary=False)
    content = bytearray(path.read_bytes())
    place = parquet.read_metadata(path).row_group(1).column(0).data_page_offset
    content[place : place + 200] = b"\xff" * 200
    reader = opened(write(path, bytes(content)))
    assert reader.page(0, 500)[499].value == {"a": "text 499"}
    with pytest.raises(DataError, match="is no whole Parquet file"):
        reader.page(500, 1)
