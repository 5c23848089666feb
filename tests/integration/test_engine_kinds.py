"""Adapters that can't be mixed in one batch answer too, taking turns, and only as themselves."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.chat.engines import Column, Engine, Settings
from tests.conftest import ROOT
from tests.fakes.tiny_columns import TEMPLATE, contents, question

pytestmark = pytest.mark.integration

TARGETS = ["q_proj", "v_proj", "up_proj", "down_proj"]
LORA = {"kind": "LoraConfig", "r": 4, "lora_alpha": 8, "target_modules": TARGETS}
ALONE: dict[str, dict[str, Any]] = {
    "use_dora": {**LORA, "use_dora": True},
    "pissa": {**LORA, "init_lora_weights": "pissa"},
    "olora": {**LORA, "init_lora_weights": "olora"},
    "bias": {**LORA, "bias": "all"},
    "lora_bias": {**LORA, "lora_bias": True},
    "modules_to_save": {**LORA, "modules_to_save": ["lm_head", "gate_proj"]},
    "trainable_token_indices": {**LORA, "trainable_token_indices": list(range(4, 380))},
    "OFT": {"kind": "OFTConfig", "oft_block_size": 16, "r": 0, "target_modules": TARGETS},
    "IA3": {
        "kind": "IA3Config",
        "target_modules": ["k_proj", "v_proj", "down_proj"],
        "feedforward_modules": ["down_proj"],
    },
    "LOHA": {"kind": "LoHaConfig", "r": 4, "alpha": 8, "target_modules": TARGETS},
}
"""By what keeps them out of the batch."""
PATTERNS = {
    **LORA,
    "rank_pattern": {"q_proj": 16, r"layers\.1\.mlp\.up_proj": 2},
    "alpha_pattern": {"v_proj": 32, r".*\.0\.mlp\..*": 4},
    "use_rslora": True,
}
"""Has another rank and scale in each layer, and mixes all the same."""
BRIEF = Settings.greedy(max_tokens=20)
"""Enough for all of them to say different things."""
CONVERSATIONS = {"short": question("Why fever?"), "chinese": question("发热时心率为什么会加快？")}


@pytest.fixture(scope="module")
def kinds(folder: Path) -> list[Column]:
    return [Column(kind, folder / "kinds" / kind, TEMPLATE) for kind in [*ALONE, "patterns"]]


@pytest.fixture(scope="module")
def reference(folder: Path, columns: list[Column], kinds: list[Column]) -> dict[str, Any]:
    """What each column says, by name and conversation, with plain PEFT and alone."""
    described = {**ALONE, "patterns": PATTERNS}
    order = {
        "base": str(folder / "base"),
        "make": {str(column.adapter_path): described[column.key] for column in kinds},
        "adapters": {c.key: c.adapter_path and str(c.adapter_path) for c in [*columns, *kinds]},
        "conversations": CONVERSATIONS,
        "template": TEMPLATE,
        "max_tokens": BRIEF.max_tokens,
        "template_cases": [],
    }
    (folder / "kinds.json").write_text(json.dumps(order), encoding="utf-8")
    module = "tests.fakes.peft_reference"
    command = [sys.executable, "-m", module, folder / "kinds.json", folder / "said.json"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert run.returncode == 0, run.stderr
    said = json.loads((folder / "said.json").read_text(encoding="utf-8"))["columns"]
    texts = {
        key: {name: answer["text"] for name, answer in answers.items()}
        for key, answers in said.items()
    }
    assert len({answers["short"] for answers in texts.values()}) == len(texts)
    return texts


def test_all_kinds_at_once_say_what_each_says_alone_with_peft(
    engine: Engine, columns: list[Column], kinds: list[Column], reference: dict[str, Any]
) -> None:
    everyone = [*columns, *kinds]
    engine.show(everyone)
    engine.wait_ready(200)
    assert engine.column_errors == {}
    for name, conversation in CONVERSATIONS.items():
        said = contents(engine, everyone, conversation, BRIEF)
        assert said == {key: answers[name] for key, answers in reference.items()}
    cards = {card["id"]: card for card in models(engine)}
    assert {key: cards[key]["reason"] for key in ALONE} == {key: key for key in ALONE}
    assert {key for key, card in cards.items() if not card["mixed"]} == set(ALONE)
    assert all(cards[column.key]["reason"] is None for column in [*columns, kinds[-1]])


def test_no_column_answers_with_anothers_weights_in_any_order(
    engine: Engine, columns: list[Column], kinds: list[Column], reference: dict[str, Any]
) -> None:
    """Some of these change the base's weights, its biases or whole modules when they are loaded:
    none of that may reach the others."""
    chance = random.Random(5)
    everyone = [*columns, *kinds]
    for _ in range(8):
        shown = chance.sample(everyone, chance.randint(2, 7))
        engine.show(shown)
        engine.wait_ready(200)
        asked = chance.sample(shown, chance.randint(1, len(shown)))
        said = contents(engine, asked, CONVERSATIONS["short"], BRIEF)
        assert said == {key: reference[key]["short"] for key in said}


def models(engine: Engine) -> list[dict[str, Any]]:
    target = engine.target("base")
    answer = httpx.get(f"{target.url}/models", headers=dict(target.headers), trust_env=False)
    cards: list[dict[str, Any]] = answer.json()["data"]
    return cards
