"""CSV and TSV: delimiters, quotes and line ends, and rows that break their rules."""

from __future__ import annotations

import csv
import io
import tracemalloc
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.reading import table_scanner, values, window
from backend.data.reading.index import Spans
from tests.fakes.data_files import (
    NewFile,
    contents,
    new_files,
    opened,
    problems,
    refused,
    write,
)

HEADER = "Question,Complex_CoT,Response\n"


@pytest.fixture(scope="module")
def new_file(tmp_path_factory: pytest.TempPathFactory) -> NewFile:
    return new_files(tmp_path_factory.mktemp("tables"))


def rows_of(path: Path) -> list[list[str] | None]:
    return [list(value.values()) if value else None for value in contents(path)]


# --- Good tables --------------------------------------------------------------------------------


@pytest.mark.parametrize(("delimiter", "kind"), [(",", "csv"), ("\t", "tsv"), (";", "csv")])
@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "rows.json"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiter_is_told_by_the_rows(
    tmp_path: Path, delimiter: str, kind: str, name: str, end: str
) -> None:
    lines = [["Question", "Response"], ["Why, though; now?", 'He said "no"'], ["a\nb", ""]]
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=delimiter, lineterminator=end).writerows(lines)
    reader = opened(write(tmp_path / name, out.getvalue()))
    assert reader.kind == kind
    assert [row.value for row in reader] == [
        {"Question": "Why, though; now?", "Response": 'He said "no"'},
        {"Question": "a\nb", "Response": ""},
    ]


