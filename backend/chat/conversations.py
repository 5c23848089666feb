"""Conversations, kept as one JSON file each in the workspace.

A conversation has columns. Each is somebody who answers (``SavedColumn``) with a history of its
own; the messages of one question to several columns share a ``turn``. Version 1 of the file had one
base for all columns; it is read as what is meant by it now, and written as version 2.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, get_args

from backend.errors import EngineError
from backend.files import read_json, write_json
from backend.library.models import DEMO_ID, DEMO_PATH
from backend.workspace import Workspace, check_name

VERSION = 2
TITLE_LIMIT = 80

ColumnKind = Literal["base", "lora", "full", "imported", "remote"]
"""What answers: a model as it is, a LoRA checkpoint of a run, a fully fine-tuned checkpoint of a
run, an adapter from elsewhere, a model behind an OpenAI-compatible address."""


@dataclass
class SavedMessage:
    """One message of one column.

    Attributes:
        role: "system", "user" or "assistant".
        content: What was asked, or what the model wrote, tags included.
        reasoning: The reasoning in ``content``.
        text: The answer in ``content``.
        stats: Tokens, seconds, why it ended; as the page shows them.
        settings: The sampling settings of this answer, the system prompt included.
        turn: Shared by a question and all its answers, in all columns that were asked it at once.
    """

    role: str
    content: str
    reasoning: str = ""
    text: str = ""
    stats: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    turn: str = ""


@dataclass
class SavedColumn:
    """One column with its own history.

    Attributes:
        key: Which source answers, see ``sources.Source``; no two columns share one.
        label: Its name in no language: the model's, or "run · checkpoint-20".
        kind: What it is.
        model: Id of the model whose weights are loaded first: the base of an adapter. For "remote"
            the name of the model there.
        address: Of a remote model, up to and with ``/v1``; empty for all others.
        run, checkpoint, step: Where a checkpoint is from; None or empty for what is none.
        evaluation_loss: At that step; None where it was not measured.
        template: LLaMA-Factory's chat template that makes its prompts; empty for "remote".
        fingerprint: Which weights answered; empty where that is not known (yet).
        messages: The column's own history.
    """

    key: str
    label: str
    kind: ColumnKind = "base"
    model: str = ""
    address: str = ""
    run: str = ""
    checkpoint: str = ""
    step: int | None = None
    evaluation_loss: float | None = None
    template: str = ""
    fingerprint: str = ""
    messages: list[SavedMessage] = field(default_factory=list)


@dataclass
class Conversation:
    """What was asked and answered.

    Attributes:
        columns: In the order in which they are shown.
        removed: Columns that were taken away, with what they had said; shown again, they go on.
    """

    columns: list[SavedColumn] = field(default_factory=list)
    id: str = field(default_factory=lambda: _new_id())
    created: str = field(default_factory=lambda: datetime.now(UTC).isoformat())
    removed: list[SavedColumn] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The first question, in one line."""
        every = [*self.columns, *self.removed]
        asked = (m.content for c in every for m in c.messages if m.role == "user")
        return " ".join(next(asked, "").split())[:TITLE_LIMIT]

    def column(self, key: str) -> SavedColumn | None:
        """The column of that key that is shown."""
        return next((column for column in self.columns if column.key == key), None)


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
    conversation = _parse(workspace, read_json(path), conversation_id)
    if conversation is None:
        raise EngineError("chat.errors.conversation_broken", name=path.name)
    return conversation


def read_conversation(workspace: Workspace, path: Path) -> Conversation | None:
    """The conversation in a file; None where it is none, or damaged. The file is left as it is."""
    try:
        return _parse(workspace, read_json(path), path.stem)
    except OSError:
        return None


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


def _parse(workspace: Workspace, value: Any, conversation_id: str) -> Conversation | None:
    """A conversation from its file's content; None where it is not one. The file names the id."""
    try:
        if value.get("version", 1) == 1:
            value = _from_version_1(workspace, value)
        return Conversation(
            columns=[_column(column) for column in _listed(value["columns"])],
            id=conversation_id,
            created=str(value["created"]),
            removed=[_column(column) for column in _listed(value.get("removed", []))],
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _from_version_1(workspace: Workspace, value: dict[str, Any]) -> dict[str, Any]:
    """One base had all columns: "base", and checkpoints on it as "run/checkpoint"."""
    model, full = _model_of(workspace, str(value["model"]))
    columns = []
    for old in _listed(value["columns"]):
        run, _, checkpoint = str(old["key"]).rpartition("/")
        if run:
            new = {"kind": "lora", "model": model, "run": run, "checkpoint": checkpoint}
            new["label"] = f"{run} · {checkpoint}"
        elif full:
            run, _, checkpoint = full.rpartition("/")
            new = {"kind": "full", "key": full, "run": run, "checkpoint": checkpoint}
            new |= {"model": full, "label": f"{run} · {checkpoint}"}
        else:
            new = {"kind": "base", "key": f"base:{model}", "model": model, "label": model}
        columns.append({**old, **new})
    return {**value, "columns": columns}


def _model_of(workspace: Workspace, folder: str) -> tuple[str, str]:
    """Id of the model in a folder; and, where it is a run's own, its name as "run/checkpoint"."""
    path = Path(folder)
    if path == DEMO_PATH:
        return DEMO_ID, ""
    for root in (workspace.models, workspace.runs):
        if path.is_relative_to(root):
            name = path.relative_to(root).as_posix()
            if root == workspace.models:
                return name, ""
            return name, name if "/" in name else f"{name}/final"
    # The workspace has moved since: the last two names are those of the model.
    return "/".join(path.parts[-2:]), ""


def _column(value: dict[str, Any]) -> SavedColumn:
    kind = value.get("kind", "base")
    if kind not in get_args(ColumnKind):
        raise ValueError(kind)
    step, loss = value.get("step"), value.get("evaluation_loss")
    return SavedColumn(
        key=str(value["key"]),
        label=str(value["label"]),
        kind=kind,
        model=str(value.get("model", "")),
        address=str(value.get("address", "")),
        run=str(value.get("run", "")),
        checkpoint=str(value.get("checkpoint", "")),
        step=None if step is None else int(step),
        evaluation_loss=None if loss is None else float(loss),
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
        turn=str(value.get("turn", "")),
    )


def _listed(value: Any) -> Iterable[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value
