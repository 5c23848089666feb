"""JSON arrays and JSON lines: any layout, and a bad row is named while the rest is read."""

from __future__ import annotations

import json
import tracemalloc
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.reading import json_scanner as scanner
from backend.data.reading import values, window
from backend.data.reading.index import Spans, Tail
from tests.fakes.data_files import NewFile, Rows, a_row, contents, new_files, opened, write

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
ROWS = st.lists(st.dictionaries(st.text(), VALUES, max_size=4), min_size=1, max_size=8)
LAYOUTS = st.fixed_dictionaries(
    {"indent": st.sampled_from([None, 0, 4]), "ensure_ascii": st.booleans()}
)


@pytest.fixture(scope="module")
def new_file(tmp_path_factory: pytest.TempPathFactory) -> NewFile:
    return new_files(tmp_path_factory.mktemp("rows"))


# --- Good files ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
@pytest.mark.parametrize("indent", [None, 4])
def test_array_whatever_the_ending(tmp_path: Path, name: str, indent: int | None) -> None:
    rows = [a_row(number) for number in range(30)]
    path = write(tmp_path / name, json.dumps(rows, indent=indent))
    reader = opened(path)
    assert reader.kind == "json_array"
    assert reader.count == 30
    assert [row.value for row in reader] == rows
    assert [row.number for row in reader.page(10, 3)] == [11, 12, 13]
    assert reader.page(29, 10)[0].value == rows[29]
    assert reader.page(30, 10) == []
    assert [row.number for row in reader.page(-5, 2)] == [1, 2]


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n", ",\n"])
def test_lines_whatever_the_ending(tmp_path: Path, name: str, end: str) -> None:
    rows = [a_row(number) for number in range(3)]
    reader = opened(write(tmp_path / name, end.join(map(json.dumps, rows))))
    assert reader.kind == "json_lines"
    assert [row.value for row in reader] == rows


@pytest.mark.parametrize("blank", [b"", b"\xef\xbb\xbf", b"\n  \n", b"\xef\xbb\xbf\r\n"])
@pytest.mark.parametrize("content", [b'[{"a": 1}]', b'{"a": 1}\n'])
def test_mark_and_blank_space_at_the_start(tmp_path: Path, blank: bytes, content: bytes) -> None:
    assert contents(write(tmp_path / "rows.json", blank + content)) == [{"a": 1}]


def test_small_slips_between_rows_cost_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.json", '[{"a": 1},, {"a": 2} {"a": 3}, ]\n')
    assert contents(path) == [{"a": 1}, {"a": 2}, {"a": 3}]


@settings(deadline=None, max_examples=60)
@given(rows=ROWS, layout=LAYOUTS, chunk=st.integers(1, 40))
def test_any_rows_in_any_layout(
    new_file: NewFile, rows: Rows, layout: dict[str, Any], chunk: int
) -> None:
    path = new_file()
    write(path, json.dumps(rows, **layout))
    with patch.object(window, "CHUNK", chunk):
        assert contents(path) == rows


@settings(deadline=None, max_examples=60)
@given(rows=ROWS, ascii_only=st.booleans(), chunk=st.integers(1, 40))
def test_any_rows_in_lines(new_file: NewFile, rows: Rows, ascii_only: bool, chunk: int) -> None:
    path = new_file()
    write(path, "".join(json.dumps(row, ensure_ascii=ascii_only) + "\n" for row in rows))
    with patch.object(window, "CHUNK", chunk):
        assert contents(path) == rows


DAMAGE = st.tuples(st.integers(0, 400), st.sampled_from(['"', "{", "}", "\\", "\n", ",", "]", ""]))


