"""Conversations are files: what is saved is what is loaded, and a damaged file harms no other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from backend.chat import conversations
from backend.chat.conversations import Conversation, SavedColumn, SavedMessage
from backend.errors import EngineError, WorkspaceError
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
)
COLUMNS = st.builds(SavedColumn, key=TEXTS, label=TEXTS, messages=st.lists(MESSAGES, max_size=3))


def example(**changes: str) -> Conversation:
    message = SavedMessage("user", "Why does\nthe heart beat faster?")
    made = Conversation("medtune/demo", [SavedColumn("base", "Base", messages=[message])])
    return replace(made, **changes) if changes else made


@given(columns=st.lists(COLUMNS, max_size=3))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=30)
def test_what_is_saved_is_loaded(workspace: Workspace, columns: list[SavedColumn]) -> None:
    saved = Conversation("org/name", columns)
    conversations.save(workspace, saved)
    assert conversations.load(workspace, saved.id) == saved
    conversations.delete(workspace, saved.id)


def test_the_newest_is_listed_first(workspace: Workspace) -> None:
    for day in ("2026-11-02", "2026-11-03", "2026-11-01"):
        conversations.save(workspace, example(id=f"c-{day}", created=f"{day}T10:00:00+00:00"))
    listed = [conversation.id for conversation in conversations.list_conversations(workspace)]
    assert listed == ["c-2026-11-03", "c-2026-11-02", "c-2026-11-01"]


def test_the_first_question_is_the_title() -> None:
    assert example().title == "Why does the heart beat faster?"
    assert Conversation("m").title == ""


@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"columns": 3}', '{"columns": [1]}'])
def test_a_damaged_file_is_said_and_left(workspace: Workspace, content: str) -> None:
    conversations.save(workspace, example(id="good"))
    path = workspace.chats / "bad.json"
    path.write_text(content)
    assert [c.id for c in conversations.list_conversations(workspace)] == ["good"]
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
    assert len({Conversation("m").id for _ in range(50)}) == 50
