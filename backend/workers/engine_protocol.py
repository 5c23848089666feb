"""OpenAI's chat API as this engine speaks it: checked requests, shaped replies, its errors.

Knows nothing about models or HTTP. Source of the shapes: OpenAI's API reference for
``/v1/chat/completions``; ``top_k``, ``repetition_penalty``, ``continuous_usage_stats`` and
``chat_template_kwargs.enable_thinking`` are named as vLLM names them.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

MAX_STOPS = 4
DEFAULT_MAX_TOKENS = 1024
"""LLaMA-Factory's own default of ``max_new_tokens``."""


class ApiError(Exception):
    """A request that is refused, in OpenAI's words.

    ``key`` and ``params`` name the sentence that MedTune's page shows for it.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        code: str,
        param: str | None = None,
        key: str | None = None,
        params: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.key = key
        self.params = dict(params or {})

    def body(self) -> dict[str, Any]:
        kind = {401: "authentication_error", 429: "rate_limit_error"}.get(
            self.status, "invalid_request_error" if self.status < 500 else "server_error"
        )
        error: dict[str, Any] = {
            "message": self.message,
            "type": kind,
            "param": self.param,
            "code": self.code,
        }
        if self.key:
            error["medtune"] = {"key": self.key, "params": self.params}
        return {"error": error}


@dataclass(frozen=True)
class SamplingSettings:
    """How the next token is chosen. Temperature 0 is greedy; top_k 0 is off."""

    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    seed: int | None = None


@dataclass(frozen=True)
class ChatRequest:
    """One checked body of ``POST /v1/chat/completions``."""

    model: str
    messages: list[dict[str, str]]
    sampling: SamplingSettings
    max_tokens: int = DEFAULT_MAX_TOKENS
    stop: tuple[str, ...] = ()
    stream: bool = False
    include_usage: bool = False
    continuous_usage: bool = False
    thinking: bool | None = None
    """Reason first, or not at all; None as the model was trained."""


def parse_chat(body: Any) -> ChatRequest:
    """Check a body.

    Raises:
        ApiError: 400, with the field's name.
    """
    fields = _object(body)
    for name, allowed in (("n", 1), ("tools", None), ("functions", None), ("logprobs", False)):
        if fields.get(name) not in (None, allowed, [], False):
            raise _bad(name, f"{name} is not supported here")
    options = fields.get("stream_options") or {}
    if not isinstance(options, dict):
        raise _bad("stream_options", "stream_options must be an object")
    longest = fields.get("max_completion_tokens")
    if longest is None:
        longest = fields.get("max_tokens")
    return ChatRequest(
        model=parse_model(fields),
        messages=parse_messages(fields.get("messages")),
        sampling=_sampling(fields),
        max_tokens=_integer(
            "max_tokens", longest, default=DEFAULT_MAX_TOKENS, low=1, high=1_000_000
        ),
        stop=_stops(fields.get("stop")),
        stream=_flag("stream", fields.get("stream")),
        include_usage=_flag("stream_options", options.get("include_usage")),
        continuous_usage=_flag("stream_options", options.get("continuous_usage_stats")),
        thinking=parse_thinking(fields),
    )


def parse_model(body: Any) -> str:
    model = _object(body).get("model")
    if not isinstance(model, str) or not model:
        raise _bad("model", "model must be the name of a loaded model")
    return model


def parse_thinking(body: Any) -> bool | None:
    """Whether the answer is to reason first; None as the model was trained."""
    options = _object(body).get("chat_template_kwargs") or {}
    if not isinstance(options, dict):
        raise _bad("chat_template_kwargs", "chat_template_kwargs must be an object")
    thinking = options.get("enable_thinking")
    return None if thinking is None else _flag("enable_thinking", thinking)


def parse_messages(messages: Any) -> list[dict[str, str]]:
    """Role and text of each message: an optional system message, then user and assistant in turns,
    ending with the user, as LLaMA-Factory's templates are trained.

    Raises:
        ApiError: 400.
    """
    if not isinstance(messages, list) or not messages:
        raise _bad("messages", "messages must be a list with at least one message")
    cleaned = [_message(index, message) for index, message in enumerate(messages)]
    turns = cleaned[1:] if cleaned[0]["role"] == "system" else cleaned
    for index, message in enumerate(turns):
        if message["role"] != ("user", "assistant")[index % 2]:
            raise _bad(
                "messages", "messages must be user, assistant, user, … after the system message"
            )
    if len(turns) % 2 == 0:
        raise _bad("messages", "messages must end with the user's")
    return cleaned


def _message(index: int, message: Any) -> dict[str, str]:
    where = f"messages[{index}]"
    if not isinstance(message, dict):
        raise _bad(where, f"{where} must be an object")
    role = message.get("role")
    # OpenAI's newer name of the system message.
    role = "system" if role == "developer" else role
    if role not in ("system", "user", "assistant"):
        raise _bad(where, f"{where}.role must be system, user or assistant")
    return {"role": role, "content": _content(where, message.get("content"))}


def _content(where: str, content: Any) -> str:
    if isinstance(content, list):
        parts = [part.get("text") if isinstance(part, dict) else None for part in content]
        texts = [part for part in parts if isinstance(part, str)]
        content = "".join(texts) if len(texts) == len(parts) else None
    if not isinstance(content, str):
        raise _bad(where, f"{where}.content must be text")
    # Half of a surrogate pair can't be written as UTF-8, and no tokenizer takes it.
    return content.encode("utf-8", "replace").decode("utf-8")


def _sampling(fields: dict[str, Any]) -> SamplingSettings:
    top_k = _integer("top_k", fields.get("top_k"), default=0, low=-1, high=1_000_000)
    seed = fields.get("seed")
    return SamplingSettings(
        temperature=_number("temperature", fields.get("temperature"), 1.0, 0.0, 5.0),
        top_p=_number("top_p", fields.get("top_p"), 1.0, 0.0, 1.0),
        top_k=max(top_k, 0),
        repetition_penalty=_number(
            "repetition_penalty", fields.get("repetition_penalty"), 1.0, 0.1, 10.0
        ),
        seed=None
        if seed is None
        else _integer("seed", seed, default=0, low=-(2**63), high=2**63 - 1),
    )


def _stops(stop: Any) -> tuple[str, ...]:
    words = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(words, list) or not all(isinstance(word, str) and word for word in words):
        raise _bad("stop", "stop must be a text or a list of texts")
    if len(words) > MAX_STOPS:
        raise _bad("stop", f"at most {MAX_STOPS} stop texts")
    return tuple(words)


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise ApiError(400, "the body must be a JSON object", code="invalid_body")
    return body


def _integer(name: str, value: Any, *, default: int, low: int, high: int) -> int:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise _bad(name, f"{name} must be a whole number from {low} to {high}")
    return value


def _number(name: str, value: Any, default: float, low: float, high: float) -> float:
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        raise _bad(name, f"{name} must be a number from {low:g} to {high:g}")
    return float(value)


def _flag(name: str, value: Any) -> bool:
    if value is None or isinstance(value, bool):
        return bool(value)
    raise _bad(name, f"{name} must be true or false")


def _bad(param: str, message: str) -> ApiError:
    return ApiError(400, message, code="invalid_value", param=param)


@dataclass(frozen=True)
class Answer:
    """Who answers: its fields are the same in every chunk of one reply."""

    model: str
    fingerprint: str
    prompt_tokens: int
    id: str = field(default_factory=lambda: f"chatcmpl-{uuid.uuid4().hex}")
    created: int = field(default_factory=lambda: int(time.time()))

    def usage(self, tokens: int) -> dict[str, int]:
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": tokens,
            "total_tokens": self.prompt_tokens + tokens,
        }

    def chunk(
        self, delta: dict[str, str] | None, *, finish: str | None = None, usage: int | None = None
    ) -> dict[str, Any]:
        """One event of a stream; without ``delta`` the last one, which only carries the usage."""
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return self._head("chat.completion.chunk", [choice] if delta is not None else [], usage)

    def whole(self, content: str, *, finish: str, tokens: int) -> dict[str, Any]:
        message = {"role": "assistant", "content": content}
        choice = {"index": 0, "message": message, "finish_reason": finish}
        return self._head("chat.completion", [choice], tokens)

    def _head(self, kind: str, choices: list[dict[str, Any]], usage: int | None) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": kind,
            "created": self.created,
            "model": self.model,
            "system_fingerprint": self.fingerprint,
            "choices": choices,
            "usage": None if usage is None else self.usage(usage),
        }
