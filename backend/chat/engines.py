"""Chat engines: loaded, asked, ended. What the page needs of chat is imported from here."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from backend.chat.answering import Message
from backend.chat.asking import Answers
from backend.chat.columns import Bits, Column, Loading
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
    """The engines of a dashboard: one for each base. Safe among threads."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._engines: dict[Path, Engine] = {}

    @property
    def engines(self) -> list[Engine]:
        """All that were loaded, the oldest first, also those that have died; none after unload."""
        with self._lock:
            return list(self._engines.values())

    def get(self, model_path: Path) -> Engine | None:
        """The engine of the base in a folder, also when it has died."""
        with self._lock:
            return self._engines.get(model_path)

    def is_usable(self, model_path: Path, bits: Bits = None) -> bool:
        """Whether the base that lies in a folder now is held in so many bits, or about to be."""
        engine = self.get(model_path)
        return engine is not None and _is_usable(engine, model_path, bits)

    def load(self, model_path: Path, columns: Sequence[Column], bits: Bits = None) -> Engine:
        """An engine of ``model_path`` that holds ``columns``, or is about to: see its ``loading``.

        On a base that is loaded in so many bits only adapters are added and removed. Engines of
        other bases are left as they are.

        Raises:
            EngineError: the process can't be started.
        """
        with self._lock:
            engine = self._engines.get(model_path)
            if engine is not None and _is_usable(engine, model_path, bits):
                engine.show(columns)
                return engine
            if engine is not None:
                del self._engines[model_path]
                engine.unload()
            engine = Engine.start(model_path, columns, log=self._free_log(), bits=bits)
            self._engines[model_path] = engine
            return engine

    def unload(self, model_path: Path | None = None) -> int:
        """End one engine, or all. The result is the memory that they held, in bytes."""
        with self._lock:
            paths = list(self._engines) if model_path is None else [model_path]
            ended = [self._engines.pop(path) for path in paths if path in self._engines]
        return sum(engine.unload() for engine in ended)

    def _free_log(self) -> Path:
        """A log that no other engine writes."""
        taken = {engine.log for engine in self._engines.values()}
        number = 1
        while (log := self._workspace.cache / _log_name(number)) in taken:
            number += 1
        return log


def _is_usable(engine: Engine, model_path: Path, bits: Bits) -> bool:
    return engine.usable and engine.bits == bits and engine.holds(model_path)


def _log_name(number: int) -> str:
    return "engine.log" if number == 1 else f"engine-{number}.log"


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
