"""Options and right answers in the many ways in which exams write them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.meaning.choice import (
    Numbering,
    Option,
    Options,
    numbering_of,
    options_of,
    right_of,
)
from backend.data.meaning.faults import Unusable

FOUR = (Option("A", "One"), Option("B", "Two"), Option("C", "Three"), Option("D", "Four"))
TEXTS = [option.text for option in FOUR]

# Texts that are no label, no number, and no list of labels themselves.
WORDS = (
    st.text(alphabet="abcdxyz甲乙 .,:()-\u2028", min_size=3)
    .map(str.strip)
    .filter(lambda text: len(text) > 2 and any(c in "xyz甲乙" for c in text))
)


def right(value: Any, options: Options = FOUR, one_based: bool = False) -> str:
    return "".join(option.label for option in right_of(value, options, "answer", one_based))


@pytest.mark.parametrize(
    "value",
    [
        {"A": "One", "B": "Two", "C": "Three", "D": "Four"},
        {"key": ["A", "B", "C", "D"], "value": TEXTS},
        {"text": TEXTS, "label": ["A", "B", "C", "D"]},
        '{"A": "One", "B": "Two", "C": "Three", "D": "Four"}',
        '["One", "Two", "Three", "Four"]',
        TEXTS,
        ["A. One", "B. Two", "C. Three", "D. Four"],
        ["(A) One", "(B) Two", "(C) Three", "(D) Four"],
        [{"key": label, "value": text} for label, text in FOUR],
        "A. One\nB. Two\nC. Three\nD. Four",
        "A) One\r\nB) Two\r\nC) Three\r\nD) Four",
        "A、One\nB、Two\nC、Three\nD、Four\n",
        "(A) One\n(B) Two\n\n(C) Three\n(D) Four",
        "（A）One\n（B）Two\n（C）Three\n（D）Four",
        "A One\nB Two\nC Three\nD Four",
        "Ａ．One\nＢ．Two\nＣ．Three\nＤ．Four",
        "A：One\nB：Two\nC：Three\nD：Four",
        "One\nTwo\nThree\nFour",
    ],
)
def test_options_in_one_column(value: Any) -> None:
    assert options_of([value], "options") == FOUR


def test_options_in_columns_of_their_own() -> None:
    assert options_of([*TEXTS, None], "A, B, C, D, E") == (*FOUR, Option("E", ""))
    assert options_of([1, 2.5], "A, B") == (Option("A", "1"), Option("B", "2.5"))


def test_an_option_over_several_lines() -> None:
    """A line that begins with another letter than the next is a part of the option."""
    found = options_of(["A. One\nA second line\nB. Two\nD of them"], "options")
    assert found == (Option("A", "One\nA second line"), Option("B", "Two\nD of them"))


@pytest.mark.parametrize(
    "value",
    [None, "", "A. One", [], ["x"], {}, {"A": "x"}, {"A": "x", "B": " "}, 7, ["x"] * 27, "[1"]
    + [{"A": "x", "a": "y"}, {"A": ["x"], "B": {"y": 1}}],
)
def test_what_holds_no_options(value: Any) -> None:
    with pytest.raises(Unusable) as caught:
        options_of([value], "options")
    assert "options" in caught.value.problem.sentence("en")


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        ("C", "C"),
        ("c", "C"),
        (" C. ", "C"),
        ("(C)", "C"),
        ("Ｃ", "C"),
        ("A,C", "AC"),
        ("C, A", "AC"),
        ("A、C", "AC"),
        ("A and C", "AC"),
        ("ABD", "ABD"),
        ("ＡＢＤ", "ABD"),
        ("DBA", "ABD"),
        (["A", "C"], "AC"),
        ("答案：C", "C"),
        ("正确答案是 AC。", "AC"),
        ("选B", "B"),
        ("Answer: (D)", "D"),
        ("The correct answer is B", "B"),
        ("Two", "B"),
        ("  two", "B"),
        ("答案：Two", "B"),
        ("B. Two", "B"),
        ("(B) Two", "B"),
        (["One", "D"], "AD"),
        (0, "A"),
        (3.0, "D"),
        ("2", "C"),
        ([0, 2], "AC"),
    ],
)
def test_right_ones(value: Any, labels: str) -> None:
    assert right(value) == labels


@pytest.mark.parametrize(("value", "label"), [(1, "A"), ("4", "D"), (4.0, "D")])
def test_numbers_that_count_from_one(value: Any, label: str) -> None:
    assert right(value, one_based=True) == label


@pytest.mark.parametrize(
    "value",
    [
        *(None, "", " ", "E", "AE", "AA", "A. Two", "Five", [], ["A", "E"], [["A"]]),
        *(True, -1, 4, 1.5, float("nan"), float("inf"), "99", {"A": 1}, "无", "none", "AND"),
    ],
)
def test_what_names_no_option(value: Any) -> None:
    """A guess here would teach a wrong answer to a medical question."""
    with pytest.raises(Unusable) as caught:
        right(value)
    assert "answer" in caught.value.problem.sentence("en")


def test_the_number_of_an_empty_option_names_none() -> None:
    with pytest.raises(Unusable):
        right(2, options_of(["x", "y", ""], "a, b, c"))
    with pytest.raises(Unusable):
        right(0, FOUR, one_based=True)


def test_a_number_that_is_an_options_own_text_is_that_option() -> None:
    """ "How many? 1, 2, 3" with the answer "2" means the option 2, not the third one."""
    options = options_of([["1", "2", "3"]], "options")
    assert right("2", options) == "B"
    assert numbering_of([("3", options)]) == Numbering()


@pytest.mark.parametrize("value", ["1", 1])
def test_a_number_that_is_a_label_is_that_label(value: Any) -> None:
    """Counted from 0 instead, {"1": …, "2": …} with the answer 1 would teach the second option."""
    options = options_of([{"1": "x", "2": "y"}], "options")
    assert right(value, options) == "1"
    assert numbering_of([(2, options)]) == Numbering()


def test_items_that_only_look_lettered_stay_whole() -> None:
    """Told apart as a list already, "A cells" is not option A with the text "cells"."""
    items = ["A cells", "B cells"]
    assert options_of([items], "options") == (Option("A", items[0]), Option("B", items[1]))


def test_two_options_with_one_text_are_told_apart_by_letters_only() -> None:
    options = options_of([["same", "same", "other"]], "options")
    assert right("B", options) == "B"
    with pytest.raises(Unusable):
        right("same", options)


@settings(max_examples=80, deadline=None)
@given(texts=st.lists(WORDS, min_size=2, max_size=8, unique_by=str.casefold), data=st.data())
def test_any_texts(texts: list[str], data: st.DataObject) -> None:
    """However options are written, they are the same, and so is the right one however named."""
    labels = "ABCDEFGH"[: len(texts)]
    place = data.draw(st.integers(0, len(texts) - 1))
    wanted = tuple(map(Option, labels, texts))
    ways: list[list[Any]] = [[dict(wanted)], [texts], texts]
    ways.append(["\n".join(f"{option.label}. {option.text}" for option in wanted)])
    for way in ways:
        options = options_of(way, "options")
        assert options == wanted
        for named in (labels[place], place, texts[place], f"答案：{labels[place]}", [place]):
            assert right_of(named, options, "answer") == (wanted[place],)
        assert right_of(place + 1, options, "answer", one_based=True) == (wanted[place],)
        assert right_of(labels, options, "answer") == wanted
