"""A piece of an evaluation file in a lesson is found wherever it stands, and nothing else is."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.checks.overlap import Evaluation
from backend.data.checks.windows import Windows
from backend.data.meaning.lesson import Lesson, Turn, output_of
from backend.text import LANGUAGES

PIECE = (
    "Trousseau's sign: carpal spasm within three minutes of an inflated"  # and 64 of it are enough
)
EVALUATED = (
    "A man's hand cramps when his blood pressure is taken. "
    + PIECE
    + " cuff points to low calcium."
)
CHINESE = (
    "患者甲状腺切除术后第二天出现口周麻木及手足抽搐查体可见面神经叩击征阳性应立即静脉推注葡萄糖酸钙"
)
FILE = Evaluation.of([(3, "Name the longest nerve."), (7, EVALUATED), (9, CHINESE)])


def said(answer: str, question: str = "What is this?") -> Lesson:
    return Lesson((Turn("user", question), Turn("assistant", output_of("Think of it.", answer))))


def test_a_sentence_of_the_evaluation_file_is_found_with_its_row() -> None:
    found = FILE.find(said("First. " + PIECE + " and so on."))
    assert found is not None
    assert (found.check, found.part, found.params["row"]) == ("evaluation_overlap", "answer", 7)
    assert found.evidence in "First. " + PIECE + " and so on."
    assert "7" in found.sentence("en")
    assert all("{" not in found.sentence(language) for language in LANGUAGES)


def test_questions_and_reasoning_count_too() -> None:
    in_question = FILE.find(said("Yes.", question=EVALUATED))
    assert in_question is not None and in_question.part == "question"
    in_reasoning = FILE.find(
        Lesson((Turn("user", "?"), Turn("assistant", output_of(EVALUATED, "No."))))
    )
    assert in_reasoning is not None and in_reasoning.part == "reasoning"


def test_case_and_white_space_make_no_difference() -> None:
    assert FILE.overlaps(said("\n\n".join(PIECE.upper().split())))


def test_63_characters_and_12_words_are_not_enough() -> None:
    piece = " ".join(EVALUATED.lower().split())[20:]
    assert FILE.overlaps(said("zz" + piece[:64] + "zz"))
    assert not FILE.overlaps(said("zz" + piece[:63] + "zz"))
    words = "a man s hand cramps when his blood pressure is taken trousseau s"
    assert FILE.overlaps(said(words))
    assert not FILE.overlaps(said(words.removesuffix(" s")))


def test_26_chinese_characters_are_enough_and_25_are_not() -> None:
    """13 characters are 6 words: the openings of half of all case histories."""
    assert FILE.overlaps(said("答：" + CHINESE[5:31] + "。"))
    assert not FILE.overlaps(said("答：" + CHINESE[5:30] + "。"))


def test_punctuation_between_words_makes_no_difference() -> None:
    assert FILE.overlaps(
        said("患者甲状腺切除术后第二天，出现口周麻木及手足抽搐；查体可见面神经叩击征阳性")
    )


def test_what_many_rows_of_the_file_have_is_its_wording() -> None:
    """The instruction before each question of an evaluation file made every row of a training file
    with the same instruction contaminated."""
    task = (
        "Please choose the one answer that is right for this patient and give your reasons for it: "
    )
    file = Evaluation.of((row, f"{task} Is it {row * 7919}?") for row in range(1, 40))
    assert not file.overlaps(said(task + "what is the name of the nerve?"))
    assert Evaluation.of([(1, task), (2, task)]).overlaps(said(task))


def test_an_empty_file_overlaps_with_nothing() -> None:
    for file in (Evaluation.of([]), Evaluation.of([(1, ""), (2, "Too short.")])):
        assert not file.overlaps(said(EVALUATED))


def test_it_can_be_sent_to_another_process() -> None:
    assert pickle.loads(pickle.dumps(FILE)).find(said(PIECE)) == FILE.find(said(PIECE))


def test_real_rows_overlap_with_themselves_and_not_with_others(real_rows: Path) -> None:
    rows = json.loads(real_rows.read_text(encoding="utf-8"))
    lessons = [said(row["Response"], row["Question"]) for row in rows]
    half = len(rows) // 2
    file = Evaluation.of(
        (number, f"{row['Question']}\n{row['Response']}")
        for number, row in enumerate(rows[:half], 1)
    )
    found = [file.find(one) for one in lessons]
    assert [one.params["row"] for one in found[:half] if one] == list(range(1, half + 1))
    others = [one for one in found[half:] if one]
    assert len(others) <= half // 20, [one.evidence for one in others]


LETTERS = st.text(alphabet="abcdefgh ", max_size=90)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, len(EVALUATED) - 64), LETTERS, LETTERS)
def test_64_characters_are_found_at_any_place(start: int, before: str, behind: str) -> None:
    piece = " ".join(EVALUATED.split())[start : start + 64]
    text = f"{before}|{piece}|{behind}"
    if len(" ".join(piece.split())) == 64:
        found = FILE.find(said(text))
        assert found is not None
        assert found.params["row"] == 7


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 3), max_size=12), max_size=5),
    st.lists(st.integers(0, 3), max_size=12),
    st.integers(1, 4),
)
def test_blocks_are_found_where_they_are(
    rows: list[list[int]], asked: list[int], size: int
) -> None:
    index = Windows([np.array(row, dtype=np.uint64) + 1 for row in rows], size, most=10)
    found = set(index.of_blocks(np.array(asked, dtype=np.uint64) + 1))
    for start in range(0, len(asked) - size + 1, size):
        block = asked[start : start + size]
        for number, row in enumerate(rows):
            places = [p for p in range(len(row) - size + 1) if row[p : p + size] == block]
            here = {place for at, of, place in found if (at, of) == (start, number)}
            assert here <= set(places)
            assert bool(here) == bool(places)


@pytest.mark.parametrize("code", [0xD800, 0, 0x20BB7])
def test_odd_characters_are_characters(code: int) -> None:
    text = chr(code) * 70
    assert Evaluation.of([(1, text)]).overlaps(said(text))