def test_header_that_names_a_column_twice_or_not_at_all(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", "a,,a,a_2, \n1,2,3,4,5\n")
    assert contents(path) == [{"a": "1", "column_2": "2", "a_3": "3", "a_2": "4", "column_5": "5"}]


def test_one_column_is_a_table_by_its_name_only(tmp_path: Path) -> None:
    text = "text\nfirst\nsecond\n"
    assert contents(write(tmp_path / "rows.csv", text)) == [{"text": "first"}, {"text": "second"}]
    assert "neither a JSON array" in refused(write(tmp_path / "rows.json", text))


def test_header_alone_has_no_rows(tmp_path: Path) -> None:
    assert "has no rows" in refused(write(tmp_path / "rows.csv", HEADER))


def test_blank_lines_are_no_rows(tmp_path: Path) -> None:
    text = "\n\r\na,b\n\n1,2\n\r\n\n3,4\n\n"
    assert rows_of(write(tmp_path / "rows.csv", text)) == [["1", "2"], ["3", "4"]]


def test_a_field_of_json_is_text(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", 'id,messages\n1,"[{""role"": ""user""}]"\n')
    assert rows_of(path) == [["1", '[{"role": "user"}]']]


@settings(deadline=None, max_examples=150)
@given(
    rows=st.lists(
        st.lists(st.text('a",\n\r;\t é0', max_size=6), min_size=2, max_size=2), min_size=1
    ),
    delimiter=st.sampled_from(",;\t"),
    end=st.sampled_from(["\n", "\r\n"]),
    chunk=st.integers(1, 40),
)
def test_what_csv_writes_is_read(
    new_file: NewFile, rows: list[list[str]], delimiter: str, end: str, chunk: int
) -> None:
    out = io.StringIO(newline="")
    # With "\n" as line end the csv module leaves a "\r" at a field's end without quotes.
    quoting = csv.QUOTE_MINIMAL if end == "\r\n" else csv.QUOTE_ALL
    writer = csv.writer(out, delimiter=delimiter, lineterminator=end, quoting=quoting)
    writer.writerows([["x", "y"], *rows])
    path = write(new_file().with_suffix(".csv"), out.getvalue())
    with patch.object(window, "CHUNK", chunk):
        assert rows_of(path) == rows


@settings(deadline=None, max_examples=300)
@given(text=st.text('a",\n\r', max_size=60), chunk=st.integers(1, 30))
def test_counting_quotes_finds_what_reading_them_finds(text: str, chunk: int) -> None:
    """The fast way must not see a row where the slow one does not, whatever the quotes."""

    none = table_scanner.regular_rows(b"", ",")

    def spans(*, fast: bool) -> list[int]:
        file, found = io.BytesIO(text.encode()), Spans()
        counted = table_scanner.regular_rows if fast else lambda *_: none
        with (
            patch.object(window, "CHUNK", chunk),
            patch.object(table_scanner, "regular_rows", counted),
        ):
            table_scanner.scan_table(file, found, ",")
        return list(found.pairs)

    assert spans(fast=True) == spans(fast=False)


# --- Rows that break the rules ------------------------------------------------------------------


def test_too_few_and_too_many_fields(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", HEADER + "a,b,c\nd,e\nf,g,h,i\nj,k,l\n")
    assert problems(path) == {
        2: "2 fields, where the header has 3. Check the delimiters and quotes of this row.",
        3: "4 fields, where the header has 3. Check the delimiters and quotes of this row.",
    }
    assert rows_of(path) == [["a", "b", "c"], None, None, ["j", "k", "l"]]


def test_a_quote_inside_a_field_without_quotes_is_a_character(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", HEADER + 'a 5" tube,b,"c, d"\ne,f"",g\n')
    assert rows_of(path) == [['a 5" tube', "b", "c, d"], ["e", 'f""', "g"]]


@pytest.mark.parametrize(
    "bad",
    [
        'x,"never closed,y',
        'x,"he said "no" twice",y',
        '"x"y,z,z',
        '"',
    ],
)
@pytest.mark.parametrize("after", ['"quoted, too",b,c', 'a,"b\nb",c', "a,b,c"])
@pytest.mark.parametrize("chunk", [3, 1 << 20])
def test_stray_quote_costs_its_row(tmp_path: Path, bad: str, after: str, chunk: int) -> None:
    """A quote that is never closed once took the rest of the file with it."""
    good = next(csv.reader([after]))
    lines = ["a,b,c", after, bad, after, "d,e,f"]
    path = write(tmp_path / "rows.csv", HEADER + "\n".join(lines) + "\n")
    with patch.object(window, "CHUNK", chunk):
        found = rows_of(path)
        assert found == [["a", "b", "c"], good, None, good, ["d", "e", "f"]]
        assert "A quote is not where one belongs" in problems(path)[3]


def test_quotes_that_are_never_right_end_the_reading(tmp_path: Path) -> None:
    text = HEADER + "a,b,c\n" + '"x"y,z,z\n' * 1000
    rows = list(opened(write(tmp_path / "rows.csv", text)))
    assert rows[0].value and len(rows) == 1 + values.BROKEN_LIMIT
    assert rows[-1].problem and "no row can be made out" in rows[-1].problem.sentence("en")


def test_nul_characters(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", HEADER + "a,b,c\n" * 99 + "d,\0e,f\ng,h,i\n")
    assert list(problems(path)) == [100] and "NUL" in problems(path)[100]


def test_row_that_is_no_utf8(tmp_path: Path) -> None:
    text = (HEADER + "头痛,三天,好\n" * 5).encode() + b"x,\xff\xfe,y\n" + "头痛,三天,好\n".encode()
    path = write(tmp_path / "rows.csv", text)
    assert list(problems(path)) == [6] and "Not in UTF-8" in problems(path)[6]


@pytest.mark.parametrize("quote", ["", '"'])
@pytest.mark.parametrize("closed", [True, False])
def test_row_too_long_is_passed_over(tmp_path: Path, quote: str, closed: bool) -> None:
    long = f"a,{quote}{'x' * 5000}{quote if closed else ''},c"
    path = write(tmp_path / "rows.csv", f"{HEADER}a,b,c\n{long}\nd,e,f\n")
    with patch.object(values, "ROW_LIMIT", 1000), patch.object(window, "CHUNK", 100):
        assert rows_of(path) == [["a", "b", "c"], None, ["d", "e", "f"]]
        assert "Too long: 5.0 kB" in problems(path)[2]


def test_one_endless_field_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(HEADER.encode() + b"a,b,c\n" * 100_000 + b'd,"e,f\n')
    with path.open("ab") as file:
        file.truncate(200_000_000)  # a hole: it takes no room on the disk
        file.seek(0, 2)
        file.write(b"\ng,h,i\n")
    tracemalloc.start()
    found = opened(path)
    rows = found.page(99_999, 9)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [row.value is not None for row in rows] == [True, False, False, True]
    assert peak < 6 * values.ROW_LIMIT
