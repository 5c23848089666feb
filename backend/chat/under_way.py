"""Answers while they come: gathered by one thread, looked at by any number of pages.

What a page is told of an answer is what it has not seen yet, so that a look costs what is new,
however long the answer has become.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from backend.chat.asking import Answers
from backend.chat.blocks import Blocks
from backend.chat.conversations import Conversation
from backend.chat.events import Delta, Event, Reply
from backend.chat.settings import Settings
from backend.errors import MedTuneError


@dataclass(frozen=True)
class Cursor:
    """How much of an answer a page has: characters of both parts, finished blocks; ``epoch`` rises
    when what was shown so far was turned into something else."""

    epoch: int = -1
    reasoning: int = 0
    text: int = 0
    blocks: int = 0


@dataclass(frozen=True)
class News:
    """What has come of an answer behind a cursor.

    Attributes:
        afresh: What the page has is void.
        blocks: Finished blocks of the answer, as Markdown.
        tail: The unfinished end of the answer where there are new blocks or all is afresh; None
            where ``text`` only goes on with it.
    """

    cursor: Cursor
    afresh: bool
    reasoning: str
    blocks: tuple[str, ...]
    tail: str | None
    text: str


class LiveAnswer:
    """One column's answer to one question.

    Attributes:
        conversation: It belongs there and nowhere else, whatever is shown meanwhile.
        cut: From this message on the column's history gives way to question and answer.
        kept: It is over, and is with its conversation.
    """

    def __init__(
        self,
        conversation: Conversation,
        key: str,
        turn: str,
        question: str,
        settings: Settings,
        *,
        cut: int,
        fingerprint: str = "",
    ) -> None:
        self.conversation = conversation
        self.key = key
        self.turn = turn
        self.question = question
        self.settings = settings
        self.cut = cut
        self.fingerprint = fingerprint
        self.kept = False
        self.reply = Reply(key)
        self.begun = time.monotonic()
        self._blocks = Blocks()
        self._epoch = 0
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """Since the question."""
        return time.monotonic() - self.begun

    def take(self, event: Event) -> None:
        """Add an event of this column."""
        with self._lock:
            self.reply.take(event)
            if isinstance(event, Delta) and event.column == self.key:
                if event.text_was_reasoning:
                    self._epoch += 1
                    self._blocks = Blocks()
                self._blocks.feed(event.text)

    def news(self, seen: Cursor) -> News:
        """What a page lacks that has seen so much."""
        with self._lock:
            reply, ends = self.reply, self._blocks.ends
            afresh = seen.epoch != self._epoch or seen.blocks > len(ends)
            if afresh:
                seen = Cursor(self._epoch)
            starts = [ends[seen.blocks - 1] if seen.blocks else 0, *ends[seen.blocks :]]
            blocks = tuple(
                reply.text[start:end] for start, end in zip(starts, starts[1:], strict=False)
            )
            tail = reply.text[starts[-1] :] if blocks or afresh else None
            return News(
                cursor=Cursor(self._epoch, len(reply.reasoning), len(reply.text), len(ends)),
                afresh=afresh,
                reasoning=reply.reasoning[seen.reasoning :],
                blocks=blocks,
                tail=tail,
                text="" if tail is not None else reply.text[seen.text :],
            )


class Asking:
    """One question on its way to some columns. Its thread ends when every column has ended.

    Attributes:
        error: What could not be kept; set at the end.
    """

    def __init__(
        self,
        answers: Answers,
        lives: Mapping[str, LiveAnswer],
        keep: Callable[[LiveAnswer], None],
    ) -> None:
        self.lives = dict(lives)
        self.error: MedTuneError | None = None
        self._answers = answers
        self._keep = keep
        self._thread = threading.Thread(target=self._gather, daemon=True, name="answers")

    def start(self) -> None:
        self._thread.start()

    @property
    def running(self) -> bool:
        return self._thread.is_alive()

    def wait(self, seconds: float | None = None) -> None:
        """Wait until all columns have ended, at most so long."""
        self._thread.join(seconds)

    def stop(self, key: str | None = None) -> None:
        """Stop one column, or all; what has come is kept."""
        self._answers.cancel(key)

    def _gather(self) -> None:
        try:
            for event in self._answers:
                live = self.lives[event.column]
                live.take(event)
                if live.reply.over:
                    self._finish(live)
        finally:
            for live in self.lives.values():
                if not live.reply.over:
                    # A fault of the program ended the thread: what came is not lost with it.
                    self._finish(live)

    def _finish(self, live: LiveAnswer) -> None:
        try:
            self._keep(live)
        except MedTuneError as error:
            self.error = error
