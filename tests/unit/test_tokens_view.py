"""What a reader sees of tokens: whole characters, aligned texts, and answers that travel."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.meaning.lesson import Lesson, Pair, Turn
from backend.data.meaning.mapping import ColumnMap, Role, Shape
from backend.data.tokens.measuring import lengths_key, source_stamp
from backend.data.tokens.stamps import tokenizer_digest, tokenizer_stamp
from backend.data.tokens.values import Encoding, Note, Parity, Piece, Token
from backend.data.tokens.wire import (
    encoding_from_json,
    encoding_to_json,
    lesson_from_json,
    lesson_to_json,
    parity_from_json,
    parity_to_json,
)
from backend.workers.inspect import _lines
from backend.workers.inspect_diff import WORDS_LIMIT, pieces
from backend.workers.inspect_encode import token_texts


def decode_bytes(ids: list[int]) -> str:
    """A tokenizer whose tokens are bytes."""
    return bytes(ids).decode("utf-8", "replace")


def decode_words(ids: list[int]) -> str:
    """A space before every word but a text's first, as SentencePiece writes."""
    return " ".join(f"w{number}" for number in ids)


def test_a_character_stands_at_its_last_token() -> None:
    shown = token_texts(decode_bytes, "a心b🙂".encode())
    assert shown == ["a", "\ufffd", "\ufffd", "心", "b", *["\ufffd"] * 3, "🙂"]


def test_half_a_character_at_the_end_is_marked() -> None:
    assert token_texts(decode_bytes, "a心".encode()[:-1]) == ["a", "\ufffd", "\ufffd"]


def test_bytes_that_are_no_text_do_not_hold_back_what_follows() -> None:
    shown = token_texts(decode_bytes, b"\xff\xff\xff\xff\xffabc")
    assert shown[-2:] == ["b", "c"]


@settings(max_examples=80, deadline=None)
@given(st.text(st.characters(exclude_characters="\ufffd", exclude_categories=["Cs"]), max_size=40))
def test_texts_of_tokens_make_the_whole_text(text: str) -> None:
    shown = token_texts(decode_bytes, text.encode())
    assert "".join(shown).replace("\ufffd", "") == text


@given(st.lists(st.integers(0, 9), max_size=20))
def test_spaces_between_words_are_kept(ids: list[int]) -> None:
    assert "".join(token_texts(decode_words, ids)) == decode_words(ids)


some_text = st.lists(
    st.sampled_from(["<｜User｜>", "<think>", "\n", "心率 失常", "word ", "a.b", " ", "<", "x"]),
    max_size=25,
).map("".join)


@settings(max_examples=150, deadline=None)
@given(some_text, some_text)
def test_the_pieces_of_a_side_are_its_text(training: str, serving: str) -> None:
    found = pieces(training, serving)
    assert "".join(p.text for p in found if p.kind != "serving") == training
    assert "".join(p.text for p in found if p.kind != "training") == serving
    kinds = [piece.kind for piece in found]
    assert all(one != other for one, other in zip(kinds, kinds[1:], strict=False))
    if training == serving:
        assert set(kinds) <= {"same"}


def test_markers_are_not_cut_in_two() -> None:
    found = pieces("q<｜Assistant｜>", "q<｜Assistant｜><think>\n")
    assert found == (Piece("same", "q<｜Assistant｜>"), Piece("serving", "<think>\n"))


def test_long_texts_are_compared_in_no_time() -> None:
    """The time of an exact comparison grows with the square: 40,000 words would take minutes."""
    ours = " ".join(str(number) for number in range(40_000))
    theirs = " ".join(str(number) for number in range(40_000, 0, -1))
    found = pieces(f"same {ours} end", f"same {theirs} end")
    assert [piece.kind for piece in found] == ["same", "training", "serving", "same"]
    assert WORDS_LIMIT < 40_000


