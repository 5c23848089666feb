"""Asking columns: all at once, each with its own end, whatever the others or the server do."""

from __future__ import annotations

import gc
import json
import threading
import time

from backend.chat.answering import Target
from backend.chat.asking import Answers
from backend.chat.events import Delta, Done, Event, Failed, Reply
from backend.chat.settings import Settings
from backend.errors import EngineError
from tests.fakes.openai_server import (
    DONE,
    Act,
    Scripted,
    chunk,
    forever,
    serving,
    status,
    streams,
    until,
)

QUESTION = [{"role": "user", "content": "Why?"}]
GREEDY = Settings.greedy(max_tokens=8)


def talk(*acts: Act) -> tuple[Act, ...]:
    return (status(200), *acts)


def asked(server: Scripted, *models: str, fingerprint: str | None = None) -> Answers:
    targets = {
        model: Target(server.url, model, {"Authorization": "Bearer k"}, fingerprint)
        for model in models
    }
    return Answers(targets, dict.fromkeys(models, QUESTION), GREEDY)


def only(answers: Answers) -> tuple[Reply, list[Event]]:
    events = list(answers)
    reply = Reply("m")
    for event in events:
        reply.take(event)
    return reply, events


def failure(*acts: Act, fingerprint: str | None = None) -> EngineError:
    with serving(m=acts) as server:
        reply, events = only(asked(server, "m", fingerprint=fingerprint))
    assert isinstance(events[-1], Failed)
    assert reply.error is not None
    return reply.error


def test_reasoning_and_answer_arrive_apart_with_counts_and_times() -> None:
    script = talk(
        streams(
            chunk("<thi", usage={"completion_tokens": 1, "prompt_tokens": 7}),
            b": still here\n\n",
            chunk("nk>\nso\n</think>\n\nyes", usage={"completion_tokens": 5, "prompt_tokens": 7}),
            chunk("", finish="stop"),
            {"choices": [], "model": "m", "usage": {"completion_tokens": 6, "prompt_tokens": 7}},
            DONE,
        )
    )
    with serving(m=script) as server:
        reply, _ = only(asked(server, "m"))
        assert server.asked[0]["temperature"] == 0
        assert server.asked[0]["messages"] == QUESTION
    assert (reply.reasoning, reply.text) == ("so", "yes")
    assert reply.content == "<think>\nso\n</think>\n\nyes"
    assert reply.reasoning_closed is True
    done = reply.done
    assert done is not None
    assert (done.reason, done.tokens, done.prompt_tokens) == ("stop", 6, 7)
    assert done.first_token_seconds is not None
    assert done.reasoning_seconds is not None
    assert 0 < done.first_token_seconds <= done.seconds


def test_the_limit_of_tokens_is_told_from_the_end() -> None:
    with serving(m=talk(streams(chunk("a"), chunk("", finish="length"), DONE))) as server:
        reply, _ = only(asked(server, "m"))
    assert reply.done is not None
    assert reply.done.reason == "length"


def test_a_server_that_tells_the_reasoning_apart_itself_is_understood() -> None:
    apart = chunk(delta={"content": None, "reasoning_content": "so"})
    with serving(m=talk(streams(apart, chunk("yes"), chunk(finish="stop"), DONE))) as server:
        reply, _ = only(asked(server, "m"))
    assert (reply.reasoning, reply.text, reply.reasoning_closed) == ("so", "yes", True)
    assert reply.tokens == 2


def test_text_before_a_lone_closing_tag_becomes_reasoning() -> None:
    script = talk(streams(chunk("so"), chunk("</think>yes"), chunk(finish="stop"), DONE))
    with serving(m=script) as server:
        reply, events = only(asked(server, "m"))
    assert events[0] == Delta("m", text="so", content="so", tokens=1)
    assert (reply.reasoning, reply.text) == ("so", "yes")


def test_columns_stream_at_the_same_time_and_fail_alone() -> None:
    gate = threading.Event()
    slow = talk(streams(chunk("a")), until(gate), streams(chunk("b", finish="stop"), DONE))
    with serving(slow=slow, bad=(status(500, b"oops"),)) as server:
        answers = asked(server, "slow", "bad")
        seen = [next(answers), next(answers)]
        gate.set()
        seen += answers
    assert {event.column for event in seen[:2]} == {"slow", "bad"}
    assert isinstance(seen[-1], Done)
    errors = [event.error for event in seen if isinstance(event, Failed)]
    assert [error.key for error in errors] == ["engine.errors.refused"]
    assert "oops" in errors[0].sentence("en")


