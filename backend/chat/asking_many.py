"""Asks all columns of a sheet all its questions, with nobody watching.

A thread of the dashboard keeps several questions in the engine at once, which puts them into one
batch, and each answer is on the disk when it has come. So it goes on when the browser is closed,
and after a restart of the dashboard what is missing, or has failed, can be asked again. Knows
nothing about pages; where a column can be asked is told by ``Reach``.
"""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from backend.chat.answering import ColumnTask, Target
from backend.chat.asking import TIMEOUT
from backend.chat.events import Reply
from backend.chat.sheets import Answer, Contestant, Sheet
from backend.chat.talking import saved_reply
from backend.errors import EngineError, MedTuneError
from backend.files import read_json, write_json
from backend.processes import ProcessId

IN_FLIGHT = 16
"""Questions that are asked at the same time: an engine's batch has eight rows, and as many wait, so
that a place that becomes free is taken at once."""

_PAUSE_SECONDS = 1.0
_FRESH_SECONDS = 1.0
_BROKEN_TRIES = 3
"""A connection that breaks says nothing of the question: it is asked again, so often in all."""

_BROKEN = frozenset(
    f"engine.errors.{name}" for name in ("connection", "server_away", "server_stopped")
)
_BUSY_STATUS = frozenset({429, 503})
_BUSY_TRIES = 600
"""So often a server is asked again that has no room now: ten minutes long."""

_LOST_IN_A_ROW = 3
"""After so many questions that a column could not be asked it is left alone: its process has died,
or its address is wrong."""

_OF_ONE_QUESTION = frozenset(
    {"engine.errors.context", "engine.errors.generation_failed", "chat.errors.empty_message"}
)
"""Errors that say something of one question. All others are the column's."""

_STATE = "state.json"

Reach = Callable[[Contestant], Target]
"""Where a column can be asked now; a target that is ``refused`` where it can't be. It must refuse
weights other than those that the sheet began with. Called in the thread that asks."""


@dataclass(frozen=True)
class Progress:
    """How far a sheet is.

    Attributes:
        state: "asking", "complete", "stopped" (by a person, or since columns could not be asked) or
            "interrupted" (the dashboard ended).
        done: Answers that there are, failures not among them.
        failed: Answers that failed; they are asked again when it goes on.
        total: Answers that there are in the end.
        seconds_left: At the present speed; None where nothing is being asked or came so far.
        lost: Columns that could not be asked, and why; under "" why nothing can be kept.
    """

    state: str
    done: int
    failed: int
    total: int
    seconds_left: float | None = None
    lost: Mapping[str, EngineError] = field(default_factory=dict)


class AskingMany:
    """The sheets that this dashboard is asking."""

    def __init__(self) -> None:
        self._jobs: dict[str, _Job] = {}
        self._counts: dict[str, tuple[int, int, int]] = {}
        self._lock = threading.Lock()

    def start(self, sheet: Sheet, reach: Reach) -> None:
        """Ask what has not been answered yet; returns at once.

        Raises:
            EngineError: it is being asked already, is complete, or can't be written.
            WorkspaceError: this dashboard only reads.
        """
        with self._lock:
            if self._is_asking(sheet):
                raise EngineError("chat.many.errors.already")
            answered = sheet.answered()
            missing = [
                (number, column)
                for number in range(sheet.count)
                for column in sheet.columns
                if answered.get((number, column.key), True)
            ]
            if not missing:
                raise EngineError("chat.many.errors.complete")
            job = self._jobs[sheet.id] = _Job(sheet, missing, reach)
            job.begin()

    def stop(self, sheet: Sheet) -> None:
        """End it; the answers that are under way are dropped, those that came are kept."""
        job = self._jobs.get(sheet.id)
        if job is not None:
            job.stop()

    def stop_all(self) -> None:
        """End all, for instance since the dashboard ends. They are then *interrupted*."""
        for job in list(self._jobs.values()):
            job.stop(interrupted=True)

    def progress(self, sheet: Sheet) -> Progress:
        """How far it is; also of what an earlier dashboard asked."""
        # First of all: what is read after its end is all that there will be.
        asking = self._is_asking(sheet)
        done, failed = self._counted(sheet)
        job = self._jobs.get(sheet.id)
        noted = _noted(sheet)
        if asking:
            state = "asking"
        elif done == sheet.pairs:
            state = "complete"
        else:
            state = "interrupted" if noted.get("process") else "stopped"
        left = job.seconds_left() if job is not None and state == "asking" else None
        return Progress(state, done, failed, sheet.pairs, left, _lost(noted))

    def _counted(self, sheet: Sheet) -> tuple[int, int]:
        """Answers and failures; counted anew only where some have come."""
        size = sheet.size()
        known = self._counts.get(sheet.id)
        if known is None or known[0] != size:
            answered = sheet.answered()
            failed = sum(answered.values())
            known = self._counts[sheet.id] = (size, len(answered) - failed, failed)
        return known[1], known[2]

    def _is_asking(self, sheet: Sheet) -> bool:
        """Whether a dashboard that lives is asking it, be it this one or another."""
        process = _process(_noted(sheet))
        if process is None or process.pid != os.getpid():
            return process is not None and process.is_alive()
        job = self._jobs.get(sheet.id)
        return job is not None and job.alive


