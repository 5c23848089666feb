"""Sampling settings are checked where they are made; a reply gathers its own events only."""

from __future__ import annotations

import math

import pytest

from backend.chat.events import Delta, Done, Failed, Reply
from backend.chat.settings import Settings
from backend.errors import EngineError
from backend.text import text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", -0.1),
        ("temperature", math.nan),
        ("temperature", None),
        ("top_p", 0.0),
        ("top_p", "1"),
        ("top_k", -1),
        ("max_tokens", 0),
        ("max_tokens", 1.5),
        ("max_tokens", True),
        ("repetition_penalty", 9.0),
        ("seed", -1),
    ],
)
def test_a_value_out_of_its_range_is_named(name: str, value: object) -> None:
    with pytest.raises(EngineError) as caught:
        Settings(**{name: value})  # type: ignore[arg-type]
    assert text("en", f"chat.settings.{name}") in caught.value.sentence("en")
    assert caught.value.sentence("zh")


def test_a_setting_that_is_not_set_is_not_sent() -> None:
    assert "seed" not in Settings().body()
    assert Settings(seed=3).body()["seed"] == 3
    assert Settings.greedy().body()["temperature"] == 0


def test_a_reply_gathers_its_own_events() -> None:
    reply = Reply("a")
    reply.take(Delta("a", text="so", content="so", tokens=1))
    reply.take(Delta("b", text="other"))
    reply.take(Delta("a", " far", "yes", "</think>yes", 3, True, True))
    assert (reply.reasoning, reply.text, reply.content) == ("so far", "yes", "so</think>yes")
    assert not reply.over
    reply.take(Done("a", "stop", 4, 2.0, 0.5))
    assert reply.over
    assert reply.tokens == 4


def test_a_failed_reply_keeps_what_had_come() -> None:
    reply = Reply("a")
    reply.take(Delta("a", text="so", tokens=1))
    reply.take(Failed("a", EngineError("engine.errors.silent")))
    assert reply.over
    assert reply.text == "so"


def test_speed_is_counted_after_the_first_token() -> None:
    assert Done("a", "stop", 11, 3.0, 1.0).tokens_per_second == 5
    assert Done("a", "stop", 1, 3.0, 1.0).tokens_per_second is None
    assert Done("a", "cancelled", 0, 3.0).tokens_per_second is None
