"""Tokens become text without cutting characters, and stop texts are found across pieces."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

from backend.workers.engine_text import Detokenizer, StopTexts, WrittenText


def decode_bytes(tokens: Sequence[int]) -> str:
    """A tokenizer whose tokens are bytes, the hardest there is for Chinese."""
    return bytes(tokens).decode("utf-8", "replace")


def decode_words(tokens: Sequence[int]) -> str:
    """A tokenizer that writes a space before every word but a text's first, like SentencePiece."""
    return " ".join(f"w{token}" for token in tokens)


def test_a_chinese_character_is_given_out_whole() -> None:
    detokenizer = Detokenizer(decode_bytes)
    assert [detokenizer.add(byte) for byte in "心率".encode()] == ["", "", "心", "", "", "率"]
    assert detokenizer.finish() == ""


def test_half_a_character_at_the_end_is_marked() -> None:
    detokenizer = Detokenizer(decode_bytes)
    assert [detokenizer.add(byte) for byte in "a心".encode()[:-1]] == ["a", "", ""]
    assert detokenizer.finish() == "\ufffd"


def test_dropped_tokens_leave_no_text() -> None:
    detokenizer = Detokenizer(decode_words, dropped={9})
    assert [detokenizer.add(token) for token in (1, 9, 2)] == ["w1", "", " w2"]


@given(st.text(max_size=60))
def test_bytes_come_back_as_the_text(text: str) -> None:
    encoded = text.encode("utf-8", "replace")
    assert streamed(Detokenizer(decode_bytes), encoded) == encoded.decode()


@given(st.lists(st.integers(0, 9), max_size=20))
def test_words_come_back_with_their_spaces(tokens: list[int]) -> None:
    assert streamed(Detokenizer(decode_words), tokens) == decode_words(tokens)


@given(st.text("abX", max_size=30), st.lists(st.text("abX", min_size=1, max_size=4), max_size=3))
def test_the_first_complete_stop_text_ends_the_answer(text: str, stops: list[str]) -> None:
    ends = [end for end in range(1, len(text) + 1) if text[:end].endswith(tuple(stops))]
    expected = text
    if stops and ends:
        met = [stop for stop in stops if text[: ends[0]].endswith(stop)]
        expected = text[: ends[0] - max(map(len, met))]
    for pieces in ([text], list(text)):
        watch = StopTexts(stops)
        assert "".join(map(watch.add, pieces)) + watch.finish() == expected
        assert watch.found == (expected != text or bool(stops and ends))


class WordTokenizer:
    """Each letter is a token; ``<a>`` and ``<b>`` are added tokens 1001 and 1002."""

    def get_added_vocab(self) -> dict[str, int]:
        return {"<a>": 1001, "<b>": 1002}

    def convert_tokens_to_ids(self, word: str) -> int:
        return self.get_added_vocab()[word]

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        ids = []
        while text:
            word = next((word for word in self.get_added_vocab() if text.startswith(word)), text[0])
            ids.append(self.get_added_vocab().get(word) or ord(word))
            text = text[len(word) :]
        return ids


def test_without_a_fast_tokenizer_text_is_encoded_as_it_is() -> None:
    """A tokenizer without a Rust part can't be copied without its added tokens."""
    written = WrittenText(WordTokenizer())
    assert written.encode("<a>" + written.hide("x<b>")) == [1001, ord("x"), 1002]


class FastTokenizer:
    """What WrittenText needs of transformers' fast tokenizers, around a real one in Rust."""

    def __init__(self) -> None:
        self.backend_tokenizer = Tokenizer(models.BPE())
        self.backend_tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        self.backend_tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=300,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        self.backend_tokenizer.train_from_iterator(["the User thinks that"] * 9, trainer)
        self.backend_tokenizer.add_tokens(["<think>", "</think>", "<｜User｜>"])

    def get_added_vocab(self) -> dict[str, int]:
        added = self.backend_tokenizer.get_added_tokens_decoder()
        return {token.content: number for number, token in added.items()}

    def convert_tokens_to_ids(self, word: str) -> int:
        return int(self.backend_tokenizer.token_to_id(word))

    def encode(self, text: str, add_special_tokens: bool = False) -> list[int]:
        return list(self.backend_tokenizer.encode(text, add_special_tokens=False).ids)

    def decode(self, ids: Sequence[int]) -> str:
        return str(self.backend_tokenizer.decode(list(ids), skip_special_tokens=False))


FAST = FastTokenizer()
WRITTEN = st.lists(
    st.sampled_from(["<think>", "</think>", "<｜User｜>", "<think", "that", "心", " ", "\ufdd0"])
).map("".join)


def test_special_tokens_that_a_person_typed_stay_text() -> None:
    """A question with "</think>" in it must not end the reasoning of the model that reads it."""
    written = WrittenText(FAST)
    ids = written.encode("<｜User｜>" + written.hide("is <think> a <｜User｜> tag?"))
    special = set(FAST.get_added_vocab().values())
    assert [token for token in ids if token in special] == [
        FAST.convert_tokens_to_ids("<｜User｜>")
    ]
    assert FAST.decode(ids) == "<｜User｜>is <think> a <｜User｜> tag?"


@given(WRITTEN | st.text(max_size=20))
def test_what_a_person_typed_is_encoded_whole_and_plain(typed: str) -> None:
    typed = typed.encode("utf-8", "replace").decode()
    written = WrittenText(FAST)
    ids = written.encode("<｜User｜>" + written.hide(typed) + "<think>")
    assert FAST.decode(ids) == f"<｜User｜>{typed}<think>"
    assert not set(ids[1:-1]) & set(FAST.get_added_vocab().values())
    if not any(word in typed for word in FAST.get_added_vocab()):
        assert ids == FAST.encode(f"<｜User｜>{typed}<think>")


def streamed(detokenizer: Detokenizer, tokens: Sequence[int]) -> str:
    return "".join(detokenizer.add(token) for token in tokens) + detokenizer.finish()
