"""Conversations, kept as one JSON file each in the workspace."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend.errors import EngineError
from backend.files import read_json, write_json
from backend.workspace import Workspace, check_name

VERSION = 1
TITLE_LIMIT = 80


@dataclass
class SavedMessage:
    """One message of one column.

    Attributes:
        role: "system", "user" or "assistant".
        content: What was asked, or what the model wrote, tags included.
        reasoning: The reasoning in ``content``.
        text: The answer in ``content``.
        stats: Tokens, seconds, why it ended; as the page shows them.
        settings: The sampling settings of this answer.
    """

    role: str
    content: str
    reasoning: str = ""
    text: str = ""
    stats: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass
class SavedColumn:
    """One column with its own history; ``fingerprint`` says which weights answered."""

    key: str
    label: str
    template: str = ""
    fingerprint: str = ""
    messages: list[SavedMessage] = field(default_factory=list)


@dataclass
class Conversation:
    """What was asked and answered with one base model."""

    model: str
    columns: list[SavedColumn] = field(default_factory=list)
    id: str = field(default_factory=lambda: _new_id())
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat())

    @property
    def title(self) -> str:
        """The first question, in one line."""
        asked = (m.content for c in self.columns for m in c.messages if m.role == "user")
        return " ".join(next(asked, "").split())[:TITLE_LIMIT]


def save(workspace: Workspace, conversation: Conversation) -> Path:
    """Write the conversation's file, whole or not at all.

    Raises:
        WorkspaceError: the id is no file name.
    """
    path = _path(workspace, conversation.id)
    write_json(path, {"version": VERSION, **asdict(conversation)})
    return path


def load(workspace: Workspace, conversation_id: str) -> Conversation:
    """
    Raises:
        EngineError: there is no such conversation, or its file is damaged.
        WorkspaceError: the id is no file name.
    """
    path = _path(workspace, conversation_id)
    if not path.is_file():
        raise EngineError("chat.errors.conversation_missing", name=conversation_id)
    conversation = _parse(read_json(path), conversation_id)
    if conversation is None:
        raise EngineError("chat.errors.conversation_broken", name=path.name)
    return conversation


def list_conversations(workspace: Workspace) -> list[Conversation]:
    """All that can be read, newest first. A damaged file is left where it is."""
    found = (_parse(read_json(path), path.stem) for path in workspace.chats.glob("*.json"))
    readable = [conversation for conversation in found if conversation is not None]
    return sorted(readable, key=lambda c: (c.created, c.id), reverse=True)


def delete(workspace: Workspace, conversation_id: str) -> None:
    """
    Raises:
        EngineError: there is no such conversation.
        WorkspaceError: the id is no file name.
    """
    workspace.check_writable()
    try:
        _path(workspace, conversation_id).unlink()
    except FileNotFoundError as error:
        raise EngineError("chat.errors.conversation_missing", name=conversation_id) from error


def _path(workspace: Workspace, conversation_id: str) -> Path:
    return workspace.inside(workspace.chats / f"{check_name(conversation_id)}.json")


def _new_id() -> str:
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"


def _parse(value: Any, conversation_id: str) -> Conversation | None:
    """A conversation from its file's content; None where it is not one. The file names the id."""
    try:
        columns = [_column(column) for column in _listed(value["columns"])]
        created = str(value["created"])
        return Conversation(str(value["model"]), columns, conversation_id, created)
    except (KeyError, TypeError, AttributeError):
        return None


def _column(value: dict[str, Any]) -> SavedColumn:
    return SavedColumn(
        key=str(value["key"]),
        label=str(value["label"]),
        template=str(value.get("template", "")),
        fingerprint=str(value.get("fingerprint", "")),
        messages=[_message(message) for message in _listed(value["messages"])],
    )


def _message(value: dict[str, Any]) -> SavedMessage:
    return SavedMessage(
        role=str(value["role"]),
        content=str(value["content"]),
        reasoning=str(value.get("reasoning", "")),
        text=str(value.get("text", "")),
        stats=dict(value.get("stats") or {}),
        settings=dict(value.get("settings") or {}),
    )


def _listed(value: Any) -> Iterable[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value
