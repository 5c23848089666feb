"""The engine and what it is compared with, as programs that are asked the same.

Knows nothing about promises. The programs run beside each other and are asked in turns.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from backend.chat.engine_process import EngineProcess
from benchmarks.common import ROOT

COLUMNS = ("base", "adapter-1", "adapter-2", "adapter-3")
TEMPLATE = "deepseekr1"
QUESTION = " ".join(f"w{100 + 7 * number}" for number in range(97))
"""About a hundred tokens with those of the template."""
TOKENS = 64

_TIMEOUT = httpx.Timeout(600)


@dataclass(frozen=True)
class Answered:
    """What some columns said.

    Attributes:
        seconds: Until the last one ended.
        first: Until the first token of the first one; None where nobody noted it.
        words: Of each column: its tokens as words, in the order asked.
    """

    seconds: float
    first: float | None
    words: Sequence[Sequence[str]]


@contextmanager
def model_folder(size: str = "") -> Iterator[Path]:
    """A folder with the random model and its adapters; ``size`` may be "tiny"."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "benchmarks.chat_model", folder, *([size] if size else [])]
        subprocess.run(command, cwd=ROOT, check=True, stderr=subprocess.DEVNULL)
        yield Path(folder)


class Asked:
    """An engine that is asked over its API."""

    def __init__(self, process: EngineProcess, folder: Path) -> None:
        self.process = process
        self._folder = folder
        self._client = httpx.Client(
            headers=dict(process.headers), timeout=_TIMEOUT, trust_env=False, verify=False
        )

    def load(self, column: str, *, adapter: str | None = None) -> None:
        """Load a column; ``adapter`` where it is not the one of its name."""
        name = adapter or column
        path = None if name == "base" else str(self._folder / name)
        self._post("models", {"id": column, "adapter": path, "template": TEMPLATE}).json()

    def prompt(self) -> list[int]:
        """The token ids of the question in its template."""
        found: list[int] = self._post("prompt", self._body("base")).json()["token_ids"]
        return found

    def answers(self, columns: Sequence[str], tokens: int) -> Answered:
        """The greedy answers of ``columns``, asked at the same moment."""
        begun = time.perf_counter()
        with ThreadPoolExecutor(len(columns)) as pool:
            spoken = list(pool.map(lambda column: self._answer(column, tokens), columns))
        ended = time.perf_counter() - begun
        first = min(moment for moment, _ in spoken) - begun
        return Answered(ended, first, [words for _, words in spoken])

    def close(self) -> None:
        self._client.close()

    def _answer(self, column: str, tokens: int) -> tuple[float, list[str]]:
        """When its first token came, and its words."""
        body = {**self._body(column), "temperature": 0, "max_tokens": tokens, "stream": True}
        pieces, first = [], 0.0
        with self._client.stream("POST", self._url("chat/completions"), json=body) as response:
            for line in response.iter_lines():
                piece = _content(line)
                if piece:
                    first = first or time.perf_counter()
                    pieces.append(piece)
        return first, "".join(pieces).split()

    def _body(self, column: str) -> dict[str, Any]:
        return {"model": column, "messages": [{"role": "user", "content": QUESTION}]}

    def _post(self, path: str, body: Mapping[str, Any]) -> httpx.Response:
        return self._client.post(self._url(path), json=body).raise_for_status()

    def _url(self, path: str) -> str:
        return f"{self.process.url}/{path}"


def _content(line: str) -> str:
    data = line.removeprefix("data: ")
    if data == line or data == "[DONE]":
        return ""
    event = json.loads(data)
    if "error" in event:
        raise RuntimeError(event["error"]["message"])
    return "".join(choice["delta"].get("content") or "" for choice in event["choices"])


@contextmanager
def engine(folder: Path, columns: Sequence[str] = ()) -> Iterator[Asked]:
    """An engine of the folder's base, with ``columns`` loaded."""
    process = EngineProcess.start(folder / "base", log=folder / "engine.log")
    try:
        process.wait_listening(lambda state: None)
        asked = Asked(process, folder)
        for column in columns:
            asked.load(column)
        yield asked
        asked.close()
    finally:
        process.end()


class Bare:
    """``benchmarks.chat_bare`` while it runs."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def answers(
        self, columns: Sequence[str], tokens: int, prompt: Sequence[int], *, way: str = "alone"
    ) -> Answered:
        """The greedy answers of ``columns``, by plain ``generate``."""
        assert self._process.stdin is not None
        order = {"columns": columns, "way": way, "prompt": prompt, "tokens": tokens}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        said = self.said()
        words = [[f"w{token}" for token in row] for row in said["tokens"]]
        return Answered(said["seconds"], said["first"], words)

    def said(self) -> dict[str, Any]:
        """Its next line.

        Raises:
            RuntimeError: it ended.
        """
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("plain PEFT ended; its log is chat_bare.log in the model's folder")
        said: dict[str, Any] = json.loads(line)
        return said


@contextmanager
def bare(folder: Path) -> Iterator[Bare]:
    """Plain PEFT with the folder's model and adapters.

    Its threads wait as the engine's do: spinning ones would lose on a busy machine for that alone.
    """
    with (folder / "chat_bare.log").open("wb") as log:
        command = [sys.executable, "-m", "benchmarks.chat_bare", str(folder)]
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env={"OMP_WAIT_POLICY": "PASSIVE", **os.environ},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        ) as process:
            try:
                asked = Bare(process)
                asked.said()
                yield asked
            finally:
                process.kill()
