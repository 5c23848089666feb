"""Chat engines: loaded, asked, ended. What the page needs of chat is imported from here."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from backend.chat.answering import Message
from backend.chat.asking import Answers
from backend.chat.columns import Column, Loading
from backend.chat.engine import Engine
from backend.chat.events import Delta, Done, Event, Failed, Reply
from backend.chat.settings import Settings
from backend.workspace import Workspace

__all__ = [
    "Answers",
    "Column",
    "Delta",
    "Done",
    "Engine",
    "EngineManager",
    "Event",
    "Failed",
    "Loading",
    "Reply",
    "Settings",
    "ask",
]


class EngineManager:
    """The engine of a dashboard: at most one at a time."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._engine: Engine | None = None

    def load(self, model_path: Path, columns: Sequence[Column]) -> Engine:
        """An engine of ``model_path`` that holds ``columns``, or is about to: see its ``loading``.

        On the base that is loaded only adapters are added and removed; an engine of another base
        is ended first.

        Raises:
            EngineError: the process can't be started.
        """
        with self._lock:
            engine = self._engine
            if engine is not None and engine.usable and engine.holds(model_path):
                engine.show(columns)
                return engine
            if engine is not None:
                engine.unload()
            log = self._workspace.cache / "engine.log"
            self._engine = Engine.start(model_path, columns, log=log)
            return self._engine

    def current(self) -> Engine | None:
        """The engine that was loaded last, also when it has died; None after ``unload``."""
        return self._engine

    def unload(self) -> int:
        """End the engine. The result is the memory that came back, in bytes."""
        with self._lock:
            engine, self._engine = self._engine, None
            return engine.unload() if engine is not None else 0


def ask(
    engine: Engine,
    columns: Sequence[Column],
    conversations: Mapping[str, Sequence[Message]],
    settings: Settings,
) -> Answers:
    """Ask all ``columns`` at once, each with its own conversation, by column key.

    A conversation is a list of {"role", "content"} that ends with the question; the content of an
    earlier answer is what the model wrote (``Reply.content``). Every column ends with one ``Done``
    or ``Failed``, whatever happens to the others.
    """
    targets = {column.key: engine.target(column.key) for column in columns}
    return Answers(targets, conversations, settings)
