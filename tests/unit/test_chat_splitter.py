"""The splitter tells reasoning from answer, however the reply was cut into chunks."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.chat.splitter import (
    ReasoningPart,
    ReasoningSplitter,
    Split,
    TextPart,
    TextWasReasoning,
    split,
)

PIECES = st.sampled_from(
    [
        "<think>",
        "</think>",
        "<think",
        ">",
        "</",
        "<",
        "think",
        " ",
        "\n",
        "\n\n",
        "a",
        "心",
        "x y",
        "</think",
    ]
)
REPLIES = st.lists(PIECES, max_size=14).map("".join) | st.text(max_size=40)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ("<think>\nFever.\n</think>\n\nYes.", Split("Fever.", "Yes.", True)),
        ("<think>\n\n</think>\n\nYes.", Split("", "Yes.", True)),
        ("Yes.", Split("", "Yes.", None)),
        ("", Split("", "", None)),
        ("  <think>a</think>b", Split("a", "b", True)),
        ("<think>a<think>\n\nb", Split("a<think>\n\nb", "", False)),
        ("<think>a </thin", Split("a </thin", "", False)),
        ("a\n</think>\n\nb", Split("a", "b", True)),
        ("<think>a</think>b</think><think>c", Split("a", "b</think><think>c", True)),
        ("the <think> tag", Split("", "the <think> tag", None)),
        ("<thi", Split("", "<thi", None)),
        ("<think>发热</think>\n\n是", Split("发热", "是", True)),
    ],
)
def test_reasoning_and_answer_are_told_apart(reply: str, expected: Split) -> None:
    assert split(reply) == expected


def test_a_prompt_that_opened_the_reasoning_needs_no_tag() -> None:
    assert split("a\n</think>\n\nb", starts_in_reasoning=True) == Split("a", "b", True)
    assert split("a", starts_in_reasoning=True) == Split("a", "", False)


def test_a_tag_in_pieces_is_never_shown() -> None:
    splitter = ReasoningSplitter()
    shown = [part for piece in "<think>\nab\n</think>\n\ncd" for part in splitter.feed(piece)]
    assert shown == [ReasoningPart("a"), ReasoningPart("b"), TextPart("c"), TextPart("d")]


def test_text_is_given_out_at_once() -> None:
    splitter = ReasoningSplitter()
    assert splitter.feed("<think>so") == [ReasoningPart("so")]
    assert splitter.feed(" far < 3") == [ReasoningPart(" far < 3")]
    assert splitter.reasoning_closed is False


def test_a_closing_tag_alone_says_that_all_text_was_reasoning() -> None:
    splitter = ReasoningSplitter()
    assert splitter.feed("so") == [TextPart("so")]
    assert splitter.feed("</think>yes") == [TextWasReasoning(), TextPart("yes")]
    assert splitter.reasoning_closed is True


@given(REPLIES, st.booleans(), st.lists(st.integers(0, 40), max_size=8))
def test_any_chunking_gives_the_same_parts(reply: str, opened: bool, cuts: list[int]) -> None:
    assert in_chunks(reply, cuts, opened) == split(reply, starts_in_reasoning=opened)


@given(REPLIES, st.booleans())
def test_a_whole_reply_is_split_as_the_plain_definition_says(reply: str, opened: bool) -> None:
    assert split(reply, starts_in_reasoning=opened) == defined(reply, opened)


@given(REPLIES, st.booleans())
def test_nothing_but_tags_and_white_space_is_lost(reply: str, opened: bool) -> None:
    made = split(reply, starts_in_reasoning=opened)
    kept = bare(made.reasoning + made.text)
    assert kept in {bare(reply), bare(reply.replace("<think>", "", 1))} | without_one_close(reply)


def in_chunks(reply: str, cuts: list[int], opened: bool) -> Split:
    places = sorted({min(cut, len(reply)) for cut in cuts} | {0, len(reply)})
    splitter = ReasoningSplitter(opened)
    reasoning = text = ""
    chunks = [reply[a:b] for a, b in zip(places, places[1:], strict=False)]
    for part in [p for chunk in chunks for p in splitter.feed(chunk)] + splitter.finish():
        match part:
            case ReasoningPart(more):
                reasoning += more
            case TextPart(more):
                text += more
            case TextWasReasoning():
                reasoning, text = reasoning + text, ""
    return Split(reasoning, text, splitter.reasoning_closed)


def defined(reply: str, opened: bool) -> Split:
    """The rules on a whole reply, without a state."""
    begun = re.match(r"\s*<think>", reply) if not opened else None
    inside = reply[begun.end() :] if begun else reply
    before, close, after = inside.partition("</think>")
    if close:
        return Split(before.strip(), after.lstrip(), True)
    if begun or opened:
        return Split(inside.strip(), "", False)
    return Split("", reply.lstrip(), None)


def bare(text: str) -> str:
    return re.sub(r"\s", "", text)


def without_one_close(reply: str) -> set[str]:
    closed = reply.replace("</think>", "", 1)
    return {bare(closed), bare(re.sub(r"\A\s*<think>", "", closed))}
