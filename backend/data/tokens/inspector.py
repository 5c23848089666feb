"""The client of the inspector: starts its process when first asked, asks it, ends it.

Knows nothing about tokens. What an answer is made of is ``values``; how it travels, ``wire``.
"""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import orjson

from backend.data.meaning.lesson import Lesson
from backend.data.tokens.stamps import tokenizer_stamp
from backend.data.tokens.values import Encoding, Parity
from backend.data.tokens.wire import encoding_from_json, lesson_to_json, parity_from_json
from backend.errors import DataError
from backend.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent.parent.parent
TIMEOUT = 120.0
"""Seconds for one answer: a machine that trains at the same time takes long to load a tokenizer."""

KEPT_ANSWERS = 64
_END_SECONDS = 3.0
_TAIL = 8192

_Value = TypeVar("_Value")


def offline(**more: str) -> dict[str, str]:
    """The dashboard's environment for a worker that needs no network: all it needs is on disk."""
    return {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONUTF8": "1",
        "HF_HUB_OFFLINE": "1",
        "TRANSFORMERS_OFFLINE": "1",
        "HF_DATASETS_OFFLINE": "1",
        "TRANSFORMERS_VERBOSITY": "error",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        **more,
    }


class _Died(Exception):
    """The process is gone, with this exit status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class Inspector:
    """Shows lessons as LLaMA-Factory encodes them. Safe for several threads, which take turns."""

    def __init__(self, workspace: Workspace, *, timeout: float = TIMEOUT) -> None:
        self._log = workspace.cache / "inspector.log"
        self._timeout = timeout
        self._lock = threading.Lock()
        self._process: _Process | None = None
        self._answers: OrderedDict[tuple[object, ...], Any] = OrderedDict()
        self._asked = 0

    def encode(
        self, model: Path, template: str, lesson: Lesson, *, cutoff: int
    ) -> tuple[Encoding, ...]:
        """All tokens of a lesson, those included that the cutoff drops.

        Args:
            model: Folder with a tokenizer.
            template: One of LLaMA-Factory's chat templates.
            cutoff: Cutoff length in tokens, at least 1.

        Returns:
            One encoding; of a preference pair that of the chosen and of the rejected answer.

        Raises:
            DataError: the model has no tokenizer, there is no such template, or the inspector does
                not answer.
        """
        return self._kept(
            ("encode", template, lesson, cutoff),
            model,
            lambda value: tuple(encoding_from_json(one) for one in value),
            {"cutoff": cutoff},
        )

    def parity(self, model: Path, template: str, lesson: Lesson) -> Parity:
        """How training by ``template`` differs from what the tokenizer's own chat template makes.

        Raises:
            DataError: as ``encode``.
        """
        return self._kept(("parity", template, lesson), model, parity_from_json, {})

    def ping(self) -> Mapping[str, Any]:
        """``{"pid", "torch"}`` of the process, started if need be."""
        with self._turn():
            answer: Mapping[str, Any] = self._ask({"op": "ping"})
        return answer

    def close(self) -> None:
        """End the process. The next question starts another."""
        with self._lock:
            self._end()

    # --- Asking ---------------------------------------------------------------------------------

    def _kept(
        self,
        key: tuple[str, str, Lesson] | tuple[str, str, Lesson, int],
        model: Path,
        read: Callable[[Any], _Value],
        more: Mapping[str, Any],
    ) -> _Value:
        """An answer from memory, or else from the process."""
        op, template, lesson = key[:3]
        asked = {"op": op, "model": str(model), "template": template, **more}
        whole = (*key, str(model), tokenizer_stamp(model))
        with self._turn():
            if whole not in self._answers:
                self._answers[whole] = read(self._ask({**asked, "lesson": lesson_to_json(lesson)}))
            self._answers.move_to_end(whole)
            while len(self._answers) > KEPT_ANSWERS:
                self._answers.popitem(last=False)
            found: _Value = self._answers[whole]
        return found

    @contextmanager
    def _turn(self) -> Any:
        if not self._lock.acquire(timeout=self._timeout):
            raise DataError("data.errors.inspector_timeout", seconds=round(self._timeout))
        try:
            yield
        finally:
            self._lock.release()

    def _ask(self, asked: Mapping[str, Any]) -> Any:
        self._asked += 1
        request = {"id": self._asked, **asked}
        # It ends by itself when it was idle, perhaps at this very moment, or may have been killed
        # since the last question: another one answers.
        with suppress(_Died):
            return self._ask_once(request)
        try:
            return self._ask_once(request)
        except _Died as death:
            raise self._death(death.status) from None

    def _ask_once(self, request: Mapping[str, Any]) -> Any:
        if self._process is None or not self._process.running:
            self._end()
            self._process = _Process(self._log)
        try:
            answer = self._process.ask(request, self._timeout)
        except queue.Empty as error:
            self._end()
            seconds = round(self._timeout)
            raise DataError("data.errors.inspector_timeout", seconds=seconds) from error
        if "error" in answer:
            raise DataError(answer["error"]["key"], **answer["error"]["params"])
        return answer["result"]

    def _end(self) -> None:
        if self._process is not None:
            self._process.end()
        self._process = None

    def _death(self, status: int) -> DataError:
        self._end()
        try:
            with self._log.open("rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - _TAIL))
                lines = file.read().decode("utf-8", "replace").strip().splitlines()
        except OSError:
            lines = []
        reason = lines[-1][:300] if lines and status > 0 else f"exit status {status}"
        return DataError("data.errors.inspector_died", reason=reason)


class _Process:
    """One running inspector."""

    def __init__(self, log: Path) -> None:
        try:
            log.parent.mkdir(parents=True, exist_ok=True)
            with log.open("wb") as errors:
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "backend.workers.inspect"],
                    cwd=ROOT,
                    env=offline(TOKENIZERS_PARALLELISM="false"),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=errors,
                    start_new_session=True,
                )
        except OSError as error:
            reason = error.strerror or str(error)
            raise DataError("data.errors.inspector_died", reason=reason) from error
        self._said: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()
        assert self._process.stdout is not None
        self._listener = threading.Thread(
            target=self._listen, args=(self._process.stdout,), daemon=True, name="inspector"
        )
        self._listener.start()

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def ask(self, request: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        """The answer to a request.

        Raises:
            _Died: the process ended before it answered.
            queue.Empty: there was none in ``timeout`` seconds.
        """
        pipe = self._process.stdin
        assert pipe is not None
        with suppress(BrokenPipeError):  # Its death is heard as the end of what it says.
            pipe.write(orjson.dumps(request) + b"\n")
            pipe.flush()
        while (answer := self._said.get(timeout=timeout)) is not None:
            if answer["id"] == request["id"]:
                return answer
        raise _Died(self._process.wait())

    def end(self) -> None:
        """Close the pipe, wait, kill as a last resort."""
        assert self._process.stdin is not None
        with suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._listener.join()

    def _listen(self, output: BinaryIO) -> None:
        with output:
            for line in output:
                self._said.put(orjson.loads(line))
        self._said.put(None)
