"""Where two answers differ: nothing is lost of either, and long ones do not stop the page."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.chat import difference as module
from backend.chat.difference import Difference, difference

TEXTS = st.text() | st.text(alphabet="ab \n患者，.", max_size=60)


def side(found: Difference, kind: str) -> str:
    return "".join(piece.text for piece in found.pieces if piece.kind in ("kept", kind))


def shown(old: str, new: str) -> list[tuple[str, str]]:
    return [tuple(piece) for piece in difference(old, new).pieces]


@given(TEXTS, TEXTS)
def test_what_stays_and_what_was_added_is_the_new_text(old: str, new: str) -> None:
    found = difference(old, new)
    assert side(found, "removed") == old
    assert side(found, "added") == new


@given(TEXTS)
def test_a_text_does_not_differ_from_itself(text: str) -> None:
    found = difference(text, text)
    assert all(piece.kind == "kept" for piece in found.pieces)
    assert found.removed == found.added == 0


@given(st.lists(st.sampled_from("abcd"), max_size=24), st.lists(st.sampled_from("abcd")))
def test_as_many_words_stay_as_there_can_be(old: list[str], new: list[str]) -> None:
    longest = [[0] * (len(new) + 1) for _ in range(len(old) + 1)]
    for i, one in enumerate(old):
        for j, other in enumerate(new):
            best = max(longest[i][j + 1], longest[i + 1][j])
            longest[i + 1][j + 1] = longest[i][j] + 1 if one == other else best
    common = module._common(old, new)
    assert len(common) == longest[-1][-1]
    assert all(old[i] == new[j] for i, j in common)
    assert common == sorted(common) and len({j for _, j in common}) == len(common)


@given(st.lists(st.sampled_from("abc"), max_size=20), st.lists(st.sampled_from("abc"), max_size=20))
def test_a_text_cut_in_two_for_memory_has_as_much_in_common(old: list[str], new: list[str]) -> None:
    whole = len(module._common(old, new))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_MOST_BITS", 4)
        assert len(module._common(old, new)) == whole


def test_english_differs_by_words_and_chinese_by_characters() -> None:
    assert shown("Take 500 mg twice.", "Take 250 mg twice.") == [
        ("kept", "Take "),
        ("removed", "500 "),
        ("added", "250 "),
        ("kept", "mg twice."),
    ]
    assert shown("建议口服铁剂", "建议静脉铁剂") == [
        ("kept", "建议"),
        ("removed", "口服"),
        ("added", "静脉"),
        ("kept", "铁剂"),
    ]
    assert shown("HbA1c of 7.5%", "HbA1c of 7.8%")[0] == ("kept", "HbA1c of ")


def test_another_line_end_is_a_difference_but_not_another_word() -> None:
    found = difference("Rest. Drink.", "Rest.\nDrink.")
    assert [piece.kind for piece in found.pieces] == ["kept", "removed", "added", "kept"]
    assert (found.kept, found.removed, found.added) == (4, 0, 0)


def test_a_sentence_written_anew_is_no_confetti() -> None:
    old = "Give iron and check again in a month."
    new = "Refer the patient and exclude cancer before anything else."
    assert [piece.kind for piece in difference(old, new).pieces] == ["removed", "added", "kept"]


@pytest.mark.parametrize("between", [" ", ""])
def test_two_long_answers_take_a_moment(between: str) -> None:
    """difflib needs a minute for these. 8,000 tokens are at most so many words or characters."""
    chance = random.Random(0)
    letters = [chr(0x4E00 + n) for n in range(800)]
    words = letters if not between else [f"w{n}" for n in range(800)]
    old, new = (between.join(chance.choices(words, k=8000)) for _ in range(2))
    begun = time.process_time()
    difference(old, new)
    assert time.process_time() - begun < 10, "0.06 s on a quiet core, a minute the other way"
