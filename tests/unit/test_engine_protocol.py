"""Requests in OpenAI's format are checked field by field, and refused in its format."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.workers.engine_protocol import Answer, ApiError, parse_chat, parse_messages

USER = {"role": "user", "content": "Why?"}
BODY: dict[str, Any] = {"model": "base", "messages": [USER]}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    ["model", "messages", "temperature", "top_p", "top_k", "seed", "max_tokens", "stop", "stream"]
    + ["stream_options", "n", "tools", "logprobs", "max_completion_tokens", "repetition_penalty"]
    + ["chat_template_kwargs"]
)


def test_defaults_are_openais() -> None:
    asked = parse_chat(BODY)
    assert (asked.sampling.temperature, asked.sampling.top_p, asked.sampling.top_k) == (1, 1, 0)
    assert (asked.stream, asked.stop, asked.max_tokens) == (False, (), 1024)


def test_reasoning_is_asked_for_as_vllm_has_it() -> None:
    for kwargs, thinking in ((None, None), ({}, None), ({"enable_thinking": False}, False)):
        assert parse_chat({**BODY, "chat_template_kwargs": kwargs}).thinking is thinking
    for wrong in (3, {"enable_thinking": "yes"}):
        with pytest.raises(ApiError):
            parse_chat({**BODY, "chat_template_kwargs": wrong})


def test_the_newer_names_of_openai_are_understood() -> None:
    parts = [{"type": "text", "text": "Why"}, {"type": "text", "text": "?"}]
    messages = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": parts}]
    asked = parse_chat({**BODY, "messages": messages, "max_completion_tokens": 5})
    assert asked.messages == [{"role": "system", "content": "Be brief."}, USER]
    assert asked.max_tokens == 5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("model", None),
        ("model", 3),
        ("messages", None),
        ("messages", []),
        ("messages", ["x"]),
        ("messages", [{"role": "user"}]),
        ("messages", [{"role": "user", "content": [{"type": "image_url"}]}]),
        ("messages", [{"role": "judge", "content": "x"}]),
        ("messages", [USER, USER]),
        ("messages", [USER, {"role": "assistant", "content": "x"}]),
        ("messages", [{"role": "system", "content": "x"}]),
        ("temperature", -1),
        ("temperature", "hot"),
        ("temperature", float("nan")),
        ("top_p", 1.1),
        ("top_k", 1.5),
        ("seed", 2**70),
        ("max_tokens", 0),
        ("stop", [""]),
        ("stop", ["a"] * 5),
        ("stream", "yes"),
        ("stream_options", 1),
        ("n", 2),
        ("tools", [{"type": "function"}]),
        ("logprobs", True),
    ],
)
def test_a_bad_field_is_named(field: str, value: object) -> None:
    with pytest.raises(ApiError) as caught:
        parse_chat({**BODY, field: value})
    assert caught.value.status == 400
    error = caught.value.body()["error"]
    assert error["type"] == "invalid_request_error"
    assert field in error["param"]
    assert field in error["message"]


@given(JSON, FIELDS)
def test_whatever_comes_is_taken_or_refused(value: Any, field: str) -> None:
    for body in (value, {**BODY, field: value}):
        try:
            parse_chat(body)
        except ApiError as error:
            assert error.status == 400


@given(st.text(max_size=9))
def test_content_can_always_be_written_as_utf8(content: str) -> None:
    (message,) = parse_messages([{"role": "user", "content": content}])
    message["content"].encode()


def test_every_chunk_says_who_answers() -> None:
    answer = Answer("run/checkpoint-20", "abc", prompt_tokens=5)
    for body in (
        answer.chunk({}),
        answer.chunk(None, usage=3),
        answer.whole("x", finish="stop", tokens=3),
    ):
        assert (body["model"], body["system_fingerprint"]) == ("run/checkpoint-20", "abc")
        assert body["id"] == answer.id
    assert answer.chunk(None, usage=3)["usage"]["total_tokens"] == 8
    assert answer.chunk(None, usage=3)["choices"] == []
