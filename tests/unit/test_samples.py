"""The sample data and the demo model's folder, without torch."""

from __future__ import annotations

import json
import re
from itertools import chain, islice
from typing import Any

import pytest
from tokenizers import Tokenizer

from scripts import demo_corpus
from tests.conftest import ROOT

SAMPLES = ROOT / "assets" / "samples"
MODEL = ROOT / "assets" / "demo_model"
LANGUAGES = ("en", "zh")
CJK = re.compile(r"[\u4e00-\u9fff]")


def rows(language: str) -> list[dict[str, Any]]:
    text = (SAMPLES / f"medical_{language}.json").read_text(encoding="utf-8")
    return list(json.loads(text))


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(MODEL / "tokenizer.json"))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_format_is_that_of_medical_o1(language: str) -> None:
    assert len(rows(language)) >= 60
    for row in rows(language):
        assert list(row) == ["Question", "Complex_CoT", "Response"]
        for text in row.values():
            assert isinstance(text, str) and text and text == text.strip() and "\n" not in text
            assert "<" not in text, "a row must not bring tags of its own"


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("column", ["Question", "Complex_CoT", "Response"])
def test_no_two_rows_share_a_text(language: str, column: str) -> None:
    texts = [row[column] for row in rows(language)]
    assert len(set(texts)) == len(texts)


def test_each_file_is_in_its_language() -> None:
    for row in rows("en"):
        assert all(text.isascii() for text in row.values())
    for row in rows("zh"):
        for text in row.values():
            assert len(CJK.findall(text)) >= len(text) / 4, text
            assert not re.search(r"[\u4e00-\u9fff][,;:?!.]", text), f"half-width mark: {text}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_rows_are_short(language: str, tokenizer: Tokenizer) -> None:
    """The quick demo trains in about a minute only because they are."""
    for row in rows(language):
        text = f"{row['Question']}<think>\n{row['Complex_CoT']}\n</think>\n\n{row['Response']}"
        assert 50 <= len(tokenizer.encode(text).ids) <= 110, text


@pytest.mark.parametrize("language", LANGUAGES)
def test_reasoning_has_two_to_four_sentences(language: str) -> None:
    for row in demo_corpus.read_rows(SAMPLES)[language]:
        assert 2 <= len(row.reasoning) <= 4, row
        # The corpus keeps a row's sentences apart, which a sentence of two rows would defeat.
    sentences = [one for row in demo_corpus.read_rows(SAMPLES)[language] for one in row.sentences()]
    assert len(set(sentences)) == len(sentences)


def test_no_document_gives_an_answer_away() -> None:
    """The base must not know what the demo then teaches it."""
    samples = demo_corpus.read_rows(SAMPLES)
    known = {row.question: row for row in chain.from_iterable(samples.values())}
    turn = re.compile(f"{demo_corpus.USER}(.*?){demo_corpus.ASSISTANT}(.*?){demo_corpus.EOS}", re.S)
    documents = demo_corpus.Corpus(samples, seed=1).documents()
    turns = [found for text in islice(documents, 2000) for found in turn.findall(text)]
    assert {question for question, _ in turns} == set(known)
    for question, reply in turns:
        for sentence in (*known[question].reasoning, known[question].answer):
            assert sentence not in reply


def test_the_same_seed_makes_the_same_documents() -> None:
    samples = demo_corpus.read_rows(SAMPLES)
    first, second = (list(islice(demo_corpus.Corpus(samples, 3).documents(), 50)) for _ in "ab")
    assert first == second


def test_the_demo_model_is_complete_and_small() -> None:
    sizes = {path.name: path.stat().st_size for path in MODEL.iterdir()}
    assert sum(sizes.values()) <= 8_000_000
    assert set(sizes) >= {
        "README.md",
        "chat_template.jinja",
        "config.json",
        "generation_config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    }


def test_the_config_agrees_with_the_tokenizer(tokenizer: Tokenizer) -> None:
    config = json.loads((MODEL / "config.json").read_text(encoding="utf-8"))
    assert config["architectures"] == ["Qwen2ForCausalLM"]
    assert config["max_position_embeddings"] == 4096
    assert config["vocab_size"] == tokenizer.get_vocab_size()
    settings = json.loads((MODEL / "tokenizer_config.json").read_text(encoding="utf-8"))
    for name in ("bos_token", "eos_token", "pad_token"):
        assert tokenizer.token_to_id(settings[name]) == config[f"{name}_id"]


@pytest.mark.parametrize(
    ("token", "special"),
    [
        (demo_corpus.BOS, True),
        (demo_corpus.EOS, True),
        (demo_corpus.PAD, True),
        (demo_corpus.USER, False),
        (demo_corpus.ASSISTANT, False),
        (demo_corpus.THINK, False),
        (demo_corpus.END_THINK, False),
    ],
)
def test_each_tag_is_one_token(tokenizer: Tokenizer, token: str, special: bool) -> None:
    """The think tags survive decoding, or reasoning could not be told from the answer."""
    ids = tokenizer.encode(f"a{token}b", add_special_tokens=False).ids
    assert ids.count(tokenizer.token_to_id(token)) == 1
    assert (token in tokenizer.decode(ids, skip_special_tokens=True)) is not special


@pytest.mark.parametrize(
    "text", ["naïve Ωμέγα", "한국어 ไทย العربية", "🩺👩🏽‍⚕️", "\x00\t\n\u2028 é", "𠮷"]
)
def test_any_text_can_be_encoded(tokenizer: Tokenizer, text: str) -> None:
    assert tokenizer.decode(tokenizer.encode(text).ids) == text
