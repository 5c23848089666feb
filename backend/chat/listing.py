"""The conversations of a workspace, listed and searched without reading every file each time.

A file is read when it is new or has changed since the last look, and what is needed of it is kept.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.chat.conversations import Conversation, read_conversation
from backend.workspace import Workspace

MOST_WORDS = 50_000
"""Characters of a conversation that are searched, and so held in memory."""


@dataclass(frozen=True)
class Entry:
    """A conversation in the list.

    Attributes:
        columns: Labels of those who answered.
        turns: Questions in the column with the most.
        words: What was asked and answered, in lower case, to be searched.
    """

    id: str
    created: str
    title: str
    columns: tuple[str, ...]
    turns: int
    words: str


class Listing:
    """The list of one workspace. Safe among threads."""

    def __init__(self, workspace: Workspace) -> None:
        self._folder = workspace.chats
        self._workspace = workspace
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[object, Entry | None]] = {}
        self.read = 0
        """Files read so far; what a test of its cost counts."""

    def entries(self, words: str = "") -> list[Entry]:
        """Those that have all of ``words``, the newest first; damaged files are left out."""
        with self._lock:
            self._look()
            found = [entry for _, entry in self._kept.values() if entry is not None]
        wanted = words.casefold().split()
        found = [entry for entry in found if all(word in entry.words for word in wanted)]
        return sorted(found, key=lambda entry: (entry.created, entry.id), reverse=True)

    def stamp(self) -> int:
        """Changes when a conversation comes, goes or is written."""
        with self._lock:
            self._look()
            return hash(tuple((name, mark) for name, (mark, _) in self._kept.items()))

    def _look(self) -> None:
        seen: dict[str, tuple[object, Entry | None]] = {}
        for path in sorted(self._folder.glob("*.json")):
            try:
                status = path.stat()
            except OSError:
                continue
            mark = (status.st_ino, status.st_size, status.st_mtime_ns)
            kept = self._kept.get(path.name)
            seen[path.name] = kept if kept and kept[0] == mark else (mark, self._entry(path))
        self._kept = seen

    def _entry(self, path: Path) -> Entry | None:
        self.read += 1
        conversation = read_conversation(self._workspace, path)
        return None if conversation is None else entry_of(conversation)


def entry_of(conversation: Conversation) -> Entry:
    """What the list needs of a conversation."""
    every = [*conversation.columns, *conversation.removed]
    texts: list[str] = [column.label for column in every]
    for column in every:
        texts += [message.text or message.content for message in column.messages]
    turns = [sum(message.role == "user" for message in column.messages) for column in every]
    return Entry(
        id=conversation.id,
        created=conversation.created,
        title=conversation.title,
        columns=tuple(column.label for column in conversation.columns),
        turns=max(turns, default=0),
        words=_cut(texts),
    )


def _cut(texts: Sequence[str]) -> str:
    return "\n".join(texts)[:MOST_WORDS].casefold()
