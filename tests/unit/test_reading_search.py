"""A search finds the rows that a look at every value of every row finds, and is faster."""

from __future__ import annotations

import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from backend.data.reading import text_rows
from tests.fakes.data_files import NewFile, Rows, new_files, opened, write

ALPHABET = 'aBkKsSiI"\\/\n\té頭头痛1.e\u0130\u0131\u017f\u212a\u00b5\u03bcσς😀'
WORDS = st.text(ALPHABET, max_size=6)
VALUES = WORDS | st.integers(0, 20) | st.floats(0, 20) | st.booleans() | st.none()


@pytest.fixture(scope="module")
def new_file(tmp_path_factory: pytest.TempPathFactory) -> NewFile:
    return new_files(tmp_path_factory.mktemp("search"))


def naive(rows: Rows, words: str) -> list[int]:
    """Numbers of the rows that hold the words: any text or number, ignoring case."""

    def leaves(value: Any) -> list[str]:
        if isinstance(value, dict):
            return [leaf for one in value.values() for leaf in leaves(one)]
        if isinstance(value, list):
            return [leaf for one in value for leaf in leaves(one)]
        return [] if value is None or isinstance(value, bool) else [str(value)]

    pattern = re.compile(re.escape(words), re.IGNORECASE)
    return [n for n, row in enumerate(rows, 1) if any(map(pattern.search, leaves(row)))]


@settings(deadline=None, max_examples=200)
@given(
    rows=st.lists(
        st.fixed_dictionaries({"a": VALUES, "b": st.lists(WORDS, max_size=2)}), min_size=1
    ),
    words=st.text(ALPHABET, min_size=1, max_size=2),
    ascii_only=st.booleans(),
    block=st.sampled_from([1, 60, 1 << 20]),
)
@example([{"a": "the \u212aelvin sign", "b": []}], "kelvin", True, 1)
@example([{"a": 1000.0, "b": []}], "1000", False, 1)
def test_json(new_file: NewFile, rows: Rows, words: str, ascii_only: bool, block: int) -> None:
    path = new_file()
    write(path, "".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_rows, "BLOCK", block)
        found = opened(path).search(words, start=1, seconds=100, limit=1000)
    assert found.rows == naive(rows, words)
    assert found.reached == len(rows)


@settings(deadline=None, max_examples=150)
@given(rows=st.lists(st.tuples(WORDS, WORDS), min_size=1), words=st.text(ALPHABET, min_size=1))
def test_csv(new_file: NewFile, rows: list[tuple[str, str]], words: str) -> None:
    out = io.StringIO(newline="")
    csv.writer(out).writerows([("a", "b"), *rows])
    path = write(new_file().with_suffix(".csv"), out.getvalue())
    found = opened(path).search(words, start=1, seconds=100, limit=1000)
    assert found.rows == naive([dict(zip("ab", row, strict=True)) for row in rows], words)


@pytest.mark.parametrize("written", [r"\u0061bc", r"a\u0062c", "ABC", r"\u5934", r"x\/y", r"q\"r"])
def test_any_way_of_writing_is_found(tmp_path: Path, written: str) -> None:
    path = write(tmp_path / "rows.json", f'{{"a": "1"}}\n{{"a": "1 {written} 2"}}\n{{"a": "2"}}\n')
    words = json.loads(f'"{written}"').lower()
    assert opened(path).search(words, start=1).rows == [2]


def test_names_of_columns_and_rows_that_are_unreadable_are_not_found(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.json", '{"word": "a"}\n{"a": word}\n{"a": "word"}\n')
    assert opened(path).search("word", start=1).rows == [3]


def test_limit_and_start(tmp_path: Path) -> None:
    rows = [{"a": f"number {n}" + " even" * (n % 2 == 0)} for n in range(1, 101)]
    for name, content in {
        "rows.json": json.dumps(rows),
        "rows.csv": "a,b\n" + "".join(f"{row['a']},x\n" for row in rows),
    }.items():
        reader = opened(write(tmp_path / name, content))
        found = reader.search("EVEN", start=1, limit=3)
        assert (found.rows, found.reached) == ([2, 4, 6], 6)
        found = reader.search("even", start=found.reached + 1, limit=100)
        assert (found.rows, found.reached) == (list(range(8, 101, 2)), 100)
        assert reader.search("even", start=101).rows == []
        assert reader.search("", start=1).rows == []
        assert reader.search("even", start=-5, limit=1).rows == [2]


def test_time_is_kept_and_the_search_goes_on_from_there(tmp_path: Path) -> None:
    rows = [{"a": "x" * 1000, "b": n} for n in range(4000)]
    reader = opened(write(tmp_path / "rows.json", json.dumps(rows)))
    first = reader.search("nothing", start=1, seconds=0)
    assert first.rows == [] and 0 < first.reached < 4000
    last = reader.search("3999", start=first.reached + 1, seconds=100)
    assert (last.rows, last.reached) == ([4000], 4000)


def test_parquet(tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    rows = [{"a": f"number {n}", "b": [{"c": n}]} for n in range(100)]
    parquet.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet", row_group_size=30)
    reader = opened(tmp_path / "rows.parquet")
    for words in ("Number 42", "7", "nothing"):
        assert reader.search(words, start=1, limit=1000).rows == naive(rows, words)
    assert reader.search("number", start=50, limit=2).rows == [50, 51]
    assert reader.search("number", start=50, limit=2).reached == 51
