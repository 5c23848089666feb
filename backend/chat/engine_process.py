"""The process of an engine: started, listened to, ended. Knows nothing about columns."""

from __future__ import annotations

import contextlib
import os
import queue
import re
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import psutil

from backend.chat.columns import Bits
from backend.errors import EngineError
from backend.secrecy import keep_secret

ROOT = Path(__file__).resolve().parent.parent.parent
_END_SECONDS = 3.0
_TAIL = 8192
_KILLED = (-9, 137)


class EngineProcess:
    """One running ``backend.workers.engine``."""

    def __init__(self, process: subprocess.Popen[bytes], token: str, log: Path) -> None:
        self._process = process
        self._token = token
        self._log = log
        self._port = 0
        self._ended_here = False
        self.facts: dict[str, Any] = {}
        """What the engine said when it was ready: context, device, dtype, bits, seconds of each
        phase, and its memory before and after the base, in bytes ({"resident": …, "device": …})."""
        self._said: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        threading.Thread(target=self._listen, daemon=True, name="engine output").start()

    @classmethod
    def start(cls, model_path: Path, *, log: Path, bits: Bits = None) -> EngineProcess:
        """Start an engine and give it its order; ``bits`` 4 or 8 for a quantised base.

        Raises:
            EngineError: the process can't be started.
        """
        token = secrets.token_urlsafe(32)
        keep_secret(token)
        order = orjson.dumps({"model": str(model_path), "token": token, "bits": bits})
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            log.write_bytes(b"")
            # Appending, so that the engine can cut its log short while it writes.
            with log.open("ab") as errors:
                process = subprocess.Popen(
                    [sys.executable, "-m", "backend.workers.engine"],
                    cwd=ROOT,
                    env=_environment(),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    start_new_session=True,
                )
        except OSError as error:
            raise EngineError("engine.errors.start_failed", reason=error, log=log.name) from error
        assert process.stdin is not None
        with contextlib.suppress(OSError):  # It died already: wait_listening says so.
            process.stdin.write(order + b"\n")
            process.stdin.flush()
        return cls(process, token, log)

    def __repr__(self) -> str:
        return f"EngineProcess(pid={self.pid})"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/v1"

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def wait_listening(self, tell: Callable[[str], None]) -> None:
        """Wait until the base is loaded and the port is open; ``tell`` hears the states.

        Raises:
            EngineError: the engine said why it can't, or died.
        """
        while (said := self._said.get()) is not None:
            if "ready" in said:
                self._port = said.pop("ready")
                self.facts = said
                return
            if "error" in said:
                raise EngineError(said["error"]["key"], **said["error"]["params"])
            tell(said["state"])
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(_END_SECONDS)
        raise self._start_error()

    def death(self) -> EngineError | None:
        """Why the process is no more, if it died by itself."""
        if self.running or self._ended_here:
            return None
        return EngineError("engine.errors.died", reason=self._reason())

    def death_soon(self, patience: float = 1.0) -> EngineError | None:
        """``death`` after a connection broke: the end of a process is seen a moment later."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(patience)
        if self._ended_here:
            return EngineError("engine.errors.unloaded")
        return self.death()

    def memory(self) -> int:
        """Resident bytes; 0 when it is gone."""
        try:
            return int(psutil.Process(self.pid).memory_info().rss) if self.running else 0
        except psutil.Error:
            return 0

    def end(self) -> int:
        """Close the pipe, wait, kill as a last resort. The result is the bytes that it held."""
        held = self.memory()
        self._ended_here = True
        if self._process.stdin is not None:
            with contextlib.suppress(OSError):
                self._process.stdin.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        return held

    def _listen(self) -> None:
        output = self._process.stdout
        assert output is not None
        try:
            with output:
                for line in output:
                    self._said.put(orjson.loads(line))
        finally:
            self._said.put(None)

    def _start_error(self) -> EngineError:
        if self._ended_here:
            return EngineError("engine.errors.unloaded")
        if self._process.returncode in _KILLED:
            return EngineError("engine.errors.killed_loading")
        return EngineError("engine.errors.start_failed", reason=self._reason(), log=self._log.name)

    def _reason(self) -> str:
        """The last line of the log that says something, or else the exit status."""
        status = self._process.returncode
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
                lines = file.read().decode("utf-8", "replace").splitlines()
        except OSError:
            lines = []
        if status is not None and status < 0:
            return f"signal {-status}"
        spoken = [line.strip() for line in lines if re.search(r"\w", line)]
        return spoken[-1][:300] if spoken else f"exit status {status}"


def _environment() -> dict[str, str]:
    """The dashboard's environment, offline: a model's folder has all that it needs."""
    return {
        # Threads that spin while they wait for each other stall by milliseconds at every layer
        # when a training run shares the processors; sleeping ones cost microseconds.
        "OMP_WAIT_POLICY": "PASSIVE",
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONUTF8": "1",
        "PYTHONUNBUFFERED": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "false",
        "TRANSFORMERS_VERBOSITY": "error",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    }