@settings(deadline=None, max_examples=200)
@given(
    columns=st.lists(st.sampled_from(["ab", "ba", "abc"]), min_size=1, max_size=8),
    texts=st.lists(st.text('x"\\\n{}[]:, 心', max_size=6), min_size=1, max_size=5),
    layout=LAYOUTS,
    damage=st.lists(DAMAGE, max_size=3),
    chunk=st.integers(1, 200),
)
def test_rows_laid_out_alike_are_found_as_any_others(
    columns: list[str],
    texts: list[str],
    layout: dict[str, Any],
    damage: list[tuple[int, str]],
    chunk: int,
) -> None:
    """What stands between the texts of a row is known from the row before; a damaged one is not
    taken for such a row."""
    rows = [
        {name: texts[(place + number) % len(texts)] for number, name in enumerate(names)}
        for place, names in enumerate(columns)
    ]
    content = json.dumps(rows, **layout)[1:]
    for place, instead in damage:
        content = content[:place] + instead + content[place + 1 :]

    def found(layouts: int) -> tuple[Tail, list[int]]:
        spans = Spans()
        with patch.object(window, "CHUNK", chunk), patch.object(scanner, "LAYOUTS_TRIED", layouts):
            return scanner.scan_array(BytesIO(content.encode()), spans), list(spans.pairs)

    assert found(scanner.LAYOUTS_TRIED) == found(0)


def test_a_number_is_no_layout() -> None:
    """What begins like the number before need not end where that ended."""
    spans = Spans()
    scanner.scan_array(BytesIO(b'5, 55, "a", "ab", {"a": 5}, {"a": 55}]'), spans)
    assert list(spans.pairs) == [0, 1, 3, 5, 7, 10, 12, 16, 18, 26, 28, 37]


def test_real_rows(real_rows: Path) -> None:
    assert contents(real_rows) == json.loads(real_rows.read_bytes())


# --- A bad row is named, the rest is read ---------------------------------------------------------

BAD_ROWS = {
    "word": '{"Question": oops}',
    "quote missing": '{"Question": "q, "Complex_CoT": "c", "Response": "r"}',
    "quote too many": '{"Question": "he said "no"", "Complex_CoT": "c", "Response": "r"}',
    "brace missing": '{"Question": "q", "Complex_CoT": "c", "Response": "r"',
    "brace wrong": '{"Question": ["q"}',
    "line end in a string": '{"Question": "a\nb", "Complex_CoT": "c", "Response": "r"}',
    "escape": '{"Question": "\\x"}',
    "half a surrogate": '{"Question": "\\ud800"}',
    "nested too deep": '{"Question": ' + "[" * 2000 + "]" * 2000 + "}",
    "objects inside": '{"Question": [{"A": "x"}, {"A": "y}], "Response": "r"}',
}


@pytest.mark.parametrize("indent", [None, 4])
@pytest.mark.parametrize("bad", BAD_ROWS.values(), ids=BAD_ROWS.keys())
def test_bad_row_in_an_array(tmp_path: Path, bad: str, indent: int | None) -> None:
    good = [json.dumps(a_row(number), indent=indent) for number in range(4)]
    path = write(tmp_path / "rows.json", "[" + ",\n".join([*good[:2], bad, *good[2:]]) + "]")
    rows = list(opened(path))
    assert [row.value for row in rows if row.value] == [a_row(number) for number in range(4)]
    problems = [row for row in rows if row.problem]
    assert [row.number for row in problems] == [3]
    assert "Not valid JSON" in problems[0].problem.sentence("en")  # type: ignore[union-attr]
    assert list(opened(path).values([1, 2, 3])) == [a_row(1), None, a_row(2)]


@pytest.mark.parametrize("bad", [text for text in BAD_ROWS.values() if "\n" not in text])
def test_bad_line(tmp_path: Path, bad: str) -> None:
    lines = [json.dumps(a_row(1)), bad, json.dumps(a_row(2))]
    rows = list(opened(write(tmp_path / "rows.jsonl", "\n".join(lines))))
    assert [row.value for row in rows] == [a_row(1), None, a_row(2)]


