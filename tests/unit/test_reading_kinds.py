"""Any table survives a round trip through each kind of file, in each encoding, packed or not."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.fakes.data_files import NewFile, glanced, new_files, opened, write

Table = list[dict[str, str]]

# What a table of questions has anyway: an encoding without a mark can only be told by usual words.
CHINESE = "患者男，四十五岁，因持续头痛三天就诊。"

WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
TABLES = st.lists(
    st.fixed_dictionaries({"问题": WORDS.map(lambda w: CHINESE + w), "Response": WORDS}),
    min_size=1,
    max_size=6,
)


def as_array(rows: Table) -> str:
    return json.dumps(rows, ensure_ascii=False, indent=1)


def as_lines(rows: Table) -> str:
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def as_wrapped(rows: Table) -> str:
    return json.dumps({"version": "1.0", "data": rows, "end": 1}, ensure_ascii=False, indent=1)


def as_table(delimiter: str) -> Callable[[Table], str]:
    def write_table(rows: Table) -> str:
        out = io.StringIO(newline="")
        writer = csv.DictWriter(out, list(rows[0]), delimiter=delimiter)
        writer.writeheader()
        writer.writerows(rows)
        return out.getvalue()

    return write_table


TEXTS = {
    "array": (as_array, "json_array"),
    "lines": (as_lines, "json_lines"),
    "wrapped": (as_wrapped, "json_array"),
    "csv": (as_table(","), "csv"),
    "semicolons": (as_table(";"), "csv"),
    "tsv": (as_table("\t"), "tsv"),
}
ENCODINGS = {
    "utf-8": "utf-8",
    "utf-8-sig": "utf-8-bom",
    "gb18030": "gb18030",
    "utf-16": "utf-16",
    "utf-16-be": "utf-16",
}


@pytest.fixture(scope="module")
def new_file(tmp_path_factory: pytest.TempPathFactory) -> NewFile:
    return new_files(tmp_path_factory.mktemp("kinds"))


@pytest.mark.parametrize("kind", TEXTS)
@settings(deadline=None, max_examples=25)
@given(rows=TABLES, encoding=st.sampled_from(list(ENCODINGS)), packed=st.booleans())
@example([{"问题": CHINESE + "©" * 20, "Response": "\x80" * 20}], "gb18030", False)
def test_text_of_any_kind(
    new_file: NewFile, kind: str, rows: Table, encoding: str, packed: bool
) -> None:
    to_text, expected = TEXTS[kind]
    mark = "\ufeff" if encoding == "utf-16-be" else ""
    content = (mark + to_text(rows)).encode(encoding)
    path = write(
        new_file().with_suffix(".csv" if "csv" in kind else ".json"),
        gzip.compress(content, mtime=0) if packed else content,
    )
    reader = opened(path)
    assert [row.value for row in reader] == rows
    assert (reader.kind, reader.encoding, reader.packed) == (
        expected,
        ENCODINGS[encoding],
        packed,
    )
    assert reader.complete and reader.count == len(rows)
    assert reader.page(1, 3) == list(reader)[1:4]
    assert list(reader.rows(1, 99)) == list(reader)[1:]
    assert list(reader.values(range(1, len(rows), 2))) == rows[1::2]


@settings(deadline=None, max_examples=25)
@given(rows=TABLES, group=st.integers(1, 4), packed=st.booleans())
def test_parquet(new_file: NewFile, rows: Table, group: int, packed: bool) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    path = new_file()
    parquet.write_table(pa.Table.from_pylist(rows), path, row_group_size=group)
    if packed:
        path = write(new_file(), gzip.compress(path.read_bytes(), mtime=0))
    for reader in (opened(path), glanced(path, rows=1)):
        assert [row.value for row in reader] == rows
        assert (reader.kind, reader.complete, reader.packed) == ("parquet", True, packed)
        assert list(reader.values(range(1, len(rows), 2))) == rows[1::2]
        assert reader.page(1, 3) == list(reader)[1:4]


@pytest.mark.parametrize("encoding", ["gb18030", "gbk", "gb2312", "utf-16"])
def test_encodings_of_chinese_files(tmp_path: Path, encoding: str) -> None:
    rows = [{"问题": f"第{n}位患者，三岁，发热", "Response": "abc"} for n in range(50)]
    path = write(tmp_path / "rows.json", as_lines(rows).encode(encoding))
    reader = opened(path)
    assert [row.value for row in reader] == rows
    assert reader.encoding == ("utf-16" if encoding == "utf-16" else "gb18030")


def test_chinese_behind_much_english_is_still_told(tmp_path: Path) -> None:
    """A file whose first rows are English once was called UTF-8 by them."""
    rows = [{"Question": "Why? " * 200}] * 1000 + [{"Question": CHINESE}] * 1000
    assert len(as_lines(rows[:1000])) > 1_000_000
    reader = opened(write(tmp_path / "rows.json", as_lines(rows).encode("gb18030")))
    assert [row.value for row in reader] == rows


def test_bytes_that_are_no_text_cost_their_row(tmp_path: Path) -> None:
    rows = [{"Question": f"{CHINESE}{n}"} for n in range(9)]
    good = as_lines(rows).encode("gb18030")
    bad = good.replace("头痛".encode("gb18030"), b"\xff\xff", 5)[: len(good)]
    lines = good.splitlines(keepends=True)
    lines[4] = bad.splitlines(keepends=True)[4]
    found = list(opened(write(tmp_path / "rows.json", b"".join(lines))))
    assert [row.value for row in found] == [*rows[:4], None, *rows[5:]]
    assert found[4].problem and "Not in UTF-8" in found[4].problem.sentence("en")
