"""The room in which columns are asked: which are there, what was said, and how it is kept.

All that the Chat tab does, without the page: what is loaded is the engine's word, what was said is
the conversation's file.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from backend.chat import choices
from backend.chat.columns import BASE
from backend.chat.conversations import (
    Conversation,
    SavedColumn,
    SavedMessage,
    list_conversations,
    save,
)
from backend.chat.engines import (
    Answers,
    Column,
    Engine,
    EngineManager,
    Failed,
    Reply,
    Settings,
    ask,
)
from backend.errors import EngineError
from backend.workspace import Workspace

MOST_COLUMNS = 4
FRAME_SECONDS = 0.08
"""Between two updates of the columns: some twelve a second look fluid and cost little."""


class Room:
    """Columns of one workspace, asked by any number of pages, and the one conversation with them.

    Args:
        engines: The dashboard's; every page sees the same columns and the same conversation.
    """

    def __init__(self, workspace: Workspace, engines: EngineManager) -> None:
        self.workspace = workspace
        self.revision = 0
        # What the last unload gave back: any page may draw the status after it, not only the one
        # that asked for it.
        self.freed: int | None = None
        self._engines = engines
        self._asking: dict[str, Answers] = {}
        self._conversation: Conversation | None = None
        self._lock = threading.Lock()

    @property
    def engine(self) -> Engine | None:
        return self._engines.current()

    def columns(self, base_id: str | None) -> list[Column]:
        """What can be compared on a base; nothing where it is gone."""
        try:
            base = choices.find_base(self.workspace, base_id or "")
        except EngineError:
            return []
        return choices.columns(self.workspace, base)

    def load(self, base_id: str | None, keys: Sequence[str]) -> None:
        """Bring the engine to these columns; it loads in the background."""
        base = choices.find_base(self.workspace, base_id or "")
        known = {column.key: column for column in self.columns(base_id)}
        wanted = [known[key] for key in keys if key in known][:MOST_COLUMNS]
        if not wanted:
            raise EngineError("chat.errors.no_column")
        self.freed = None
        self._engines.load(base.path, asked_alike(wanted))

    def unload(self) -> int | None:
        """End the engine; the memory that came back in bytes, or None where nothing was loaded."""
        if self.engine is None:
            return None
        freed = self.freed = self._engines.unload()
        return freed

    def conversation(self) -> Conversation | None:
        """The one with the columns that are loaded: the present one, the last on disk, or a new."""
        engine = self.engine
        if engine is None:
            return None
        with self._lock:
            if self._conversation is None or not _is_of(self._conversation, engine):
                last = list_conversations(self.workspace)[:1]
                mine = [one for one in last if _is_of(one, engine)]
                self._conversation = mine[0] if mine else _new_conversation(engine)
            return self._conversation

    def clear(self, session: str) -> None:
        """Begin a new conversation; what a page still asks in the old one is stopped and kept.

        Raises:
            EngineError: the new one can't be written.
        """
        self.stop(session)
        engine = self.engine
        if engine is None:
            return
        with self._lock:
            self._conversation = _new_conversation(engine)
            self.revision += 1
            # On disk as well, or the old one would be the last when the dashboard is restarted.
            self._save(self._conversation)

    def is_asking(self, session: str) -> bool:
        """Whether answers to this page's question are still coming."""
        return session in self._asking

    def ask(
        self, session: str, conversation: Conversation, question: str, settings: Settings
    ) -> Iterator[dict[str, Reply]]:
        """Ask all columns; gives the replies so far, and at the end keeps them.

        Ends early when another conversation has begun.

        Raises:
            EngineError: nothing is loaded, this page already asks, or the answers can't be kept.
        """
        engine = self.engine
        if engine is None:
            raise EngineError("chat.errors.nothing_loaded")
        if session in self._asking:
            raise EngineError("chat.errors.already_asking")
        if not question.strip():
            raise EngineError("chat.errors.empty_message")
        told = {
            column.key: [*history(column), {"role": "user", "content": question}]
            for column in conversation.columns
        }
        replies = {column.key: Reply(column.key) for column in conversation.columns}
        present = [column for column in engine.columns if column.key in replies]
        for key in replies.keys() - {column.key for column in present}:
            # Another page has changed the columns since this one was drawn.
            replies[key].take(Failed(key, EngineError("engine.errors.column_unknown", column=key)))
        answers = ask(engine, present, told, settings)
        self._asking[session] = answers
        try:
            yield replies
            yield from self._gather(answers, conversation, replies)
        finally:
            # Also when the browser has left: what was answered so far is kept.
            answers.close()
            self._asking.pop(session, None)
            self._keep(engine, conversation, question, replies, settings)

    def _gather(
        self, answers: Answers, conversation: Conversation, replies: dict[str, Reply]
    ) -> Iterator[dict[str, Reply]]:
        shown = time.monotonic()
        for event in answers:
            replies[event.column].take(event)
            if self._conversation not in (None, conversation):
                return
            if time.monotonic() - shown >= FRAME_SECONDS:
                yield replies
                shown = time.monotonic()
        yield replies

    def _keep(
        self,
        engine: Engine,
        conversation: Conversation,
        question: str,
        replies: Mapping[str, Reply],
        settings: Settings,
    ) -> None:
        """Add question and answers to the conversation and write its file."""
        with self._lock:
            for column in conversation.columns:
                column.fingerprint = _mark(engine, column.key) or column.fingerprint
                reply = saved_reply(replies[column.key], asdict(settings))
                column.messages += [SavedMessage("user", question), reply]
            self.revision += 1
            self._save(conversation)

    def _save(self, conversation: Conversation) -> None:
        try:
            save(self.workspace, conversation)
        except OSError as error:
            reason = error.strerror or str(error)
            raise EngineError("chat.errors.not_kept", reason=reason) from error

    def questions(self, conversation: Conversation | None) -> list[str]:
        """Questions from the training data of the first run among the columns."""
        keys = [column.key for column in conversation.columns] if conversation else []
        run_id = next((key.split("/")[0] for key in keys if "/" in key), None)
        return choices.training_questions(self.workspace, run_id) if run_id else []

    def stop(self, session: str) -> None:
        """End the answers to this page's question; what has come is kept."""
        if answers := self._asking.get(session):
            answers.cancel()


