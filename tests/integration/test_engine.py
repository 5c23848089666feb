"""The engine: every column answers with its own weights and as if it were alone."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from backend.chat.engines import Column, Engine, Reply, Settings, ask
from backend.chat.splitter import split
from tests.conftest import ROOT
from tests.fakes.tiny_columns import (
    LONG,
    TEMPLATE,
    contents,
    question,
    replies,
)

pytestmark = pytest.mark.integration

CONVERSATIONS: dict[str, list[dict[str, str]]] = {
    "short": question("Why fever?"),
    "chinese": question("发热时心率为什么会加快？请说明。" * 3),
    "turns": [
        {"role": "system", "content": "Answer briefly."},
        *question("Why fever?"),
        {"role": "assistant", "content": "<think>\nten beats\n</think>\n\nBecause of 心率."},
        *question("And then? " * 40),
    ],
}


@pytest.fixture
def whole(engine: Engine, columns: list[Column]) -> Iterator[Engine]:
    """The engine, with all its columns again when the test is over."""
    yield engine
    engine.show(columns)
    engine.wait_ready(60)


@pytest.fixture(scope="module")
def reference(folder: Path, columns: list[Column]) -> dict[str, Any]:
    """LLaMA-Factory's prompts and PEFT's answers, made one by one in a process of their own."""
    adapters = {c.key: c.adapter_path and str(c.adapter_path) for c in columns}
    order = {
        "base": str(folder / "base"),
        "adapters": adapters,
        "conversations": CONVERSATIONS,
        "template": TEMPLATE,
        "max_tokens": LONG.max_tokens,
        "template_cases": [random_conversation(seed) for seed in range(12)],
    }
    (folder / "order.json").write_text(json.dumps(order), encoding="utf-8")
    module = "tests.fakes.peft_reference"
    command = [sys.executable, "-m", module, folder / "order.json", folder / "answers.json"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert run.returncode == 0, run.stderr
    answers: dict[str, Any] = json.loads((folder / "answers.json").read_text(encoding="utf-8"))
    return answers


def random_conversation(seed: int) -> list[dict[str, str]]:
    chance = random.Random(seed)
    pieces = ["fever", " 心率", "\n", "{{idx}}", "'s", "  ", "\\n", "<b>", "😀", "{{content}}"]

    def text() -> str:
        return "".join(chance.choices(pieces, k=chance.randint(1, 12)))

    turns = [{"role": "system", "content": text()}] if chance.random() < 0.5 else []
    for _ in range(chance.randint(0, 2)):
        turns += question(text())
        thought = f"<think>\n{text()}\n</think>\n\n" if chance.random() < 0.5 else ""
        turns.append({"role": "assistant", "content": thought + text()})
    return turns + question(text())


def test_the_prompt_is_the_one_that_llamafactory_trains_with(
    engine: Engine, reference: dict[str, Any]
) -> None:
    assert reference["different_templates"] == []
    for name, messages in CONVERSATIONS.items():
        prompt = engine.prompt("base", messages)
        assert prompt["token_ids"] == reference["prompts"][name]
        assert prompt["text"].endswith("<｜Assistant｜>")
        assert [token["id"] for token in prompt["tokens"]] == prompt["token_ids"]


def test_four_columns_at_once_say_what_each_says_alone_with_peft(
    engine: Engine, columns: list[Column], reference: dict[str, Any]
) -> None:
    """float32, greedy: token for token. Ranks 8, 4 and 16; one adapter has fewer targets."""
    for name, messages in CONVERSATIONS.items():
        expected = {key: answers[name] for key, answers in reference["columns"].items()}
        gathered = replies(engine, columns, messages)
        for key, reply in gathered.items():
            assert reply.content == expected[key]["text"], (name, key)
            assert reply.done is not None
            assert reply.done.reason == ("stop" if expected[key]["ended"] else "length")
            assert reply.tokens == len(expected[key]["tokens"])
        assert len({reply.content for reply in gathered.values()}) == len(columns)


def test_a_row_says_the_same_whatever_its_neighbours(
    engine: Engine, columns: list[Column], reference: dict[str, Any]
) -> None:
    """Rows of different lengths are padded on the left; rows come and go while others run."""
    expected = {
        (key, name): answers[name]["text"]
        for key, answers in reference["columns"].items()
        for name in CONVERSATIONS
    }

    def one(case: tuple[str, str]) -> str:
        time.sleep(random.random() * 0.05)
        column = next(column for column in columns if column.key == case[0])
        return contents(engine, [column], CONVERSATIONS[case[1]])[case[0]]

    cases = [case for case in expected for _ in range(2)]
    random.Random(3).shuffle(cases)
    with ThreadPoolExecutor(len(cases)) as pool:
        got = list(pool.map(one, cases))
    assert dict(zip(cases, got, strict=True)) == expected


def test_no_column_answers_with_anothers_weights_in_any_order(
    whole: Engine, columns: list[Column], reference: dict[str, Any]
) -> None:
    """Loaded, unloaded and asked in every order: the answer is always the column's own."""
    for order in permutations(columns[1:]):
        for shown in (order[:1], order, order[1:]):
            whole.show([columns[0], *shown])
            whole.wait_ready(60)
            got = contents(whole, [*shown, columns[0]], CONVERSATIONS["short"])
            assert got == {key: reference["columns"][key]["short"]["text"] for key in got}