class _Job:
    """The thread that asks one sheet."""

    def __init__(self, sheet: Sheet, missing: Iterable[tuple[int, Contestant]], reach: Reach):
        self._sheet = sheet
        self._reach = reach
        self._missing = deque(missing)
        self._total = len(self._missing)
        self._done = 0
        self._begun = time.monotonic()
        self._lost: dict[str, EngineError] = {}
        self._in_a_row: dict[str, int] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._workers: list[asyncio.Task[None]] = []
        self._targets: dict[str, tuple[float, Target]] = {}
        self._stopped = self._interrupted = False
        self._thread = threading.Thread(target=self._run, daemon=True, name="ask many")

    def begin(self) -> None:
        """
        Raises:
            EngineError: the disk does not take a note of it.
            WorkspaceError: this dashboard only reads.
        """
        try:
            self._note(asking=True)
        except OSError as error:
            reason = error.strerror or str(error)
            raise EngineError("chat.many.errors.not_kept", reason=reason) from error
        self._thread.start()

    def stop(self, *, interrupted: bool = False) -> None:
        self._stopped, self._interrupted = True, interrupted
        # A loop that is closed, or not there yet, has nothing to cancel.
        with suppress(RuntimeError):
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._cancel)
        if self._thread.is_alive():
            self._thread.join(10)

    @property
    def alive(self) -> bool:
        return self._thread.is_alive()

    def seconds_left(self) -> float | None:
        done, left = self._done, self._total - self._done
        return (time.monotonic() - self._begun) / done * left if done else None

    def _cancel(self) -> None:
        for worker in self._workers:
            worker.cancel()

    def _run(self) -> None:
        try:
            asyncio.run(self._ask())
        except OSError as error:
            reason = error.strerror or str(error)
            self._lost[""] = EngineError("chat.many.errors.not_kept", reason=reason)
        except MedTuneError as error:
            self._lost[""] = EngineError(error.key, **error.params)
        finally:
            # Not where the dashboard ends: the note of a process that is gone says that it did.
            if not self._interrupted:
                with suppress(OSError, MedTuneError):
                    self._note(asking=False)

    async def _ask(self) -> None:
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(timeout=TIMEOUT, limits=limits, trust_env=False) as client:
            self._workers = [
                asyncio.create_task(self._work(client)) for _ in range(min(IN_FLIGHT, self._total))
            ]
            self._loop = asyncio.get_running_loop()
            if self._stopped:
                self._cancel()
            results = await asyncio.gather(*self._workers, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):
                raise result

    async def _work(self, client: httpx.AsyncClient) -> None:
        while self._missing:
            number, column = self._missing.popleft()
            if column.key in self._lost:
                continue
            (question,) = self._sheet.questions(number, number + 1)
            messages = question.messages(self._sheet.system)
            reply = await self._answer_at_last(client, column, messages)
            if self._stopped:
                return
            self._take(number, column, reply)

    async def _answer_at_last(
        self, client: httpx.AsyncClient, column: Contestant, messages: list[dict[str, str]]
    ) -> Reply:
        """The reply, once the engine has room for the question and the connection holds."""
        tries = 1
        while True:
            reply = await self._answer(client, self._target(column), messages)
            if self._stopped or tries >= _tries(reply.error):
                return reply
            tries += 1
            await asyncio.sleep(_PAUSE_SECONDS)

    def _target(self, column: Contestant) -> Target:
        """Looked up anew now and then: what is there is read from the disk."""
        when, target = self._targets.get(column.key, (0.0, None))
        if target is None or time.monotonic() - when > _FRESH_SECONDS:
            target = self._reach(column)
            self._targets[column.key] = (time.monotonic(), target)
        return target

    async def _answer(
        self, client: httpx.AsyncClient, target: Target, messages: list[dict[str, str]]
    ) -> Reply:
        reply = Reply("")
        await ColumnTask("", target, messages, self._sheet.settings, reply.take).run(client)
        return reply

    def _take(self, number: int, column: Contestant, reply: Reply) -> None:
        """Keep an answer, or give a column up that can't be asked."""
        error = reply.error
        if error is not None and error.key not in _OF_ONE_QUESTION:
            self._in_a_row[column.key] = self._in_a_row.get(column.key, 0) + 1
            if self._in_a_row[column.key] >= _LOST_IN_A_ROW:
                self._lost[column.key] = error
                self._note(asking=True)
        else:
            self._in_a_row[column.key] = 0
        message = saved_reply(reply, {})
        self._sheet.add(
            Answer(
                number,
                column.key,
                message.content,
                message.reasoning,
                message.text,
                message.stats,
            )
        )
        self._done += 1

    def _note(self, *, asking: bool) -> None:
        me = ProcessId.of(os.getpid()) if asking else None
        lost = {
            key: {"key": error.key, "params": {n: str(v) for n, v in error.params.items()}}
            for key, error in self._lost.items()
        }
        process = {"pid": me.pid, "born": me.born} if me else None
        # Not waiting for the disk: a note that a power failure takes says what is so then anyway.
        write_json(_state_file(self._sheet), {"process": process, "lost": lost}, durable=False)


def _tries(error: EngineError | None) -> int:
    """How often a question is asked that ends so."""
    if error is None:
        return 1
    if error.key == "engine.errors.busy" or error.params.get("status") in _BUSY_STATUS:
        return _BUSY_TRIES
    return _BROKEN_TRIES if error.key in _BROKEN else 1


def _state_file(sheet: Sheet) -> Path:
    return sheet.folder / _STATE


def _noted(sheet: Sheet) -> dict[str, Any]:
    value = read_json(_state_file(sheet))
    return value if isinstance(value, dict) else {}


def _process(noted: Mapping[str, Any]) -> ProcessId | None:
    process = noted.get("process")
    try:
        return ProcessId(int(process["pid"]), str(process["born"])) if process else None
    except (KeyError, TypeError, ValueError):
        return None


def _lost(noted: Mapping[str, Any]) -> dict[str, EngineError]:
    lost = noted.get("lost")
    if not isinstance(lost, dict):
        return {}
    return {
        str(key): EngineError(error["key"], **error["params"])
        for key, error in lost.items()
        if isinstance(error, dict) and isinstance(error.get("params"), dict)
    }