def asked_alike(columns: Sequence[Column]) -> list[Column]:
    """The columns, the base with the template with which the checkpoints beside it were trained.

    With another prompt the base would look worse, or better, for no merit of the training.
    """
    templates = {column.template for column in columns if column.adapter_path}
    if len(templates) != 1:
        return list(columns)
    (template,) = templates
    return [replace(column, template=template) for column in columns]


def _new_conversation(engine: Engine) -> Conversation:
    return Conversation(
        columns=[
            SavedColumn(
                key=column.key,
                label=column.key,
                model=str(engine.model_path),
                template=column.template,
                fingerprint=_mark(engine, column.key) or "",
            )
            for column in engine.columns
        ],
    )


def _mark(engine: Engine, key: str) -> str | None:
    """What tells a column's weights from others of the same name; None until they are loaded."""
    return engine.base_mark if key == BASE else engine.fingerprint(key)


def _is_of(conversation: Conversation, engine: Engine) -> bool:
    """Whether a conversation is with the very columns that are loaded.

    A run that was deleted and trained anew has the same name and other weights.
    """
    said = [(column.key, column.fingerprint) for column in conversation.columns]
    loaded = [(column.key, _mark(engine, column.key)) for column in engine.columns]
    return (
        all(column.model == str(engine.model_path) for column in conversation.columns)
        and len(said) == len(loaded)
        and all(
            key == other and (not mark or not known or mark == known)
            for (key, mark), (other, known) in zip(said, loaded, strict=True)
        )
    )


def saved_reply(reply: Reply, settings: Mapping[str, Any]) -> SavedMessage:
    """A reply as the message that is kept, with its figures."""
    stats: dict[str, Any] = {"reasoning_closed": reply.reasoning_closed, "tokens": reply.tokens}
    if reply.done:
        stats |= {
            "reason": reply.done.reason,
            "seconds": reply.done.seconds,
            "first_token_seconds": reply.done.first_token_seconds,
            "tokens_per_second": reply.done.tokens_per_second,
            "reasoning_seconds": reply.done.reasoning_seconds,
        }
    if reply.error:
        params = {name: str(value) for name, value in reply.error.params.items()}
        stats["error"] = {"key": reply.error.key, "params": params}
    return SavedMessage(
        role="assistant",
        content=reply.content,
        reasoning=reply.reasoning,
        text=reply.text,
        stats=stats,
        settings=dict(settings),
    )


def history(column: SavedColumn) -> list[dict[str, str]]:
    """What the model is told of the conversation: answered questions and their answers."""
    told: list[dict[str, str]] = []
    for message in column.messages:
        if message.role == "assistant" and (message.stats.get("error") or not message.content):
            # A question that was never answered would be followed by another one.
            told = told[:-1] if told and told[-1]["role"] == "user" else told
        else:
            told.append({"role": message.role, "content": message.content})
    return told
