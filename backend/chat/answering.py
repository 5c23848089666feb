"""One column's question over HTTP, in OpenAI's format, from the request to its last event.

A column may be any server that speaks the format. Knows nothing about processes or pages.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
import orjson

from backend.chat.events import Delta, Done, Event, Failed, Reason
from backend.chat.settings import Settings
from backend.chat.splitter import (
    ReasoningPart,
    ReasoningSplitter,
    TextPart,
    TextWasReasoning,
)
from backend.errors import EngineError
from backend.text import catalogue

Message = Mapping[str, str]


@dataclass(frozen=True)
class Target:
    """Where one column is asked.

    Attributes:
        url: Address up to and with ``/v1``.
        model: Name of the model there.
        headers: Sent with each request; never shown.
        fingerprint: What the server must say that it answers with; None where it is not known.
        server: Name of a server that is not MedTune's own engine, for its sentences; else empty.
        lost: Says why the connection broke, for instance that the process is dead.
        refused: Set where the column can't be asked at all.
    """

    url: str
    model: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    fingerprint: str | None = None
    server: str = ""
    lost: Callable[[], EngineError | None] = lambda: None
    refused: EngineError | None = None


class ColumnTask:
    """One column's question, from the request to its last event."""

    def __init__(
        self,
        key: str,
        target: Target,
        messages: Sequence[Message],
        settings: Settings,
        emit: Callable[[Event], None],
    ) -> None:
        self.key = key
        self._target = target
        self._messages = messages
        self._settings = settings
        self._emit = emit
        self._splitter = ReasoningSplitter()
        self._begun = time.monotonic()
        self._first: float | None = None
        self._reasoned: float | None = None
        self._tokens = 0
        self._prompt_tokens = 0
        self._reasoning_tokens = 0
        self._apart = self._apart_closed = False
        self._finish: Reason | None = None

    @property
    def encrypted(self) -> bool:
        return not self._target.url.startswith("http://")

    async def run(self, client: httpx.AsyncClient) -> None:
        try:
            self._check()
            await self._stream(client)
            self._done(self._finish or "stop")
        except asyncio.CancelledError:
            self._done("cancelled")
        except EngineError as error:
            self._emit(Failed(self.key, error))
        except httpx.HTTPError as error:
            self._emit(Failed(self.key, await self._lost(error)))

    def never_began(self) -> None:
        """Stopped before its task took its first step."""
        self._done("cancelled")

    def _check(self) -> None:
        if self._target.refused is not None:
            raise self._target.refused
        if not self._messages or not self._messages[-1].get("content", "").strip():
            raise EngineError("chat.errors.empty_message")

    async def _stream(self, client: httpx.AsyncClient) -> None:
        body = {
            "model": self._target.model,
            "messages": [{"role": m["role"], "content": m["content"]} for m in self._messages],
            "stream": True,
            **self._options(),
        }
        async with client.stream(
            "POST",
            f"{self._target.url}/chat/completions",
            content=_json_bytes(body),
            headers={**self._target.headers, "Content-Type": "application/json"},
        ) as response:
            if response.status_code != 200:
                raise refusal(response.status_code, await response.aread(), self._target.server)
            ended = spoke = False
            async for line in response.aiter_lines():
                if line.startswith("data:"):
                    spoke = True
                    ended = self._take(line[5:].strip()) or ended
            if not ended and self._finish is None:
                if not spoke:
                    raise EngineError("engine.errors.nonsense")
                raise httpx.RemoteProtocolError("the stream ended early")

    def _options(self) -> dict[str, Any]:
        usage: dict[str, Any] = {"include_usage": True}
        if self._target.server:
            return {"stream_options": usage, **self._settings.plain_body()}
        usage["continuous_usage_stats"] = True
        return {"stream_options": usage, **self._settings.body()}

    def _take(self, data: str) -> bool:
        """One event of the stream; True for the last."""
        if data == "[DONE]":
            return True
        chunk = _json_value(data)
        if chunk.get("error"):
            raise refusal(500, data.encode(), self._target.server)
        self._prove(chunk)
        usage, choices = chunk.get("usage") or {}, chunk.get("choices") or []
        if not isinstance(usage, dict) or not isinstance(choices, list):
            raise EngineError("engine.errors.nonsense")
        self._tokens = _count(usage.get("completion_tokens"), self._tokens)
        self._prompt_tokens = _count(usage.get("prompt_tokens"), self._prompt_tokens)
        for choice in choices:
            if not isinstance(choice, dict):
                raise EngineError("engine.errors.nonsense")
            self._take_choice(choice, counted=bool(usage))
        return False

    def _take_choice(self, choice: Mapping[str, Any], *, counted: bool) -> None:
        delta = choice.get("delta") or {}
        if not isinstance(delta, dict):
            raise EngineError("engine.errors.nonsense")
        content = delta.get("content") or ""
        # Servers with a reasoning parser of their own send the reasoning apart.
        apart = delta.get("reasoning_content") or delta.get("reasoning") or ""
        if not isinstance(content, str) or not isinstance(apart, str):
            raise EngineError("engine.errors.nonsense")
        if (content or apart) and not counted:
            self._tokens += 1
        finish = choice.get("finish_reason")
        if finish:
            self._finish = "length" if finish == "length" else "stop"
        parts = self._splitter.feed(content)
        if finish:
            parts += self._splitter.finish()
        self._give(content, apart, parts)

    def _give(self, content: str, apart: str, parts: Sequence[object]) -> None:
        reasoning, text, moved = apart, "", False
        for part in parts:
            match part:
                case ReasoningPart():
                    reasoning += part.text
                case TextPart():
                    text += part.text
                case TextWasReasoning():
                    # What came just now before the tag is reasoning as well.
                    reasoning, text, moved = reasoning + text, "", True
        if not (content or apart or parts):
            return
        self._apart = self._apart or bool(apart)
        closed = self._closed(answering=bool(text))
        self._first = self._first or time.monotonic()
        if closed is not None and self._reasoned is None:
            self._reasoning_tokens = self._tokens
        if closed and self._reasoned is None:
            self._reasoned = time.monotonic()
        self._emit(
            Delta(
                self.key,
                reasoning,
                text,
                content,
                self._tokens,
                moved,
                closed,
                self._reasoning_tokens,
            )
        )

    def _closed(self, *, answering: bool) -> bool | None:
        """Whether the reasoning has ended, also where the server told the two apart itself."""
        if self._apart and self._splitter.reasoning_closed is None:
            self._apart_closed = self._apart_closed or answering
            return self._apart_closed
        return self._splitter.reasoning_closed

    def _prove(self, chunk: Mapping[str, Any]) -> None:
        """Every chunk says who answers; a column must not show another's words."""
        expected = self._target.fingerprint
        if expected is None:
            return
        answered = (chunk.get("model"), chunk.get("system_fingerprint"))
        if answered != (self._target.model, expected):
            raise EngineError(
                "engine.errors.wrong_model",
                asked=f"{self._target.model} ({expected})",
                answered=f"{answered[0]} ({answered[1]})",
            )

    def _done(self, reason: Reason) -> None:
        self._give("", "", self._splitter.finish())
        now = time.monotonic()
        self._emit(
            Done(
                self.key,
                reason,
                self._tokens,
                now - self._begun,
                None if self._first is None else self._first - self._begun,
                self._prompt_tokens,
                self._reasoning_seconds(now),
            )
        )

    def _reasoning_seconds(self, now: float) -> float | None:
        if self._first is None or self._closed(answering=False) is None:
            return None
        return (self._reasoned or now) - self._first

    async def _lost(self, error: httpx.HTTPError) -> EngineError:
        # In a thread: a process that was just killed may take a moment to be seen as dead.
        cause = await asyncio.to_thread(self._target.lost)
        if cause is not None:
            return cause
        reason = str(error) or type(error).__name__
        server = self._target.server
        if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) and server:
            return EngineError("engine.errors.server_away", server=server, reason=reason)
        if isinstance(error, httpx.TimeoutException):
            return EngineError("engine.errors.silent")
        if server:
            return EngineError("engine.errors.server_stopped", server=server, reason=reason)
        return EngineError("engine.errors.connection", reason=reason)