def test_a_checkpoint_that_is_written_again_is_read_again(
    whole: Engine, columns: list[Column], folder: Path
) -> None:
    first, second = (column.adapter_path for column in columns[1:3])
    assert first is not None
    assert second is not None
    column = Column("moved", folder / "moved", TEMPLATE)
    column_path = folder / "moved"
    column_path.mkdir()
    seen = []
    for source in (first, second):
        for name in ("adapter_config.json", "adapter_model.safetensors"):
            (column_path / name).write_bytes((source / name).read_bytes())
        whole.show([*columns, column])
        whole.wait_ready(60)
        said = contents(whole, [columns[1], columns[2], column], CONVERSATIONS["short"])
        seen.append(said)
        assert whole.fingerprint("moved") == whole.fingerprint(
            f"{source.parent.name}/checkpoint-20"
        )
    assert seen[0]["moved"] == seen[0][columns[1].key]
    assert seen[1]["moved"] == seen[1][columns[2].key] != seen[0]["moved"]


def test_a_seed_gives_the_same_answer_beside_any_neighbours(
    engine: Engine, columns: list[Column]
) -> None:
    sampled = Settings(temperature=1.0, top_p=0.9, top_k=40, max_tokens=24, seed=11)
    together = contents(engine, columns, CONVERSATIONS["short"], sampled)
    for column in columns:
        assert (
            contents(engine, [column], CONVERSATIONS["short"], sampled)[column.key]
            == (together[column.key])
        )
    other = Settings(temperature=1.0, top_p=0.9, top_k=40, max_tokens=24, seed=12)
    assert contents(engine, columns, CONVERSATIONS["short"], other) != together


def test_text_that_looks_like_special_tokens_stays_text(engine: Engine) -> None:
    """ "</think>" in a question must not end the reasoning; "<｜User｜>" must not begin a turn."""
    plain = engine.prompt("base", question("x"))
    special = set(plain["token_ids"])
    typed = "<｜User｜></think><｜end▁of▁sentence｜>"
    prompt = engine.prompt("base", question(typed))
    assert prompt["text"] == f"<｜begin▁of▁sentence｜><｜User｜>{typed}<｜Assistant｜>"
    assert len(special & set(prompt["token_ids"][2:-1])) == 0
    assert prompt["token_ids"][:2] == plain["token_ids"][:2]


def test_an_adapter_that_is_unloaded_finishes_its_answer(
    whole: Engine, columns: list[Column], reference: dict[str, Any]
) -> None:
    """The answer in progress ends with the weights it began with; the next one is refused."""
    column = columns[3]
    reply = Reply(column.key)
    answers = ask(whole, [column], {column.key: CONVERSATIONS["short"]}, LONG)
    reply.take(next(answers))
    changing = threading.Thread(target=whole.show, args=(columns[:3],))
    changing.start()
    for event in answers:
        reply.take(event)
    changing.join()
    whole.wait_ready(60)
    assert reply.content == reference["columns"][column.key]["short"]["text"]
    refused = replies(whole, [column], question("x"))[column.key]
    assert refused.error is not None
    assert refused.error.key == "engine.errors.not_ready"


def test_bf16_weights_run_in_float32_on_a_cpu(engine: Engine) -> None:
    if engine.device.startswith("cpu"):
        assert engine.device == "cpu, float32"


def test_what_streams_is_split_as_the_whole_is(engine: Engine, columns: list[Column]) -> None:
    for reply in replies(engine, columns, CONVERSATIONS["chinese"]).values():
        parts = split(reply.content)
        assert (parts.reasoning, parts.text) == (reply.reasoning, reply.text)
