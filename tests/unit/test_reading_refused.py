"""Data files that end too early, are something else, or are made to take for ever."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.reading import opening, values, window
from backend.errors import DataError
from tests.fakes.data_files import NewFile, a_row, contents, new_files, opened, refused, write


@pytest.fixture(scope="module")
def new_file(tmp_path_factory: pytest.TempPathFactory) -> NewFile:
    return new_files(tmp_path_factory.mktemp("rows"))


# --- Files that end too early or go on too long ---------------------------------------------------


@settings(deadline=None, max_examples=60)
@given(
    rows=st.lists(st.dictionaries(st.text(), st.text() | st.integers(), max_size=3), min_size=1),
    indent=st.sampled_from([None, 4]),
    data=st.data(),
)
def test_truncated_array_loses_nothing_before_the_cut(
    new_file: NewFile, rows: list[dict[str, str | int]], indent: int | None, data: st.DataObject
) -> None:
    texts = [json.dumps(row, indent=indent) for row in rows]
    whole = "[" + ", ".join(texts) + "]"
    cut = data.draw(st.integers(1, len(whole) - 1))
    before = sum(len("[" + ", ".join(texts[: n + 1])) <= cut for n in range(len(texts)))
    path = write(new_file(), whole[:cut])
    try:
        read = opened(path).page(0, 99)
    except DataError:
        assert before == 0
        return
    assert [row.value for row in read[:before]] == rows[:before]
    assert any(row.problem for row in read[before:])


@pytest.mark.parametrize("cut", ['"q2', '"Complex_CoT"', "}, {", "so "])
def test_truncated_array_says_so_in_its_last_row(tmp_path: Path, cut: str) -> None:
    whole = json.dumps([a_row(number, options={"A": "x", "B": "y"}) for number in range(9)])
    place = whole.index('"q2') if cut == '"q2' else whole.index(cut, whole.index('"q2'))
    rows = list(opened(write(tmp_path / "rows.json", whole[: place + 1])))
    assert [row.value for row in rows[:2]] == [
        a_row(n, options={"A": "x", "B": "y"}) for n in (0, 1)
    ]
    assert rows[-1].problem is not None
    assert "Whatever came after is missing" in rows[-1].problem.sentence("en")
    assert sum(row.problem is not None for row in rows) == 1


def test_array_cut_between_rows(tmp_path: Path) -> None:
    rows = list(opened(write(tmp_path / "rows.json", '[{"a": 1}, {"a": 2},')))
    assert [row.value for row in rows] == [{"a": 1}, {"a": 2}, None]
    assert rows[2].problem and "Whatever came after" in rows[2].problem.sentence("en")


def test_stray_end_in_the_middle_loses_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.json", '[{"a": 1}], {"a": 2}, {"a": 3}]')
    assert contents(path) == [{"a": 1}, {"a": 2}, {"a": 3}]


def test_text_behind_the_array_is_named(tmp_path: Path) -> None:
    rows = list(opened(write(tmp_path / "rows.json", '[{"a": 1}]\nend-of-file\n')))
    assert [row.value for row in rows] == [{"a": 1}, None]
    assert rows[1].problem and "end-of-file" in rows[1].problem.sentence("en")


def test_structure_that_is_lost_for_good(tmp_path: Path) -> None:
    """Rows, then brackets without end: the scan gives up instead of trying each of them."""
    content = '[{"a": 1}, {"a": 2}, ' + '{"a": [' * 400_000
    rows = list(opened(write(tmp_path / "rows.json", content)))
    assert [row.value for row in rows[:2]] == [{"a": 1}, {"a": 2}]
    assert len(rows) <= 2 + values.BROKEN_LIMIT
    assert rows[-1].problem and "no row can be made out" in rows[-1].problem.sentence("en")


def test_broken_last_row(tmp_path: Path) -> None:
    rows = list(opened(write(tmp_path / "rows.json", '[{"a": 1}, {"a": "x}]\n')))
    assert rows[0].value == {"a": 1}
    assert [row.problem.key for row in rows if row.problem] == ["data.problems.row_not_json"]


# --- Files that are refused -----------------------------------------------------------------------

REFUSED = {
    "empty": (b"", "is empty"),
    "blank": (b" \n\r\n\t", "is empty"),
    "mark only": (b"\xef\xbb\xbf", "is empty"),
    "empty array": (b"[ ]", "has no rows"),
    "garbage": (b"%PDF-1.7 \xff\xfe\x80 garbage", "not in UTF-8"),
    "binary": (bytes(range(256)) * 40, "is no text"),
    "one line of garbage": (b"what is this?", "neither a JSON array nor JSON lines"),
    "prose": (b"Dear all,\nhere is, as said, the list.\nYours, A.\n", "neither a JSON array"),
    "Latin-1": ('{"Frage": "fünf Äpfel für Jörg"}\n'.encode("latin-1") * 50, "not in UTF-8"),
    "UTF-16 without a mark": ('[{"a": "头痛"}]'.encode("utf-16-le"), "is no text"),
    "UTF-32": ('[{"a": 1}]'.encode("utf-32"), "is no text"),
    "zip": (b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00" * 9, "is no text"),
    "two arrays": (b'{\n "a": [{"b": 1}],\n "c": [{"d": 1}]\n}\n', "one JSON object over many"),
    "columns": (b'{"Question": ["a", "b"], "Response": ["c", "d"]}', "object of columns"),
    "pandas": (b'{"Question": {"0": "a", "1": "b"}, "Response": {"0": "c", "1": "d"}}', "columns"),
    "arrays": (b'[["a", "b"], ["c", "d"]]', "have no columns"),
    "header only": (b"Question,Response\n", "neither a JSON array"),
    "objects over many lines": (b'{\n "a": 1\n}\n{\n "a": 2\n}\n', "one JSON object over many"),
    "numbers": (b"[1, 2, 3]", "have no columns"),
    "bracket": (b"[", "ends inside its first row"),
    "half a row": (b'[{"Question": "Why', "ends inside its first row"),
    "half a row with objects": (b'[{"a": "b", "c": {"A": "x"}, "d": "Why', "ends inside its first"),
    "half a row, escaped": (rb'[{"\u95ee": "b", "c": {"A": "x"}, "d": "', "ends inside its first"),
    "brackets": (b"[" * 300_000, "ends inside its first row"),
    "objects without end": (b'{"a":' * 300_000, "neither a JSON array nor JSON lines"),
    "arrays in an array": (b"[" + b"[" * 1000 + b"]" * 1000 + b"]", "have no columns, near"),
    "deep rows": (b'{"a":' * 99 + b"1" + b"}" * 99 + b"\n", "row 1 has more than 64 levels"),
    "arrays in lines": (b"[1]\n" * 9, "have no columns"),
}


@pytest.mark.parametrize(("content", "sentence"), REFUSED.values(), ids=REFUSED.keys())
def test_refused(tmp_path: Path, content: bytes, sentence: str) -> None:
    assert sentence in refused(write(tmp_path / "rows.json", content))


def test_refused_places(tmp_path: Path) -> None:
    assert "is a folder" in refused(tmp_path)
    assert "not there any more" in refused(tmp_path / "none.json")
    assert "not there any more" in refused(write(tmp_path / "file", "x") / "below.json")
    assert "can't be read" in refused(tmp_path / "nul\0.json")
    os.mkfifo(tmp_path / "pipe.json")
    assert "no ordinary file" in refused(tmp_path / "pipe.json")
    (tmp_path / "loop.json").symlink_to(tmp_path / "loop.json")
    assert "can't be read" in refused(tmp_path / "loop.json")


def test_refused_without_permission(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.json", "[]")
    denied = PermissionError(13, "Permission denied")
    with patch.object(opening, "FileIO", side_effect=denied):
        assert "can't be read: Permission denied" in refused(path)


@settings(deadline=None, max_examples=60)
@given(content=st.binary(max_size=200) | st.text('[]{}",:\\ \n1a', max_size=60).map(str.encode))
def test_no_content_breaks_the_reader(new_file: NewFile, content: bytes) -> None:
    path = write(new_file(), content)
    with patch.object(window, "CHUNK", 7):
        try:
            rows = list(opened(path))
        except DataError as error:
            assert error.sentence("en") and error.sentence("zh")
            return
    assert [row.number for row in rows] == list(range(1, len(rows) + 1))
    assert all((row.value is None) == (row.problem is not None) for row in rows)


# --- Cost -----------------------------------------------------------------------------------------


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "rows.json"
    line = json.dumps(a_row(1, text="x" * 2000)).encode()
    with path.open("wb") as file:
        file.write(b"[" + (line + b",\n") * 12_000 + line + b"]")
    tracemalloc.start()
    count = sum(1 for _ in opened(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 12_001
    assert peak < 6 * window.CHUNK < path.stat().st_size / 3


@pytest.mark.parametrize("start", ["", "["])
def test_one_endless_row_among_others_costs_little_memory(tmp_path: Path, start: str) -> None:
    line = json.dumps(a_row(1, text="x" * 300))
    end = "," if start else ""
    path = write(tmp_path / "rows.json", start + f"{line}{end}\n" * 2000 + '{"Question": "')
    with path.open("ab") as file:
        file.truncate(300_000_000)  # a hole: it takes no room on the disk
        file.seek(0, 2)
        file.write(f'"}}{end}\n{line}\n{"]" if start else ""}'.encode())
    tracemalloc.start()
    rows = opened(path).page(1999, 9)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [row.value is not None for row in rows] == [True, False, True]
    assert rows[1].problem and "Too long: 299." in rows[1].problem.sentence("en")
    assert peak < 5 * values.ROW_LIMIT


def test_one_endless_line_is_refused_in_little_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.json", b'[{"a": "' + b"x" * 40_000_000)
    tracemalloc.start()
    assert "ends inside its first row" in refused(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * values.ROW_LIMIT


def test_one_line_of_too_much_is_refused_in_little_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.json", b'{"a": "' + b"x" * 100_000_000 + b'"}')
    tracemalloc.start()
    assert "row 1 has 100.0 MB, where 16.8 MB is the most" in refused(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 5 * values.ROW_LIMIT
