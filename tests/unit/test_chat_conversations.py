"""Conversations are files: what is saved is what is loaded, and a damaged file harms no other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from backend.chat import conversations
from backend.chat.conversations import ColumnKind, Conversation, SavedColumn, SavedMessage
from backend.chat.listing import Listing
from backend.errors import EngineError, WorkspaceError
from backend.files import write_json
from backend.library.models import DEMO_PATH
from backend.workspace import Workspace

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
MESSAGES = st.builds(
    SavedMessage,
    role=st.sampled_from(["system", "user", "assistant"]),
    content=TEXTS,
    reasoning=TEXTS,
    text=TEXTS,
    stats=st.fixed_dictionaries({"tokens": st.integers(0, 9)}),
    settings=st.fixed_dictionaries({"temperature": st.floats(0, 1)}),
    turn=TEXTS,
)
COLUMNS = st.builds(
    SavedColumn,
    key=TEXTS,
    label=TEXTS,
    kind=st.sampled_from(get_args(ColumnKind)),
    model=TEXTS,
    address=TEXTS,
    run=TEXTS,
    step=st.none() | st.integers(0, 9),
    evaluation_loss=st.none() | st.floats(0, 9),
    messages=st.lists(MESSAGES, max_size=3),
)


def example(**changes: str) -> Conversation:
    message = SavedMessage("user", "Why does\nthe heart beat faster?")
    made = Conversation([SavedColumn("base:medtune/demo", "medtune/demo", messages=[message])])
    return replace(made, **changes) if changes else made


@given(columns=st.lists(COLUMNS, max_size=3), removed=st.lists(COLUMNS, max_size=1))
@hypothesis_settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30, deadline=None
)
def test_what_is_saved_is_loaded(
    workspace: Workspace, columns: list[SavedColumn], removed: list[SavedColumn]
) -> None:
    saved = Conversation(columns, removed=removed)
    conversations.save(workspace, saved)
    assert conversations.load(workspace, saved.id) == saved
    conversations.delete(workspace, saved.id)


def test_the_newest_is_listed_first(workspace: Workspace) -> None:
    for day in ("2026-11-02", "2026-11-03", "2026-11-01"):
        conversations.save(workspace, example(id=f"c-{day}", created=f"{day}T10:00:00+00:00"))
    listed = [entry.id for entry in Listing(workspace).entries()]
    assert listed == ["c-2026-11-03", "c-2026-11-02", "c-2026-11-01"]


def test_the_first_question_is_the_title() -> None:
    assert example().title == "Why does the heart beat faster?"
    assert Conversation().title == ""


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"columns": 3}', '{"columns": [1]}'])
def test_a_damaged_file_is_said_and_left(workspace: Workspace, content: str) -> None:
    conversations.save(workspace, example(id="good"))
    path = workspace.chats / "bad.json"
    path.write_text(content)
    assert [entry.id for entry in Listing(workspace).entries()] == ["good"]
    with pytest.raises(EngineError, match="damaged"):
        conversations.load(workspace, "bad")
    assert path.read_text() == content


def test_a_conversation_that_is_gone_is_said(workspace: Workspace) -> None:
    for function in (conversations.load, conversations.delete):
        with pytest.raises(EngineError, match="no conversation"):
            function(workspace, "gone")


@pytest.mark.parametrize("name", ["../secrets", "a/b", "", "."])
def test_a_name_does_not_lead_out_of_the_workspace(workspace: Workspace, name: str) -> None:
    for function in (conversations.load, conversations.delete):
        with pytest.raises(WorkspaceError):
            function(workspace, name)
    with pytest.raises(WorkspaceError):
        conversations.save(workspace, example(id=name))


def test_ids_are_different() -> None:
    assert len({Conversation().id for _ in range(50)}) == 50


def old_file(workspace: Workspace, model: str, *keys: str) -> Conversation:
    """A conversation as version 1 wrote it, read now."""
    message = {"role": "user", "content": "Q?", "stats": {}, "settings": {}}
    columns: list[dict[str, Any]] = [
        {"key": key, "label": key, "template": "qwen", "fingerprint": "f", "messages": [message]}
        for key in keys
    ]
    value = {"version": 1, "model": model, "columns": columns, "created": "2026-01-01T00:00:00"}
    write_json(workspace.chats / "old.json", value)
    return conversations.load(workspace, "old")


def test_a_conversation_of_version_1_comes_back(workspace: Workspace) -> None:
    """One base had all columns; now each column says what it is."""
    read = old_file(workspace, str(DEMO_PATH), "base", "first/checkpoint-20", "first/final")
    assert [(c.key, c.kind, c.model, c.run, c.checkpoint) for c in read.columns] == [
        ("base:medtune/demo", "base", "medtune/demo", "", ""),
        ("first/checkpoint-20", "lora", "medtune/demo", "first", "checkpoint-20"),
        ("first/final", "lora", "medtune/demo", "first", "final"),
    ]
    assert read.columns[1].messages[0].content == "Q?"
    assert read.columns[1].fingerprint == "f"
    assert read.columns[1].label == "first · checkpoint-20"
    conversations.save(workspace, read)
    assert conversations.load(workspace, "old") == read


def test_a_full_checkpoint_of_version_1_is_one_still(workspace: Workspace) -> None:
    for folder, key in (("whole/checkpoint-20", "whole/checkpoint-20"), ("whole", "whole/final")):
        (column,) = old_file(workspace, str(workspace.runs / folder), "base").columns
        assert (column.kind, column.key, column.run) == ("full", key, "whole")


def test_a_model_of_version_1_has_its_id(workspace: Workspace) -> None:
    (column,) = old_file(workspace, str(workspace.models / "org" / "name"), "base").columns
    assert (column.key, column.model) == ("base:org/name", "org/name")
    (moved,) = old_file(workspace, "/gone/models/org/name", "base").columns
    assert moved.model == "org/name"


def test_a_column_of_a_kind_from_the_future_is_not_guessed(workspace: Workspace) -> None:
    conversations.save(workspace, example(id="c"))
    path = workspace.chats / "c.json"
    path.write_text(path.read_text().replace('"kind": "base"', '"kind": "telepathy"'))
    with pytest.raises(EngineError, match="damaged"):
        conversations.load(workspace, "c")
