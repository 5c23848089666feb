"""Drafts: what is decided about a file is kept, can be undone, and belongs to that file only."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend import files
from backend.data.checks.registry import CHECKS
from backend.data.decisions import Decisions
from backend.data.drafts import UNDO_STEPS, Draft, read_draft, write_draft
from backend.data.meaning.mapping import ColumnMap, Role, Shape
from backend.errors import DataError
from backend.workspace import Workspace

MAP = ColumnMap(
    Shape.CHOICE,
    {Role.QUESTION: ("问题",), Role.OPTIONS: ("A", "B"), Role.CORRECT: ("c",)},
    prompt="{question} {{}}",
    one_based=True,
)


def step(draft: Draft, number: int) -> Draft:
    return draft.decide(draft.decisions.leave_out([number]))


def test_undo_takes_back_as_often_as_was_decided() -> None:
    draft = step(step(Draft(), 1), 2)
    assert draft.undo().decisions.excluded == {1}
    assert draft.undo().undo() == Draft()
    assert draft.undo().undo().undo() == Draft(), "there is nothing more to take back"


def test_undo_reaches_back_fifty_decisions() -> None:
    """The list of earlier decisions must not grow with each click for ever."""
    draft = Draft()
    for number in range(1, UNDO_STEPS + 11):
        draft = step(draft, number)
    assert len(draft.before) == UNDO_STEPS == 50
    for _ in range(UNDO_STEPS):
        assert draft.before
        draft = draft.undo()
    assert draft.decisions.excluded == set(range(1, 11)) and not draft.before


def test_a_decision_that_changes_nothing_is_no_step() -> None:
    """Else a second click on “leave out” would cost an undo that undoes nothing."""
    draft = step(Draft(), 1)
    assert step(draft, 1) is draft


def test_undo_takes_back_decisions_only() -> None:
    draft = replace(step(Draft(), 1), columns=MAP, cutoff=512)
    assert draft.undo() == Draft(columns=MAP, cutoff=512)


STEPS = st.lists(
    st.tuples(st.sampled_from(["leave_out", "put_back", "forget"]), st.integers(1, 10**7))
    | st.tuples(st.sampled_from([check.id for check in CHECKS]), st.booleans()),
    max_size=8,
)


@settings(deadline=None, max_examples=40)
@given(
    steps=STEPS,
    columns=st.none() | st.just(MAP),
    names=st.tuples(st.text(max_size=8), st.text(max_size=8), st.text(max_size=8)),
    cutoff=st.integers(1, 10**6),
    drop=st.booleans(),
)
def test_drafts_survive_the_disk(
    steps: list[Any], columns: ColumnMap | None, names: Any, cutoff: int, drop: bool
) -> None:
    draft = Draft(columns, Decisions(), *names, cutoff, drop)
    for name, value in steps:
        decide = getattr(draft.decisions, name, None)
        decided = decide([value]) if decide else draft.decisions.choose(name, value)
        draft = draft.decide(decided)
    read = Draft.from_json(orjson.loads(orjson.dumps(draft.to_json("x"))))
    assert read == draft
    assert read.undo() == draft.undo()


def file_of(workspace: Workspace) -> Path:
    (path,) = (workspace.datasets / "drafts").glob("*.json")
    return path


def test_written_and_read(workspace: Workspace) -> None:
    assert read_draft(workspace, "a.json") == Draft()
    draft = replace(step(Draft(), 7), columns=MAP, evaluation="e.json", drop=True)
    write_draft(workspace, "a.json", draft)
    assert read_draft(Workspace.open(workspace.root), "a.json") == draft


@pytest.mark.parametrize(
    ("one", "other"),
    [("a/b.json", "a_b.json"), ("A.json", "a.json"), ("../x", "x"), ("医学.json", "医 学.json")],
)
def test_two_sources_never_share_a_draft(workspace: Workspace, one: str, other: str) -> None:
    """Row 7 of one file left out would leave out row 7 of another: names that are made fit for a
    disk become alike, and those that differ in case only are one file on Windows and macOS.
    """
    write_draft(workspace, one, step(Draft(), 7))
    write_draft(workspace, other, step(Draft(), 8))
    assert read_draft(workspace, one).decisions.excluded == {7}
    assert read_draft(workspace, other).decisions.excluded == {8}
    names = {path.name.lower() for path in (workspace.datasets / "drafts").glob("*.json")}
    assert len(names) == 2


@pytest.mark.parametrize(
    "content",
    [b"", b"{", b"[]", b"null", b"7", b'"x"', b"{}", b"\xff\xfe", b'{"columns": null}'],
)
def test_a_damaged_file_is_an_empty_draft(workspace: Workspace, content: bytes) -> None:
    """A power cut must cost the decisions at most, not the page."""
    write_draft(workspace, "a.json", step(Draft(), 1))
    file_of(workspace).write_bytes(content)
    assert read_draft(workspace, "a.json") == Draft()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("columns", {"shape": "poem", "columns": {}}),
        ("columns", {"shape": "qa", "columns": {"colour": ["x"]}, "prompt": "", "answer": ""}),
        ("columns", [1]),
        ("decisions", None),
        ("decisions", {"remedies": [], "excluded": [], "kept": []}),
        ("decisions", {"remedies": {}, "excluded": ["x"], "kept": []}),
        ("decisions", {"remedies": {}, "excluded": [None], "kept": []}),
        ("cutoff", "many"),
        ("before", {"a": 1}),
        ("before", 3),
    ],
)
def test_a_file_with_one_wrong_field(workspace: Workspace, field: str, value: Any) -> None:
    write_draft(workspace, "a.json", step(Draft(), 1))
    path = file_of(workspace)
    path.write_bytes(orjson.dumps({**orjson.loads(path.read_bytes()), field: value}))
    assert read_draft(workspace, "a.json") == Draft()


def test_a_draft_holds_nothing_of_the_rows(workspace: Workspace) -> None:
    """Drafts are not cleared with the cache: what stands in a patient's row must not be in them."""
    write_draft(workspace, "a.json", replace(step(Draft(), 1), columns=MAP))
    assert set(orjson.loads(file_of(workspace).read_bytes())) == {
        *("source", "columns", "decisions", "evaluation", "model", "template", "cutoff", "drop"),
        "before",
    }


def test_a_full_disk_is_said_and_keeps_the_old_draft(workspace: Workspace) -> None:
    write_draft(workspace, "a.json", step(Draft(), 1))
    full = OSError(28, "No space left on device")
    with (
        patch.object(files.os, "fsync", side_effect=full),
        pytest.raises(DataError, match="could not be kept: No space left on device"),
    ):
        write_draft(workspace, "a.json", step(Draft(), 2))
    assert read_draft(workspace, "a.json") == step(Draft(), 1)
