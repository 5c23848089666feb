"""Long text in pieces: nothing of it is lost, none is long."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ui.components.pieces import LONGEST, cut, in_pieces


@given(st.lists(st.sampled_from(["a", "心", "\n", " ", "word" * 400]), max_size=40).map("".join))
def test_pieces_are_short_and_together_the_text(content: str) -> None:
    pieces = list(cut(content))
    assert "".join(pieces) == content
    assert all(0 < len(piece) <= LONGEST for piece in pieces)


def test_a_piece_ends_with_a_line_where_it_can() -> None:
    assert [len(one) for one in cut("x" * 1500 + "\n" + "y" * 3000)] == [1501, 2000, 1000]


def test_short_text_has_no_pieces_and_nothing_in_it_is_markup() -> None:
    assert in_pieces("<b>") == "&lt;b&gt;"
    long = in_pieces("<b>" * LONGEST)
    assert long.count("<div") == 3 and "<b>" not in long
