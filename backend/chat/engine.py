"""One chat engine and the columns that it holds.

The engine is a process of its own (``backend.workers.engine``); this side speaks HTTP with it and
imports no torch. A background thread brings the engine to the columns that are wanted.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from backend.chat.answering import Message, Target, refusal
from backend.chat.columns import Bits, Column, Loaded, Loading, base_mark, fingerprint
from backend.chat.engine_process import EngineProcess
from backend.chat.settings import THINKS, Thinking, thinking_options
from backend.errors import EngineError

_LOAD_TIMEOUT = httpx.Timeout(10, read=300)


class Engine:
    """One engine and the columns that it holds. ``start`` makes it; it loads in the background.

    Attributes:
        bits: That the base was ordered in; None as it is saved.
    """

    def __init__(
        self,
        process: EngineProcess,
        model_path: Path,
        columns: Sequence[Column],
        log: Path = Path(),
        bits: Bits = None,
    ) -> None:
        self.model_path = model_path
        self.log = log
        self.bits = bits
        self.base_mark = base_mark(model_path)
        self._process = process
        self._begun = time.monotonic()
        self._changed = threading.Condition()
        self._loading = Loading("starting", 0.0)
        self._wanted: dict[str, Column] = {column.key: column for column in columns}
        self._loaded: dict[str, Loaded] = {}
        self._refused: dict[str, EngineError] = {}
        self._orders = 1
        threading.Thread(target=self._work, daemon=True, name="engine").start()

    @classmethod
    def start(
        cls, model_path: Path, columns: Sequence[Column], *, log: Path, bits: Bits = None
    ) -> Engine:
        """Start an engine for the model in ``model_path``; returns at once.

        Args:
            bits: In how many the base is loaded; None as it is saved.

        Raises:
            EngineError: the process can't be started.
        """
        process = EngineProcess.start(model_path, log=log, bits=bits)
        return cls(process, model_path, columns, log, bits)

    def __repr__(self) -> str:
        return f"Engine({self.model_path.name!r}, {self.loading.state})"

    @property
    def loading(self) -> Loading:
        """The state now. An engine that died is seen here as failed."""
        with self._changed:
            now = self._loading
        if now.state in ("ready", "loading_adapter"):
            dead = self._process.death()
            if dead is not None:
                now = Loading("failed", now.seconds, error=dead)
        return now if now.over else replace(now, seconds=time.monotonic() - self._begun)

    @property
    def ready(self) -> bool:
        return self.loading.state == "ready"

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self._process.running

    @property
    def usable(self) -> bool:
        """Whether it is ready or may still become so."""
        return self.alive and self.loading.error is None

    def holds(self, model_path: Path) -> bool:
        """Whether its base is what lies at ``model_path`` now."""
        return self.model_path == model_path and self.base_mark == base_mark(model_path)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def device(self) -> str:
        """Where and in which numbers it computes, as the engine found its base loaded: "cpu,
        float32" or "cuda, bfloat16, 4-bit"; "" until ready."""
        facts = self._process.facts
        if not facts:
            return ""
        said = [facts["device"], facts["dtype"]]
        return ", ".join([*said, f"{facts['bits']}-bit"] if facts.get("bits") else said)

    @property
    def context(self) -> int | None:
        """Most tokens of prompt and answer together; None until ready."""
        return self._process.facts.get("context")

    @property
    def columns(self) -> tuple[Column, ...]:
        """The columns that are wanted, in order."""
        with self._changed:
            return tuple(self._wanted.values())

    @property
    def column_errors(self) -> Mapping[str, EngineError]:
        """Columns that could not be loaded, and why. The others can be asked."""
        with self._changed:
            return dict(self._refused)

    def fingerprint(self, column: str) -> str | None:
        """First 12 hex digits of the SHA-256 of the column's adapter; "base" for the base."""
        with self._changed:
            loaded = self._loaded.get(column)
        return loaded.fingerprint if loaded else None

    def alone(self, column: str) -> str:
        """What keeps a column out of the others' batch, as PEFT calls it; empty where it mixes."""
        with self._changed:
            loaded = self._loaded.get(column)
        return loaded.alone if loaded else ""

    def memory(self) -> int:
        """Resident bytes of its process; 0 when it is gone."""
        return self._process.memory()

    def wait_ready(self, timeout: float | None = None) -> None:
        """Wait until the columns that are wanted now are loaded.

        Raises:
            EngineError: it failed, was unloaded, or ``timeout`` seconds passed.
        """
        until = None if timeout is None else time.monotonic() + timeout
        while not (now := self.loading).over:
            left = 0.2 if until is None else min(0.2, until - time.monotonic())
            if left <= 0:
                raise EngineError("engine.errors.not_ready")
            with self._changed:
                self._changed.wait(left)
        if now.error is not None:
            raise now.error
        if now.state == "unloaded":
            raise EngineError("engine.errors.unloaded")

    def show(self, columns: Sequence[Column]) -> None:
        """Add and remove columns until they are these; returns at once."""
        with self._changed:
            self._wanted = {column.key: column for column in columns}
            self._orders += 1
            if self._loading.state == "ready":
                self._loading = Loading("loading_adapter", time.monotonic() - self._begun)
            self._changed.notify_all()

    def prompt(
        self, column: str, messages: Sequence[Message], thinking: Thinking = "trained"
    ) -> dict[str, Any]:
        """The exact prompt: {"text", "token_ids", "tokens": [{"id", "text"}, …]}.

        Raises:
            EngineError: the engine does not answer, or refuses.
        """
        body = {"model": column, "messages": [dict(message) for message in messages]}
        way = thinking_options(THINKS.get(thinking))
        answer: dict[str, Any] = self._call("POST", "prompt", {**body, **way})
        return answer

    def target(self, column: str) -> Target:
        """Where and how a column is asked."""
        loading = self.loading
        refused = loading.error or self.column_errors.get(column)
        fingerprint = self.fingerprint(column)
        if refused is None and fingerprint is None:
            known = "unloaded" if loading.state == "unloaded" else "not_ready"
            refused = EngineError(f"engine.errors.{known}")
        return Target(
            url=self._process.url,
            model=column,
            headers=self._process.headers,
            fingerprint=fingerprint,
            lost=self._process.death_soon,
            refused=refused,
        )

    def unload(self) -> int:
        """End the process. The result is the memory that came back, in bytes."""
        with self._changed:
            self._loading = Loading("unloaded", time.monotonic() - self._begun)
            self._changed.notify_all()
        return self._process.end()

    # The background thread

    def _work(self) -> None:
        try:
            self._process.wait_listening(self._tell)
            served = 0
            while True:
                with self._changed:
                    while self._orders == served and not self._is_unloaded():
                        self._changed.wait()
                    if self._is_unloaded():
                        return
                    served, wanted = self._orders, dict(self._wanted)
                self._reconcile(wanted)
                self._ready_if(served)
        except EngineError as error:
            self._tell("failed", error=error)

    def _is_unloaded(self) -> bool:
        return self._loading.state == "unloaded"

    def _tell(
        self, state: str, *, column: str | None = None, error: EngineError | None = None
    ) -> None:
        with self._changed:
            if not self._is_unloaded():
                spent = time.monotonic() - self._begun
                self._loading = Loading(state, spent, column, error)
            self._changed.notify_all()

    def _ready_if(self, served: int) -> None:
        with self._changed:
            newest = self._orders == served
        if newest:
            self._tell("ready")

    def _reconcile(self, wanted: Mapping[str, Column]) -> None:
        """Make the engine's models those of ``wanted``."""
        with self._changed:
            gone = [key for key in self._loaded if key not in wanted]
            self._refused = {}
        for key in gone:
            self._call("DELETE", f"models/{quote(key)}")
            with self._changed:
                del self._loaded[key]
        for key, column in wanted.items():
            self._tell("loading_adapter", column=key)
            try:
                self._load(column)
            except EngineError as error:
                if not self._process.running:
                    raise
                with self._changed:
                    held = self._loaded.pop(key, None)
                    self._refused[key] = error
                if held is not None:
                    self._call("DELETE", f"models/{quote(key)}")

    def _load(self, column: Column) -> None:
        """Load a column unless the same weights are there under its name already.

        Raises:
            EngineError: the adapter can't be used, or what was loaded is not what lies there.
        """
        expected = fingerprint(column.adapter_path)
        present = Loaded(column, expected)
        with self._changed:
            if self._loaded.get(column.key) == present:
                return
        folder = None if column.adapter_path is None else str(column.adapter_path)
        body = {"id": column.key, "adapter": folder, "template": column.template}
        card = self._call("POST", "models", {**body, **thinking_options(column.thinking)})
        if card.get("hash") != expected:
            raise EngineError(
                "engine.errors.wrong_model",
                asked=f"{column.key} ({expected})",
                answered=f"{card.get('id')} ({card.get('hash')})",
            )
        with self._changed:
            self._loaded[column.key] = replace(present, alone=str(card.get("reason") or ""))

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        try:
            response = httpx.request(
                method,
                f"{self._process.url}/{path}",
                json=body,
                headers=dict(self._process.headers),
                timeout=_LOAD_TIMEOUT,
                trust_env=False,
                verify=False,  # Loopback: there are no certificates to read.
            )
        except httpx.HTTPError as error:
            reason = str(error) or type(error).__name__
            raise self._process.death_soon() or EngineError(
                "engine.errors.connection", reason=reason
            ) from error
        if response.status_code != 200:
            raise refusal(response.status_code, response.content)
        return response.json()
