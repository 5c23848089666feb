"""What a chat column shows of what was said."""

from __future__ import annotations

import pytest

from backend.chat.conversations import SavedMessage
from backend.chat.engines import Reply
from backend.chat.events import Delta
from backend.errors import EngineError
from ui.components.chat_columns import bubbles, literal, pending, settings_of, stats_line


def answer(**stats: object) -> SavedMessage:
    return SavedMessage("assistant", "raw", reasoning="Because.", text="Rest.", stats=dict(stats))


def test_reasoning_is_folded_above_the_answer() -> None:
    shown = bubbles([SavedMessage("user", "Q?"), answer(reasoning_closed=True)], "en")
    assert [one["content"] for one in shown] == ["Q?", "Because.", "Rest."]
    assert shown[1]["metadata"] == {"title": "Reasoning", "status": "done"}


def test_reasoning_that_was_never_closed_is_shown_as_such() -> None:
    (shown,) = bubbles(
        [SavedMessage("assistant", "x", reasoning="hm", stats={"reasoning_closed": False})], "en"
    )
    assert shown["metadata"]["title"] == "Reasoning, never closed"


def test_while_it_comes_reasoning_is_open() -> None:
    reply = Reply("c")
    reply.take(Delta("c", reasoning="hm", content="<think>hm", tokens=2, reasoning_closed=False))
    question, reasoning = pending("Q?", reply, "en")
    assert question["content"] == "Q?"
    assert reasoning["metadata"] == {"title": "Reasoning", "status": "pending"}


def test_a_failure_is_said_in_the_readers_language() -> None:
    message = SavedMessage(
        "assistant", "", stats={"error": {"key": "engine.errors.silent", "params": {}}}
    )
    (english,), (chinese,) = (bubbles([message], language) for language in ("en", "zh"))
    assert "silent" in english["content"] and "silent" not in chinese["content"]


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("<script>alert(1)</script>", "&lt;script>alert(1)&lt;/script>"),
        ("<think>", "&lt;think>"),
        ("p < 0.05 & a<5", "p < 0.05 & a<5"),
        ("&lt;b&gt; &#60;", "&amp;lt;b&amp;gt; &amp;#60;"),
        ("**bold**", "**bold**"),
        ("![x](http://far/away.png)!", "&#33;[x](http://far/away.png)!"),
    ],
)
def test_tags_are_text(written: str, shown: str) -> None:
    assert literal(written) == shown


def test_figures_of_the_last_answer() -> None:
    stats = {
        "reason": "length",
        "tokens": 40,
        "tokens_per_second": 12.34,
        "first_token_seconds": 0.256,
    }
    assert "40 tokens · 12.3 tokens/s · first after 0.26 s · reached the limit" in stats_line(
        [answer(**stats)], "en"
    )
    assert "tokens" not in stats_line([SavedMessage("user", "Q?")], "en")


def test_settings_are_taken_as_entered() -> None:
    assert settings_of(True, 0.6, 0.95, 100.0, 0).temperature == 0
    settings = settings_of(False, 0.6, 0.9, 64.0, 7.0)
    assert (settings.max_tokens, settings.seed, settings.top_p) == (64, 7, 0.9)
    assert isinstance(settings.max_tokens, int)


@pytest.mark.parametrize(
    ("entered", "name"),
    [
        ((False, 9.0, 0.95, 100, 0), "temperature"),
        ((False, None, 0.95, 100, 0), "temperature"),
        ((False, 0.6, 0.95, 100, None), "seed"),
        ((True, 0.6, 0.95, 0, 0), "max_tokens"),
        ((True, 0.6, 0.95, None, 0), "max_tokens"),
        ((True, 0.6, 0.95, 1.5, 0), "max_tokens"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(
    entered: tuple[bool, float | None, float | None, float | None, float | None], name: str
) -> None:
    with pytest.raises(EngineError) as caught:
        settings_of(*entered)
    assert caught.value.params["name"] == name
