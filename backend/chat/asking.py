"""One question to several columns at once: all of them stream at the same time.

Knows nothing about processes or pages.
"""

from __future__ import annotations

import asyncio
import queue
import threading
import weakref
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from types import TracebackType

import httpx

from backend.chat.answering import ColumnTask, Message, Target
from backend.chat.events import Event
from backend.chat.settings import Settings

# The engine sends something at least every five seconds, also while it reads a long prompt.
TIMEOUT = httpx.Timeout(connect=10, read=60, write=60, pool=None)


class Answers(Iterator[Event]):
    """The events of all columns, in the order in which they happen.

    Closing it, or dropping it, stops the generation in the engine; so does ``cancel``, which lets
    the iteration go on to the columns' ``Done`` events.
    """

    def __init__(
        self,
        targets: Mapping[str, Target],
        conversations: Mapping[str, Sequence[Message]],
        settings: Settings,
    ) -> None:
        self._work = _Work(targets, conversations, settings)
        self._over = False
        # The thread must not keep this object alive: a page that forgets it ends the generation.
        self._finalizer = weakref.finalize(self, self._work.cancel)

    def __iter__(self) -> Answers:
        return self

    def __next__(self) -> Event:
        event = None if self._over else self._work.events.get()
        if event is None:
            self._over = True
            raise StopIteration
        if isinstance(event, BaseException):
            raise event
        return event

    def cancel(self, column: str | None = None) -> None:
        """Stop one column, or all of them."""
        self._work.cancel(column)

    def close(self) -> None:
        """Stop all columns and the iteration."""
        self._over = True
        self._finalizer()

    def __enter__(self) -> Answers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


class _Work:
    """The thread that asks: one event loop, one task for each column."""

    def __init__(
        self,
        targets: Mapping[str, Target],
        conversations: Mapping[str, Sequence[Message]],
        settings: Settings,
    ) -> None:
        # An exception is a fault of the program: it is raised where the events are read.
        self.events: queue.SimpleQueue[Event | BaseException | None] = queue.SimpleQueue()
        self._columns = [
            ColumnTask(key, target, conversations.get(key, ()), settings, self.events.put)
            for key, target in targets.items()
        ]
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._started = threading.Event()
        threading.Thread(target=self._run, daemon=True, name="ask").start()
        self._started.wait()

    def cancel(self, column: str | None = None) -> None:
        wanted = [task for key, task in self._tasks.items() if column in (None, key)]
        # A loop that is closed has no columns left to stop.
        with suppress(RuntimeError):
            for task in wanted:
                assert self._loop is not None
                self._loop.call_soon_threadsafe(task.cancel)

    def _run(self) -> None:
        try:
            asyncio.run(self._ask_all())
        finally:
            self._started.set()
            self.events.put(None)

    async def _ask_all(self) -> None:
        limits = httpx.Limits(max_connections=None)
        # Reading the certificates takes longer than a small model's first token; loopback has none.
        verify = any(column.encrypted for column in self._columns)
        async with httpx.AsyncClient(
            timeout=TIMEOUT, limits=limits, trust_env=False, verify=verify
        ) as client:
            for column in self._columns:
                self._tasks[column.key] = asyncio.create_task(column.run(client))
            self._loop = asyncio.get_running_loop()
            self._started.set()
            results = await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        for column, result in zip(self._columns, results, strict=True):
            if isinstance(result, asyncio.CancelledError):
                column.never_began()
            elif result is not None:
                self.events.put(result)
