"""Single rows: what is read otherwise than written gets a note, and what can't be a problem."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.reading.parsing import duplicate_keys, parse_object
from backend.data.reading.values import NESTING_LIMIT
from tests.fakes.data_files import Rows, opened, write


def notes(raw: str) -> list[str]:
    row = parse_object(1, raw.encode())
    assert row.value is not None
    assert all(note.sentence("zh") for note in row.notes)
    return [note.sentence("en") for note in row.notes]


# --- NaN ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
def test_numbers_that_are_none_become_null_with_a_note(tmp_path: Path, number: str) -> None:
    """pandas and json.dump write them; once such a row was lost."""
    lines = ['{"a": 1}', f'{{"a": [{number}, 2], "b": "a NaN, or \\" Infinity", "c": {number}}}']
    reader = opened(write(tmp_path / "rows.json", "[" + ", ".join(lines) + "]"))
    rows = list(reader)
    assert list(reader.values([0, 1])) == [row.value for row in rows]
    assert rows[1].value == {"a": [None, 2], "b": 'a NaN, or " Infinity', "c": None}
    assert [note.params for note in rows[1].notes] == [{"number": 2}]
    assert rows[0].notes == ()


@pytest.mark.parametrize("raw", ['{"a": "NaN", "b": oops}', '{"a": NaNa}', '{"a": NaN', "NaN"])
def test_what_else_is_wrong_is_not_hidden_by_nan(raw: str) -> None:
    row = parse_object(1, raw.encode())
    assert row.value is None and row.problem is not None


# --- Keys that are there twice ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "names"),
    [
        ('{"a": 1, "a": 2}', "a"),
        ('{"a":1,"b":{"c":1},"a":2,"b":3}', "a, b"),
        ('{"a" : 1, "b": 2, "a" : 3}', "a"),
        ('{"头痛": "x", "b": [{"c": 1}], "头痛": "y"}', "头痛"),
    ],
)
def test_duplicate_keys_have_a_note(raw: str, names: str) -> None:
    assert notes(raw) == [f"There more than once, the last one counts: {names}."]


@pytest.mark.parametrize(
    "raw", ['{"a": "he said \\"no\\": never", "b": 1}', '{"a": {"x": 1}, "b": {"x": 2}}', "{}"]
)
def test_keys_that_are_there_once_have_none(raw: str) -> None:
    assert notes(raw) == []


@settings(deadline=None, max_examples=200)
@given(
    pairs=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", 'c"', "d:", ""]),
            st.text('":a{} ', max_size=6) | st.just({"a": 1, "b": [{"a": 2}]}),
        ),
        min_size=1,
        max_size=5,
    ),
    colon=st.sampled_from([":", ": ", " : "]),
)
def test_duplicates_are_those_of_the_outermost_object(
    pairs: list[tuple[str, object]], colon: str
) -> None:
    parts = [json.dumps(key) + colon + json.dumps(value) for key, value in pairs]
    raw = "{" + ", ".join(parts) + "}"
    names = [key for key, _ in pairs]
    twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
    assert duplicate_keys(raw.encode()) == twice
    assert bool(notes(raw)) == bool(twice)


# --- Nesting ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["rows.json", "rows.jsonl"])
@pytest.mark.parametrize(
    ("depth", "before", "after"),
    [
        (NESTING_LIMIT, "[", "]"),
        (1000, "[", "]"),
        (1000, '{"a": ', "}"),
        (100_000, "[", "]"),
        (100_000, '{"b": ', "}"),
    ],
)
def test_nested_a_thousand_deep(
    tmp_path: Path, name: str, depth: int, before: str, after: str
) -> None:
    """A row of a thousand brackets once was read, and whatever walked through it then failed."""
    deep = '{"deep": ' + before * depth + "1" + after * depth + "}"
    lines = ['{"a": 1}', deep, '{"a": 2}']
    text = "\n".join(lines) if name.endswith("l") else "[" + ", ".join(lines) + "]"
    rows = list(opened(write(tmp_path / name, text)))
    assert [row.value for row in rows if row.value] == [{"a": 1}, {"a": 2}]
    assert all(row.problem for row in rows if not row.value)


def test_nested_as_deep_as_may_be() -> None:
    depth = NESTING_LIMIT - 1
    assert parse_object(1, ('{"a": ' + "[" * depth + "]" * depth + "}").encode()).value
    row = parse_object(1, ('{"a": ' + "[" * (depth + 1) + "]" * (depth + 1) + "}").encode())
    assert row.problem and "more than 64 levels" in row.problem.sentence("en")


# --- Columns ------------------------------------------------------------------------------------


def test_columns_that_change_are_kept_as_they_are(tmp_path: Path) -> None:
    rows: Rows = [{"a": 1}, {"b": "2"}, {"a": "1", "c": None}, {}, {"a": {"x": 1}}]
    for name, text in {
        "rows.json": json.dumps(rows, indent=2),
        "rows.jsonl": "\n".join(map(json.dumps, rows)),
    }.items():
        assert [row.value for row in opened(write(tmp_path / name, text))] == rows
