"""How a sheet is rated blind: a secret from which the order of each row comes, until the reveal."""

from __future__ import annotations

import random
import secrets
import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

from backend.chat.sheets import Sheet
from backend.errors import EngineError
from backend.files import read_json, write_json
from backend.workspace import Workspace, check_name

changing = threading.Lock()
"""Held while a ballot or its votes are changed."""


@dataclass(frozen=True)
class Ballot:
    """How a sheet is rated.

    Attributes:
        revealed: The names have been seen: nothing can be said blindly any more.
    """

    sheet: str
    secret: str = field(repr=False)
    revealed: bool = False

    def order(self, question: int, count: int) -> list[int]:
        """In which order the answers to a question are shown: a place for each letter."""
        places = list(range(count))
        random.Random(f"{self.secret}:{question}").shuffle(places)
        return places


def votes_folder(workspace: Workspace) -> Path:
    return workspace.chats / "votes"


def ballot_of(workspace: Workspace, sheet_id: str) -> Ballot | None:
    """The ballot of a sheet; None where nobody has begun to rate it."""
    value = read_json(_ballot_file(workspace, sheet_id))
    try:
        return Ballot(sheet_id, str(value["secret"]), bool(value["revealed"]))
    except (KeyError, TypeError):
        return None


def is_blind(workspace: Workspace, sheet_id: str) -> bool:
    """Whether it is being rated and the names must not be seen: nothing else may show them."""
    ballot = ballot_of(workspace, sheet_id)
    return ballot is not None and not ballot.revealed


def open_ballot(workspace: Workspace, sheet: Sheet) -> Ballot:
    """Begin to rate a sheet, or go on.

    Raises:
        EngineError: fewer than two columns were asked.
        WorkspaceError: this dashboard only reads.
    """
    if len(sheet.columns) < 2:
        raise EngineError("chat.blind.errors.one_column")
    with changing:
        found = ballot_of(workspace, sheet.id)
        if found is None:
            found = Ballot(sheet.id, secrets.token_hex(16))
            _write_ballot(workspace, found)
        return found


def reveal(workspace: Workspace, sheet_id: str) -> Ballot:
    """Say who is who, for good.

    Raises:
        EngineError: nobody has begun to rate it.
        WorkspaceError: this dashboard only reads.
    """
    with changing:
        found = opened_ballot(workspace, sheet_id)
        revealed = replace(found, revealed=True)
        _write_ballot(workspace, revealed)
        return revealed


def opened_ballot(workspace: Workspace, sheet_id: str) -> Ballot:
    """
    Raises:
        EngineError: nobody has begun to rate it.
    """
    found = ballot_of(workspace, sheet_id)
    if found is None:
        raise EngineError("chat.blind.errors.not_begun")
    return found


def _write_ballot(workspace: Workspace, ballot: Ballot) -> None:
    value = {"secret": ballot.secret, "revealed": ballot.revealed}
    write_json(_ballot_file(workspace, ballot.sheet), value)


def _ballot_file(workspace: Workspace, sheet_id: str) -> Path:
    return workspace.inside(votes_folder(workspace) / f"{check_name(sheet_id)}.json")