texts = st.text(max_size=9)
lessons = st.builds(
    Lesson,
    st.lists(st.builds(Turn, st.sampled_from(("user", "assistant")), texts), max_size=3).map(tuple),
    texts,
    st.none() | st.builds(Pair, texts, texts),
)
notes = st.lists(
    st.builds(
        Note,
        texts,
        st.dictionaries(texts, texts | st.integers(0, 9), max_size=2),
        st.sampled_from(("tokens", "parity")),
    ),
    max_size=2,
).map(tuple)
tokens = st.builds(Token, st.integers(0, 9), texts, st.booleans(), st.booleans(), st.booleans())
encodings = st.builds(
    Encoding,
    st.lists(tokens, max_size=4).map(tuple),
    st.integers(1, 9),
    st.sampled_from(("", "chosen")),
    notes,
)
some_pieces = st.lists(
    st.builds(Piece, st.sampled_from(("same", "training", "serving")), texts), max_size=3
).map(tuple)
parities = st.builds(Parity, some_pieces, some_pieces, notes)


def travelled(value: object) -> object:
    return orjson.loads(orjson.dumps(value))


@settings(deadline=None, max_examples=50)
@given(lessons, encodings, parities)
def test_what_travels_arrives(lesson: Lesson, encoding: Encoding, parity: Parity) -> None:
    there: list[tuple[object, Callable[..., object], Callable[..., object]]] = [
        (lesson, lesson_to_json, lesson_from_json),
        (encoding, encoding_to_json, encoding_from_json),
        (parity, parity_to_json, parity_from_json),
    ]
    for value, to_json, from_json in there:
        assert from_json(travelled(to_json(value))) == value


def test_the_inspector_ends_when_nothing_is_asked() -> None:
    source, end = os.pipe()
    try:
        os.write(end, b"one\ntw")
        assert list(_lines(source, 0.05)) == [b"one"]
        os.write(end, b"o\n")
        os.close(end)
        assert list(_lines(source, 60)) == [b"o"]
    finally:
        os.close(source)


COLUMNS = ColumnMap(Shape.QA, {Role.QUESTION: ("q",), Role.ANSWER: ("a",)})


def model(folder: Path, content: str = "{}") -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "tokenizer.json").write_text(content)
    return folder


def test_a_key_is_that_of_what_is_measured(tmp_path: Path) -> None:
    one = model(tmp_path / "one")
    key = lengths_key("s", COLUMNS, ("b", "a"), one, "qwen")
    assert key == lengths_key("s", COLUMNS, ("a", "b"), one, "qwen")
    assert key == lengths_key("s", COLUMNS, ("a", "b"), model(tmp_path / "copy"), "qwen")
    others = [
        lengths_key("t", COLUMNS, ("a", "b"), one, "qwen"),
        lengths_key("s", ColumnMap(Shape.QA), ("a", "b"), one, "qwen"),
        lengths_key("s", COLUMNS, ("a",), one, "qwen"),
        lengths_key("s", COLUMNS, ("a", "b"), one, "llama3"),
        lengths_key("s", COLUMNS, ("a", "b"), model(tmp_path / "two", "[]"), "qwen"),
    ]
    assert len({key, *others}) == 6


def test_another_tokenizer_in_the_same_folder_is_seen(tmp_path: Path) -> None:
    """A model was downloaded again under its name: the answers from before are not its own."""
    folder = model(tmp_path / "model")
    before = tokenizer_stamp(folder), tokenizer_digest(folder)
    model(folder, '{"version": 2}')
    after = tokenizer_stamp(folder), tokenizer_digest(folder)
    assert before[0] != after[0] and before[1] != after[1]


def test_another_file_of_the_same_name_is_seen(tmp_path: Path) -> None:
    source = tmp_path / "rows.json"
    gone = source_stamp(source)
    source.write_text("[]")
    first = source_stamp(source)
    source.write_text("[1]")
    assert len({gone, first, source_stamp(source)}) == 3


@pytest.mark.parametrize("about", ["tokens", "parity"])
def test_a_note_has_a_sentence_of_its_section(about: str) -> None:
    """history_removed is said of an encoding and, in other words, of a difference."""
    note = Note("history_removed", {}, about)  # type: ignore[arg-type]
    assert note.sentence("en") != note.sentence("zh")
    other = Note("history_removed", {}, "parity" if about == "tokens" else "tokens")
    assert note.sentence("en") != other.sentence("en")
