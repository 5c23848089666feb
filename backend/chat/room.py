"""The room in which columns are asked: which are there, what was said, and how it is kept.

All that the Chat tab does, without the page: what is loaded is the engines' word, what was said is
the conversation's file. One room for all pages of a dashboard.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from backend.chat.conversations import Conversation
from backend.chat.engines import EngineManager
from backend.chat.loading import MOST_COLUMNS, Loader
from backend.chat.present import Present
from backend.chat.remotes import Remotes
from backend.chat.talking import Talk
from backend.workspace import Workspace

__all__ = ["MOST_COLUMNS", "Room"]

STOP_SECONDS = 2.0
"""For so long answers that were stopped are waited for before the page turns."""


class Room:
    """Columns of one workspace, asked by any number of pages, and the one conversation with them.

    Attributes:
        present: The conversation that is open.
        loader: What answers, and what is in memory.
        talk: What is asked.
    """

    def __init__(self, workspace: Workspace, engines: EngineManager, remotes: Remotes) -> None:
        self.workspace = workspace
        self.present = Present(workspace)
        self.loader = Loader(self.present, engines, remotes)
        self.talk = Talk(self.present, self.loader.targets, self.loader.states)

    def conversation(self) -> Conversation:
        return self.present.current()

    def choose(self, keys: Sequence[str]) -> None:
        """Show columns of these sources; what is taken away stops answering.

        Raises:
            EngineError: none is chosen.
        """
        for column in self.conversation().columns:
            if column.key not in keys:
                self.talk.stop(column.key)
        self.loader.choose(keys)

    def remove(self, key: str) -> None:
        """Take a column away; its answer stops, and what it said is kept."""
        self.talk.stop(key)
        self.loader.remove(key)

    def begin(self) -> None:
        """Begin a new conversation with the same columns; what still comes is stopped and kept.

        Raises:
            EngineError: the new one can't be written.
        """
        self._turn(self.present.begin)

    def open(self, conversation_id: str) -> None:
        """Turn to a conversation on disk, with the columns that it had; nothing is loaded for it.

        Raises:
            EngineError: it is gone or damaged.
        """
        self._turn(lambda: self.present.open(conversation_id))

    def delete(self, conversation_id: str) -> None:
        """
        Raises:
            EngineError: it is gone already.
        """
        if self.present.current().id == conversation_id:
            self._turn(lambda: self.present.delete(conversation_id))
        else:
            self.present.delete(conversation_id)

    def stamp(self) -> str:
        """Changes when the columns' heads, the status or what was said would look different.

        Made without looking at what lies on disk: it is asked for several times a second.
        """
        remotes = self.loader.remotes.revision
        parts = [str(self.present.revision), str(self.loader.freed), str(remotes)]
        for engine in self.loader.engines:
            now = engine.loading
            keys = ",".join(column.key for column in engine.columns)
            refused = ",".join(engine.column_errors)
            parts.append(f"{engine.pid}:{now.state}:{now.column}:{keys}:{refused}")
        parts += map(str, self.loader.refused)
        return "|".join(parts)

    def _turn(self, turn: Callable[[], object]) -> None:
        self.talk.stop()
        self.talk.wait(STOP_SECONDS)
        turn()
        self.talk.failures.clear()
