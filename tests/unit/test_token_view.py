"""What the model sees, token by token, on the page."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.tokens.values import Encoding, Note, Parity, Piece, Token
from backend.text import catalogue
from tests.fakes.html_page import Page
from ui.components.marking import visible
from ui.components.token_view import DRAWN, parity_view, spaced, token_view

ANY_TEXT = st.text(st.characters(exclude_characters="\r"), max_size=40)
"""Halves of surrogate pairs and control characters included, as JSON files have them."""


def token(text: str, *, id: int = 7, **kinds: bool) -> Token:
    return Token(id, text, **({"trained": False, "special": False, "dropped": False} | kinds))


def tokens(*some: Token, cutoff: int = 4) -> Page:
    return Page(token_view(Encoding(some, cutoff), "en"))


@settings(max_examples=60, deadline=None)
@given(ANY_TEXT)
def test_marked_spaces_and_line_ends_stay_what_they_are(content: str) -> None:
    """What is copied from the page must be the text, not dots and arrows."""
    assert Page(spaced(content)).text == visible(content)


def test_outer_spaces_and_line_ends_are_marked() -> None:
    page = Page(spaced("  a b \n\t"))
    assert page.of("i", "mt-space") == [" ", " "]
    assert page.of("i", "mt-newline") == ["\n"] and page.of("i", "mt-tab") == ["\t"]
    assert Page(spaced("   ")).of("i", "mt-space") == [" "] * 3


def test_each_token_is_there_once_with_its_id() -> None:
    some = [token(word, id=place) for place, word in enumerate(["<b>", " a", "", "\n"])]
    page = tokens(*some)
    drawn = [one["title"] for tag, one, _ in page.elements if "title" in one]
    assert drawn == ["0", "1", "2", "3"]
    assert "<b> a#2\n" in page.of(cls="mt-tokens")[0]


def test_the_four_kinds_are_told_apart() -> None:
    page = tokens(
        token("<s>", special=True),
        token("question"),
        token("answer", trained=True),
        token("lost", trained=True, dropped=True),
        token("</s>", trained=True, special=True, dropped=True),
    )
    assert page.of("span", "mt-tokens-prompt")[1:] == ["<s>question"]
    assert page.of("span", "mt-tokens-trained")[1:] == ["answer"]
    assert page.of("s", "mt-tokens-dropped")[1:] == ["lost</s>"]
    assert page.of(cls="mt-token-special")[1:] == ["<s>", "</s>"]
    assert page.of("dd") == ["2", "1", "1", "2", "5"]


def test_the_cutoff_is_a_line_wherever_tokens_are_dropped() -> None:
    """LLaMA-Factory shares the cutoff between prompt and answer: both may lose their ends."""
    page = tokens(
        token("a"), token("b", dropped=True), token("c", trained=True), token("d", dropped=True)
    )
    said = page.of(cls="mt-token-line")
    assert said == ["Cutoff length 4: tokens cut off here: 1"] * 2
    assert page.of(cls="mt-tokens")[0].index(said[0]) == 1


def test_a_row_of_which_nothing_is_trained_says_so() -> None:
    assert "learns nothing" in tokens(token("a"), token("b", trained=True, dropped=True)).text
    assert "learns nothing" not in tokens(token("a", trained=True)).text


def test_the_middle_of_very_many_tokens_is_counted() -> None:
    some = [token("p")] * 4000 + [token("t", trained=True)] * 2000
    some += [token("x", trained=True, dropped=True)] * 4000
    page = tokens(*some, cutoff=6000)
    assert len([1 for _, one, _ in page.elements if "title" in one]) == DRAWN
    (fold,) = page.of(cls="mt-token-fold")
    assert "4,000 more tokens" in fold
    assert "(prompt 1,000, trained 2,000, cut off 1,000)" in fold
    assert "The cutoff length of 6,000 falls among them." in fold
    assert page.of(cls="mt-token-line") == []


def test_parity_marks_what_only_one_has() -> None:
    same = Piece("same", "question")
    parity = Parity(
        prompt=(same, Piece("serving", "<think>\n")),
        whole=(same, Piece("training", "\n"), Piece("same", "x" * 5000)),
        notes=(),
    )
    page = Page(parity_view(parity, "en"))
    assert page.of("del")[1:] == ["<think>\n"] and page.of("ins")[1:] == ["\n"]
    assert "1,000 characters that are the same" in page.text


def test_notes_of_parity_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    words: Any = catalogue("en")
    for key in ("grave", "light"):
        monkeypatch.setitem(words, f"data.parity.{key}", key)
    page = Page(parity_view(Parity((), (), (Note("grave"), Note("light"))), "en"))
    assert page.text.startswith("gravelight")