def refusal(status: int, content: bytes, server: str = "") -> EngineError:
    """The sentence for a refused request: the engine names its own, others' words are quoted.

    Args:
        server: Name of a server that is not MedTune's own engine.
    """
    try:
        error = _json_value(content).get("error")
    except EngineError:
        error = None
    detail = error if isinstance(error, dict) else {}
    named = detail.get("medtune") or {}
    key, params = named.get("key"), named.get("params")
    if isinstance(key, str) and key in catalogue("en") and isinstance(params, dict):
        return EngineError(key, **params)
    reason = detail.get("message") or error or content[:200].decode("utf-8", "replace")
    said = {"status": status, "reason": str(reason)[:500]}
    if status in (401, 403) and server:
        return EngineError("engine.errors.key_refused", server=server, **said)
    return EngineError("engine.errors.refused", **said)


def _count(value: object, known: int) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else known


def _json_bytes(body: Mapping[str, Any]) -> bytes:
    # What a page sends may hold half of a surrogate pair, which is no UTF-8.
    cleaned = [
        {name: value.encode("utf-8", "replace").decode("utf-8") for name, value in message.items()}
        for message in body["messages"]
    ]
    return orjson.dumps({**body, "messages": cleaned})


def _json_value(data: str | bytes) -> dict[str, Any]:
    try:
        value = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise EngineError("engine.errors.nonsense") from error
    if not isinstance(value, dict):
        raise EngineError("engine.errors.nonsense")
    return value
