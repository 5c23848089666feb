"""Questions to the columns, and what becomes of the answers.

An answer belongs to the conversation and the column that were asked. Wherever those have gone until
it is over, it is kept with them or nowhere.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from backend.chat.answering import Target
from backend.chat.asking import Answers
from backend.chat.conversations import Conversation, SavedColumn, SavedMessage
from backend.chat.events import Reply
from backend.chat.present import Present
from backend.chat.settings import Settings
from backend.chat.under_way import Asking, LiveAnswer
from backend.errors import EngineError, MedTuneError

MOST_CHARACTERS = 200_000
"""Of one question; beyond that a browser and a tokenizer take seconds for nothing."""


class Talk:
    """What is asked in a room. Safe among threads.

    Args:
        find: Says where columns are asked, by key.
        settle: Brings the columns to what is loaded now, see ``Present.prove``.
    """

    def __init__(
        self,
        present: Present,
        find: Callable[[Sequence[SavedColumn]], Mapping[str, Target]],
        settle: Callable[[], object] = lambda: None,
    ) -> None:
        self._present = present
        self._find = find
        self._settle = settle
        self._askings: list[Asking] = []
        self.failures: dict[str, MedTuneError] = {}
        """By column: why an answer that was to replace another one did not come."""

    def ask(self, question: str, settings: Settings, keys: Iterable[str] | None = None) -> Asking:
        """Ask these columns, or all of them.

        Raises:
            EngineError: there is no such column, one of them still answers, or the question is
                empty or too long.
        """
        self._settle()
        with self._present.lock:
            conversation = self._present.current()
            columns = _chosen(conversation, keys)
            cuts = {column.key: len(column.messages) for column in columns}
            return self._start(conversation, columns, dict.fromkeys(cuts, question), settings, cuts)

    def regenerate(self, settings: Settings, keys: Iterable[str] | None = None) -> Asking:
        """Ask the last question of these columns, or of all, once more; the new answer replaces
        the old one when it has come.

        Raises:
            EngineError: as ``ask``, or nothing was asked yet.
        """
        self._settle()
        with self._present.lock:
            conversation = self._present.current()
            columns = [one for one in _chosen(conversation, keys) if one.messages]
            if not columns:
                raise EngineError("chat.errors.nothing_asked")
            cuts = {column.key: _last_question(column) for column in columns}
            questions = {one.key: one.messages[cuts[one.key]].content for one in columns}
            return self._start(conversation, columns, questions, settings, cuts)

    def resend(
        self, turn: str, question: str, settings: Settings, keys: Iterable[str] | None = None
    ) -> Asking:
        """Ask another question in a turn's place; what followed it goes when the answer has come.

        Raises:
            EngineError: as ``ask``, or the turn is gone.
        """
        self._settle()
        with self._present.lock:
            conversation = self._present.current()
            cuts: dict[str, int] = {}
            for column in _chosen(conversation, keys):
                for place, message in enumerate(column.messages):
                    if message.turn == turn and message.role == "user":
                        cuts[column.key] = place
            columns = [one for one in conversation.columns if one.key in cuts]
            if not columns:
                raise EngineError("chat.errors.nothing_asked")
            return self._start(conversation, columns, dict.fromkeys(cuts, question), settings, cuts)

    def undo(self, keys: Iterable[str] | None = None) -> None:
        """Take the last turn back: of these columns, or of all that had the latest one.

        Raises:
            EngineError: one of them still answers, or nothing was asked yet.
        """
        with self._present.lock:
            asked = [one for one in _chosen(self._present.current(), keys) if one.messages]
            if not asked:
                raise EngineError("chat.errors.nothing_asked")
            latest = max((one.messages[-1].turn for one in asked), default="")
            if keys is None:
                asked = [one for one in asked if one.messages[-1].turn == latest]
            self._check_free(asked)
            for column in asked:
                del column.messages[_last_question(column) :]
                self.failures.pop(column.key, None)
            self._present.changed()

    def live(self) -> dict[str, LiveAnswer]:
        """The answers that come now in the open conversation, by column."""
        now = self._present.current()
        return {
            live.key: live
            for asking in self._running()
            for live in asking.lives.values()
            if live.conversation is now and not live.kept
        }

    def stop(self, key: str | None = None) -> None:
        """Stop a column of the open conversation, or all that is asked; what has come is kept."""
        now = self._present.current()
        for asking in self._running():
            if key is None:
                asking.stop()
            elif (live := asking.lives.get(key)) and live.conversation is now:
                asking.stop(key)

    def wait(self, seconds: float) -> None:
        """Wait until nothing is asked any more, at most so long."""
        until = time.monotonic() + seconds
        for asking in self._running():
            asking.wait(max(0.0, until - time.monotonic()))

    def _running(self) -> list[Asking]:
        with self._present.lock:
            self._askings = [asking for asking in self._askings if asking.running]
            return list(self._askings)

    def _start(
        self,
        conversation: Conversation,
        columns: Sequence[SavedColumn],
        questions: Mapping[str, str],
        settings: Settings,
        cuts: Mapping[str, int],
    ) -> Asking:
        if not columns:
            raise EngineError("chat.errors.nothing_to_ask")
        for question in questions.values():
            _check(question)
        self._check_free(columns)
        turn = f"{time.time_ns():016x}"
        targets = self._find(columns)
        if all(target.refused for target in targets.values()):
            # Nobody would answer: said once, and nothing is written into the conversation.
            raise next(target.refused for target in targets.values() if target.refused)
        lives: dict[str, LiveAnswer] = {}
        told: dict[str, list[dict[str, str]]] = {}
        for column in columns:
            key, cut, question = column.key, cuts[column.key], questions[column.key]
            self.failures.pop(key, None)
            told[key] = [
                *([{"role": "system", "content": settings.system}] if settings.system else []),
                *history(column.messages[:cut]),
                {"role": "user", "content": question},
            ]
            lives[key] = LiveAnswer(
                conversation, key, turn, question, settings, cut=cut,
                fingerprint=column.fingerprint,
            )  # fmt: skip
        asking = Asking(Answers(targets, told, settings), lives, self._keep)
        self._askings.append(asking)
        asking.start()
        self._present.revision += 1
        return asking

    def _check_free(self, columns: Sequence[SavedColumn]) -> None:
        busy = self.live()
        if any(column.key in busy for column in columns):
            raise EngineError("chat.errors.already_asking")

    def _keep(self, live: LiveAnswer) -> None:
        """Add question and answer to the column that was asked, and write the conversation."""
        with self._present.lock:
            conversation = live.conversation
            column = next(
                (
                    one
                    for one in [*conversation.columns, *reversed(conversation.removed)]
                    if one.key == live.key and live.fingerprint in ("", one.fingerprint)
                ),
                None,
            )
            live.kept = True
            self._present.revision += 1
            if column is None:
                return
            replaces = len(column.messages) > live.cut
            if replaces and live.reply.error is not None and not live.reply.content:
                self.failures[live.key] = live.reply.error
                return
            column.messages[live.cut :] = [
                SavedMessage("user", live.question, turn=live.turn),
                saved_reply(live.reply, asdict(live.settings), live.turn),
            ]
            self._present.save(conversation)


def _chosen(conversation: Conversation, keys: Iterable[str] | None) -> list[SavedColumn]:
    wanted = None if keys is None else set(keys)
    return [one for one in conversation.columns if wanted is None or one.key in wanted]


def _last_question(column: SavedColumn) -> int:
    return max(
        (place for place, one in enumerate(column.messages) if one.role == "user"), default=0
    )


def _check(question: str) -> None:
    if not question.strip():
        raise EngineError("chat.errors.empty_message")
    if len(question) > MOST_CHARACTERS:
        raise EngineError(
            "chat.errors.long_message", count=f"{len(question):,}", limit=f"{MOST_CHARACTERS:,}"
        )


def saved_reply(reply: Reply, settings: Mapping[str, Any], turn: str = "") -> SavedMessage:
    """A reply as the message that is kept, with its figures."""
    stats: dict[str, Any] = {
        "reasoning_closed": reply.reasoning_closed,
        "tokens": reply.tokens,
        "reasoning_tokens": reply.reasoning_tokens,
    }
    if reply.done:
        stats |= {
            "reason": reply.done.reason,
            "seconds": reply.done.seconds,
            "first_token_seconds": reply.done.first_token_seconds,
            "tokens_per_second": reply.done.tokens_per_second,
            "prompt_tokens": reply.done.prompt_tokens,
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
        turn=turn,
    )


def history(messages: Sequence[SavedMessage]) -> list[dict[str, str]]:
    """What the model is told of the conversation: answered questions and their answers."""
    told: list[dict[str, str]] = []
    for message in messages:
        if message.role == "assistant" and (message.stats.get("error") or not message.content):
            # A question that was never answered would be followed by another one.
            told = told[:-1] if told and told[-1]["role"] == "user" else told
        else:
            told.append({"role": message.role, "content": message.content})
    return told
