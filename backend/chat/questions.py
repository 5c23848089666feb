"""A person's own list of questions, kept in the workspace."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.chat.sheets import Question
from backend.errors import EngineError
from backend.files import read_json, write_json
from backend.workspace import Workspace

MOST_OWN = 1000
LONGEST = 100_000
"""Characters of a question that is kept."""

_changing = threading.Lock()


def own_questions(workspace: Workspace) -> list[Question]:
    """The list, in the order in which questions were added; empty where the file is damaged."""
    value = read_json(_path(workspace))
    listed = value.get("questions") if isinstance(value, Mapping) else None
    rows = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    return [_question(row) for row in rows if str(row.get("text", "")).strip()]


def add_own_question(workspace: Workspace, text: str, reference: str = "") -> list[Question]:
    """The list with a question more; one that is there already gets the new reference.

    Raises:
        EngineError: it is empty or too long, or the list is full.
        WorkspaceError: this dashboard only reads.
    """
    text = text.strip()
    if not text:
        raise EngineError("chat.errors.empty_message")
    if len(text) > LONGEST or len(reference) > LONGEST:
        raise EngineError("chat.questions.errors.too_long", most=LONGEST)
    with _changing:
        kept = own_questions(workspace)
        added = Question(text, "own", reference=reference.strip())
        places = [place for place, one in enumerate(kept) if one.text == text]
        if places:
            kept[places[0]] = added
        else:
            kept.append(added)
        if len(kept) > MOST_OWN:
            raise EngineError("chat.questions.errors.full", most=MOST_OWN)
        return _write(workspace, kept)


def remove_own_question(workspace: Workspace, text: str) -> list[Question]:
    """The list without a question; as it is where it is not there.

    Raises:
        WorkspaceError: this dashboard only reads.
    """
    with _changing:
        kept = own_questions(workspace)
        return _write(workspace, [one for one in kept if one.text != text])


def _write(workspace: Workspace, kept: list[Question]) -> list[Question]:
    rows = [{"text": one.text, "reference": one.reference} for one in kept]
    write_json(_path(workspace), {"questions": rows})
    return kept


def _question(row: Mapping[str, Any]) -> Question:
    return Question(str(row["text"]), "own", reference=str(row.get("reference", "")))


def _path(workspace: Workspace) -> Path:
    return workspace.inside(workspace.chats / "questions" / "own.json")