def test_reason_shows_the_place(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.jsonl", '{"a": 1}\n{"头痛": "三天", "b": oops}\n')
    problem = opened(path).page(1, 1)[0].problem
    assert problem is not None
    assert "oops" in problem.sentence("en") and "oops" in problem.sentence("zh")


FORTY_THOUSAND = {
    "rows.jsonl": ("", "\n", "\n"),
    "rows.json": ("[\n", ",\n", "\n]"),
    "one line.json": ("[", ", ", "]"),
}


@pytest.mark.parametrize(
    ("name", "bad"),
    [
        ("rows.jsonl", '{"Question": "q'),
        ("rows.jsonl", "oops"),
        *((name, '{"Question": "q" "Response": "r"}') for name in FORTY_THOUSAND),
    ],
)
def test_one_bad_row_in_forty_thousand(tmp_path: Path, name: str, bad: str) -> None:
    """It is named by its number, in JSON lines that of its line; all others are read, and the file
    never lies in memory."""
    before, between, behind = FORTY_THOUSAND[name]
    good = json.dumps(a_row(0, more="患者" * 60), ensure_ascii=False)
    path = tmp_path / name
    with path.open("w", encoding="utf-8") as file:
        file.write(before)
        file.write(between.join(bad if n == 31_235 else good for n in range(1, 40_001)))
        file.write(behind)
    if lines := name == "rows.jsonl":  # of arrays, another test: being traced takes them seconds
        tracemalloc.start()
    reader = opened(path)
    reader.page(31_200, 100)
    if lines:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 8_000_000 < path.stat().st_size // 2
    read, told = 0, {}
    for row in reader:
        read += row.value is not None
        if row.problem:
            told[row.number] = row.problem
    assert list(told) == [31_235]
    assert (reader.count, read) == (40_000, 39_999)
    if lines:
        with path.open(encoding="utf-8") as file:
            assert next(islice(file, 31_234, None)).strip() == bad
    for language, words in (("en", "Not valid JSON"), ("zh", "不是合法的 JSON")):
        assert told[31_235].sentence(language).startswith(words)


@pytest.mark.parametrize("value", ["1", '"text"', "[1, 2]", "null", "true"])
def test_row_that_is_no_object(tmp_path: Path, value: str) -> None:
    path = write(tmp_path / "rows.json", f'[{{"a": 1}}, {value}, {{"a": 2}}]')
    rows = opened(path).page(0, 9)
    assert [row.value for row in rows] == [{"a": 1}, None, {"a": 2}]
    assert rows[1].problem and "must be a JSON object" in rows[1].problem.sentence("en")


def test_row_in_another_encoding(tmp_path: Path) -> None:
    line = '{"a": "持续头痛三天"}'
    content = line.encode() + b"\n" + line.encode("gb18030")
    rows = opened(write(tmp_path / "rows.jsonl", content)).page(0, 2)
    assert rows[0].value == {"a": "持续头痛三天"}
    assert rows[1].problem and "Not in UTF-8" in rows[1].problem.sentence("en")


def test_row_too_long_is_passed_over(tmp_path: Path) -> None:
    rows = [a_row(1), a_row(2, more="x" * 5000), a_row(3)]
    for name, content in {
        "rows.json": json.dumps(rows, indent=1),
        "rows.jsonl": "\n".join(map(json.dumps, rows)),
    }.items():
        with patch.object(values, "ROW_LIMIT", 1000), patch.object(window, "CHUNK", 100):
            read = list(opened(write(tmp_path / name, content)))
        assert [row.value for row in read] == [rows[0], None, rows[2]]
        assert read[1].problem and "Too long: 5.1 kB" in read[1].problem.sentence("en")


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(st.text(max_size=12), min_size=4, max_size=8),
    indent=st.sampled_from([None, 2]),
    data=st.data(),
)
def test_a_lost_byte_costs_one_row(
    new_file: NewFile,
    rows: list[str],
    indent: int | None,
    data: st.DataObject,
) -> None:
    """Once a quote that was missing in row 3 turned the rest of the file inside out."""
    texts = [json.dumps({"Question": text, "n": 1}, indent=indent) for text in rows]
    hit = data.draw(st.integers(1, len(texts) - 2))
    place = data.draw(st.integers(0, len(texts[hit]) - 1))
    texts[hit] = texts[hit][:place] + texts[hit][place + 1 :]
    path = new_file()
    found = contents(write(path, "[" + ",\n".join(texts) + "]"))
    kept = [{"Question": text, "n": 1} for text in rows]
    assert [value for value in found if value in kept[:hit]][:hit] == kept[:hit]
    assert found[-(len(kept) - hit - 1) :] == kept[hit + 1 :]