def test_cancelling_one_column_lets_the_other_go_on() -> None:
    gate = threading.Event()
    other = talk(streams(chunk("a")), until(gate), streams(chunk("b", finish="stop"), DONE))
    with serving(endless=talk(forever(chunk("x"))), other=other) as server:
        answers = asked(server, "endless", "other")
        next(answers)
        begun = time.monotonic()
        answers.cancel("endless")
        cancelled = next(e for e in answers if isinstance(e, Done))
        assert (cancelled.column, cancelled.reason) == ("endless", "cancelled")
        assert time.monotonic() - begun < 1
        assert server.left.wait(5), "the server must see that nobody listens"
        gate.set()
        rest = [event for event in answers if not isinstance(event, Delta)]
        assert [event.column for event in rest] == ["other"]


def test_cancelling_before_anything_happened_still_ends_every_column() -> None:
    with serving(a=talk(forever(chunk("x"))), b=talk(forever(chunk("x")))) as server:
        answers = asked(server, "a", "b")
        answers.cancel()
        ends = [event for event in answers if not isinstance(event, Delta)]
    assert {event.column for event in ends} == {"a", "b"}
    assert all(isinstance(event, Done) and event.reason == "cancelled" for event in ends)


def test_closing_or_dropping_the_answers_ends_the_generation() -> None:
    for end in ("close", "drop"):
        with serving(m=talk(forever(chunk("x")))) as server:
            answers = asked(server, "m")
            next(answers)
            if end == "close":
                answers.close()
                assert list(answers) == []
            del answers
            gc.collect()
            assert server.left.wait(5), end


def test_a_wrong_key_is_said_in_the_servers_words() -> None:
    error = failure(status(401, b'{"error": {"message": "wrong key", "code": "x"}}'))
    assert error.key == "engine.errors.refused"
    assert "wrong key" in error.sentence("zh")


def test_the_engines_own_sentences_are_kept() -> None:
    said = {"key": "engine.errors.context", "params": {"tokens": 9, "limit": 8}}
    error = failure(status(400, json.dumps({"error": {"medtune": said}}).encode()))
    assert (error.key, error.params) == (said["key"], said["params"])


def test_a_sentence_that_is_none_of_ours_is_not_looked_up() -> None:
    named = b'{"error": {"message": "m", "medtune": {"key": "workspace.nope", "params": {}}}}'
    assert failure(status(400, named)).key == "engine.errors.refused"


def test_an_error_in_the_middle_of_the_stream_fails_the_column() -> None:
    script = talk(streams(chunk("a"), {"error": {"message": "out of memory"}}, DONE))
    assert "out of memory" in failure(*script).sentence("en")


def test_a_stream_that_stops_in_the_middle_is_no_answer() -> None:
    assert failure(*talk(streams(chunk("a")))).key == "engine.errors.connection"


def test_nonsense_is_called_nonsense() -> None:
    assert failure(*talk(streams(b"data: <html>\n\n"))).key == "engine.errors.nonsense"
    assert failure(*talk(streams(b"data: [1]\n\n"))).key == "engine.errors.nonsense"


def test_nobody_there() -> None:
    with serving(m=()) as server:
        pass
    reply, _ = only(asked(server, "m"))
    assert reply.error is not None
    assert reply.error.key == "engine.errors.connection"


def test_another_model_or_other_weights_are_not_shown_as_the_columns_answer() -> None:
    """A column must not answer with another's weights: every chunk says whose it is."""
    right = chunk("a", system_fingerprint="abc")
    for wrong in (chunk("b", system_fingerprint="xyz"), {**right, "model": "other"}, chunk("c")):
        error = failure(*talk(streams(right, wrong, DONE)), fingerprint="abc")
        assert error.key == "engine.errors.wrong_model"
    with serving(m=talk(streams(right, DONE))) as server:
        reply, _ = only(asked(server, "m", fingerprint="abc"))
    assert reply.text == "a"


def test_an_empty_question_is_not_sent() -> None:
    with serving() as server:
        targets = {"m": Target(server.url, "m")}
        for conversation in ([], [{"role": "user", "content": " \n"}]):
            (event,) = Answers(targets, {"m": conversation}, GREEDY)
            assert isinstance(event, Failed)
            assert event.error.key == "chat.errors.empty_message"
        assert server.asked == []


def test_a_column_that_can_not_be_asked_says_so_at_once() -> None:
    refused = EngineError("engine.errors.not_ready")
    (event,) = Answers({"m": Target("http://x", "m", refused=refused)}, {"m": QUESTION}, GREEDY)
    assert event == Failed("m", refused)


def test_half_a_surrogate_pair_does_not_stop_a_question() -> None:
    with serving(m=talk(streams(chunk("a", finish="stop"), DONE))) as server:
        target = Target(server.url, "m")
        question = [{"role": "user", "content": "a\ud83d"}]
        reply, _ = only(Answers({"m": target}, {"m": question}, GREEDY))
        assert server.asked[0]["messages"][0]["content"] == "a?"
    assert reply.text == "a"


def test_the_key_is_never_shown() -> None:
    target = Target("http://x", "m", {"Authorization": "Bearer secret"})
    assert "secret" not in repr(target)
