"""Secrets do not reach the terminal, a log or a sentence."""

from __future__ import annotations

import io
import logging
import sys
import traceback

import pytest

from backend import secrecy
from backend.errors import DownloadError
from backend.problems import Problem
from backend.secrecy import MASK, keep_secret, mask, mask_output

HF = "hf_" + "abcDEF123456789012345"


@pytest.fixture(autouse=True)
def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrecy, "_known", set())


@pytest.mark.parametrize(
    ("words", "masked"),
    [
        (f"token {HF} refused", f"token hf_{MASK} refused"),
        ("key=sk-proj-abcdefghijklmnop", f"key=sk-{MASK}"),
        ("Authorization: Bearer abc.def-ghi_jkl", f"Authorization: Bearer {MASK}"),
        ("{'Authorization': 'Basic dXNlcjpwYXNz'}", f"{{'Authorization': 'Basic {MASK}'}}"),
        ("https://ann:s3cret-word@hub.example/x", f"https://ann:{MASK}@hub.example/x"),
        ("WANDB_API_KEY=0123456789abcdef0123", f"WANDB_API_KEY={MASK}"),
        ('{"token": "0123456789abcdef"}', f'{{"token": "{MASK}"}}'),
        ("password = correct-horse", f"password = {MASK}"),
        ("Cookie: medtune-7860=abcdefghij", f"Cookie: {MASK}"),
    ],
)
def test_what_looks_like_a_secret_is_masked(words: str, masked: str) -> None:
    assert mask(words) == masked


@pytest.mark.parametrize(
    "words",
    [
        "pad_token: <|endoftext|>",
        "eos_token='<｜end▁of▁sentence｜>' and unk_token=[UNK_LONG_NAME]",
        "max_new_tokens = 123456789",
        "bos_token_id = 1516431234",
        "Number of tokens: 123456789",
        "models/sk-learn/readme",
        "token=None, use_auth_token=False",
        "epoch 3: loss 0.1234567890",
    ],
)
def test_what_training_logs_say_stays(words: str) -> None:
    assert mask(words) == words


def test_what_is_known_is_masked_wherever_it_stands() -> None:
    keep_secret("my own words 4711")
    keep_secret("abc")  # too short to be looked for
    assert mask("GET /?q=my own words 4711&abc") == f"GET /?q={MASK}&abc"


def test_sentences_have_none() -> None:
    error = DownloadError("hub.errors.endpoint_bad", address="https://ann:s3cret-word@hub.example")
    assert "s3cret" not in error.sentence("en") + error.sentence("zh") + str(error)
    problem = Problem("hub.errors.endpoint_bad", {"address": f"https://hub/?t={HF}"})
    assert HF not in problem.sentence("en")


def test_neither_prints_nor_logs_nor_tracebacks_have_any(monkeypatch: pytest.MonkeyPatch) -> None:
    out, err = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    mask_output()
    mask_output()  # once is enough
    print("starting with", HF)
    logging.getLogger("somebody").warning("refused: %s", HF)
    try:
        raise ValueError(f"https://ann:{HF}@hub.example failed")
    except ValueError:
        traceback.print_exc()
    said = out.getvalue() + err.getvalue()
    assert HF not in said and said.count(MASK) == 3
    assert out.getvalue() == f"starting with hf_{MASK}\n"
