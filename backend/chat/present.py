"""The conversation that is open now: one for all pages of a dashboard, as its file says."""

from __future__ import annotations

import threading
from contextlib import suppress
from weakref import WeakValueDictionary

from backend.chat import conversations
from backend.chat.conversations import Conversation, SavedColumn
from backend.chat.listing import Listing
from backend.errors import EngineError, MedTuneError
from backend.workspace import Workspace

_ABOUT = ("label", "model", "step", "evaluation_loss", "template")
"""What a source says of itself today; all else in a column is history."""


class Present:
    """Holds the open conversation and writes it. Safe among threads that hold ``lock``.

    Attributes:
        lock: Held while the conversation is changed.
        revision: Rises with each change that a page would show.
        listing: The conversations on disk.
    """

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.lock = threading.RLock()
        self.revision = 0
        self.listing = Listing(workspace)
        self._current: Conversation | None = None
        # An answer that still comes keeps its conversation alive; opened again it is the same one.
        self._known: WeakValueDictionary[str, Conversation] = WeakValueDictionary()
        self._deleted: set[str] = set()

    def current(self) -> Conversation:
        """The open conversation; at first the newest on disk, or an empty one."""
        with self.lock:
            if self._current is None:
                newest = next(iter(self.listing.entries()), None)
                self._current = Conversation()
                if newest is not None:
                    # It may have been damaged or deleted since it was listed.
                    with suppress(MedTuneError):
                        self._current = self._loaded(newest.id)
                self._known[self._current.id] = self._current
            return self._current

    def open(self, conversation_id: str) -> Conversation:
        """Turn to a conversation on disk.

        Raises:
            EngineError: it is gone or damaged.
        """
        with self.lock:
            self._current = self._loaded(conversation_id)
            self.revision += 1
            return self._current

    def begin(self) -> Conversation:
        """A new conversation with the columns of the present one."""
        with self.lock:
            columns = [afresh(column) for column in self.current().columns]
            self._current = Conversation(columns)
            self._known[self._current.id] = self._current
            self.revision += 1
            # On disk as well, or the old one would be the last when the dashboard is restarted.
            self.save(self._current)
            return self._current

    def delete(self, conversation_id: str) -> None:
        """Delete a conversation's file; the open one gives way to an empty one with its columns.

        Raises:
            EngineError: it is gone already.
        """
        with self.lock:
            open_now = self.current().id == conversation_id
            self._deleted.add(conversation_id)
            conversations.delete(self.workspace, conversation_id)
            self.revision += 1
            if open_now:
                columns = [afresh(column) for column in self.current().columns]
                self._current = Conversation(columns)
                self._known[self._current.id] = self._current

    def save(self, conversation: Conversation) -> None:
        """Write a conversation, unless it was deleted meanwhile.

        Raises:
            EngineError: it can't be written.
            WorkspaceError: another dashboard has the workspace open.
        """
        with self.lock:
            if conversation.id in self._deleted:
                return
            try:
                conversations.save(self.workspace, conversation)
            except OSError as error:
                reason = error.strerror or str(error)
                raise EngineError("chat.errors.not_kept", reason=reason) from error

    def noticed(self) -> None:
        """Let pages look again; nothing of it is kept."""
        with self.lock:
            self.revision += 1

    def changed(self) -> None:
        """Note a change and write it, where there is anything to keep."""
        with self.lock:
            self.revision += 1
            now = self.current()
            if any(column.messages for column in [*now.columns, *now.removed]):
                self.save(now)

    def prove(self, key: str, mark: str) -> None:
        """Say which weights a column has. What others said under its name is put aside.

        A run that was deleted and trained anew has the same name and other weights.
        """
        with self.lock:
            now = self.current()
            column = now.column(key)
            if column is None or column.fingerprint == mark:
                return
            place = now.columns.index(column)
            if column.fingerprint:
                now.columns[place] = _returned(now, key, mark) or afresh(column)
                now.removed += [column] if column.messages else []
            now.columns[place].fingerprint = mark
            self.revision += 1

    def arrange(self, wanted: list[SavedColumn]) -> None:
        """Show these columns in this order; each that was there before keeps what it has said."""
        with self.lock:
            now = self.current()
            before = {column.key: column for column in now.columns}
            keys = {column.key for column in wanted}
            columns = []
            for one in wanted:
                kept = before.get(one.key) or _returned(now, one.key, one.fingerprint) or one
                for name in _ABOUT:
                    # An evaluation may have come since, and a label may have been another one.
                    setattr(kept, name, getattr(one, name))
                columns.append(kept)
            gone = [column for column in now.columns if column.key not in keys]
            now.removed += [column for column in gone if column.messages]
            now.columns = columns
            self.changed()

    def _loaded(self, conversation_id: str) -> Conversation:
        known = self._known.get(conversation_id)
        if known is not None and known.id not in self._deleted:
            return known
        loaded = conversations.load(self.workspace, conversation_id)
        self._known[conversation_id] = loaded
        return loaded


def afresh(column: SavedColumn) -> SavedColumn:
    """The same column before it said anything."""
    return SavedColumn(**{**vars(column), "messages": []})


def _returned(conversation: Conversation, key: str, mark: str) -> SavedColumn | None:
    """A column of that key, and of those weights where they are known, that was taken away."""
    for column in reversed(conversation.removed):
        if column.key == key and mark in ("", column.fingerprint):
            conversation.removed.remove(column)
            return column
    return None
