"""Greedy answers of the engine are those of ``llamafactory-cli api`` for that checkpoint alone."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from backend.chat.engines import Column, Engine
from tests.fakes.tiny_columns import LONG, TEMPLATE, question, replies

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(900)]

CONVERSATIONS = [
    question("Why fever?"),
    [
        {"role": "system", "content": "Answer briefly."},
        *question("发热时心率为什么会加快？"),
        {"role": "assistant", "content": "<think>\nten beats\n</think>\n\nBecause of 心率."},
        *question("And then?"),
    ],
]


@pytest.fixture(scope="module")
def saved_in_float32(folder: Path, columns: list[Column]) -> Path:
    """The engine's base, as float32 on disk: LLaMA-Factory 0.9.5 loads what is saved in bfloat16 in
    bfloat16 with this transformers, whatever ``infer_dtype`` says."""
    made = folder / "float32"
    script = (
        "import sys, torch; from transformers import AutoModelForCausalLM as Model\n"
        "Model.from_pretrained(sys.argv[1], dtype=torch.float32).save_pretrained(sys.argv[2])\n"
    )
    subprocess.run([sys.executable, "-c", script, folder / "base", made], check=True)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(folder / "base" / name, made)
    return made


def test_a_checkpoint_says_what_llamafactory_says(
    engine: Engine, columns: list[Column], saved_in_float32: Path
) -> None:
    """The base and an adapter, each served alone in float32: the same text from as many tokens."""
    for column in columns[:2]:
        with served_by_llamafactory(saved_in_float32, column) as url:
            for conversation in CONVERSATIONS:
                said, tokens = asked(url, conversation)
                reply = replies(engine, columns, conversation)[column.key]
                assert (reply.content, reply.tokens) == (said, tokens)


@contextmanager
def served_by_llamafactory(base: Path, column: Column) -> Iterator[str]:
    """Address of ``llamafactory-cli api`` with ``base`` and the column's adapter."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    arguments = {
        "model_name_or_path": str(base),
        "template": TEMPLATE,
        "infer_dtype": "float32",
    }
    if column.adapter_path:
        arguments["adapter_name_or_path"] = str(column.adapter_path)
    (base / "api.yaml").write_text(json.dumps(arguments), encoding="utf-8")
    command = [Path(sys.executable).with_name("llamafactory-cli"), "api", base / "api.yaml"]
    environment = {**os.environ, "API_HOST": "127.0.0.1", "API_PORT": str(port)}
    log = base / "llamafactory.log"
    with (
        log.open("wb") as output,
        subprocess.Popen(command, env=environment, stdout=output, stderr=output) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}/v1"
            wait_listening(url, process, log)
            yield url
        finally:
            process.kill()


def wait_listening(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + 400
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text(encoding="utf-8")[-3000:]
        try:
            httpx.get(f"{url}/models", trust_env=False).raise_for_status()
            return
        except httpx.HTTPError:
            time.sleep(0.3)
    raise AssertionError(f"llamafactory-cli api does not listen:\n{log.read_text()[-3000:]}")


def asked(url: str, conversation: list[dict[str, str]]) -> tuple[str, int]:
    body = {
        "model": "x",
        "messages": conversation,
        "temperature": 0,
        "max_tokens": LONG.max_tokens,
    }
    answer = httpx.post(f"{url}/chat/completions", json=body, trust_env=False, timeout=300)
    answer.raise_for_status()
    said: dict[str, Any] = answer.json()
    return said["choices"][0]["message"]["content"], said["usage"]["completion_tokens"]
