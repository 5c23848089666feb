"""What a screen reader hears of what goes on: tenths and states, and not each figure."""

from __future__ import annotations

import pytest

from ui.components.speaking import says, share_said, state_said


@pytest.mark.parametrize(
    ("done", "total", "words"),
    [
        (0, 100, ""),
        (9.9, 100, ""),
        (10, 100, "first: 10 %"),
        (19, 100, "first: 10 %"),
        (100, 100, "first: 100 %"),
        (1, 3, "first: 30 %"),
        (0, 0, ""),
    ],
)
def test_a_share_is_said_in_tenths(done: float, total: float, words: str) -> None:
    assert share_said("en", "first", done, total) == words


def test_words_have_their_languages_marks() -> None:
    assert state_said("zh", "first", "已完成") == "first：已完成"
    assert share_said("zh", "first", 1, 2) == "first：50%"


def test_an_element_carries_words_and_key() -> None:
    assert says("run first", "words") == {"data_say_key": "run first", "data_say": "words"}
