"""What LLaMA-Factory's own parser says of a configuration, before a run is made of it.

Its imports take some ten seconds, so it is asked in a process of its own and in the background, and
what it said is kept for each content of the file. A run that nobody asked about starts all the
same: the trainer parses first of all.
"""

from __future__ import annotations

import hashlib
import subprocess
import sys
import sysconfig
import threading
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

import orjson

from backend.errors import HyperparameterError
from backend.files import read_json, write_json
from backend.training import layout
from backend.training.devices import gpus, numbers, processes_of
from backend.training.environment import ROOT, environment
from backend.training.sharding import deepspeed_settings
from backend.workspace import Workspace

WORKER = (sys.executable, "-m", "backend.workers.accept")
KEPT = 200
"""So many answers are kept; the oldest go first."""

LONGEST = 300.0
"""Seconds for an answer: on a busy machine the imports alone take a minute."""

_LOOK_SECONDS = 0.3


@dataclass(frozen=True)
class Verdict:
    """What LLaMA-Factory said.

    Attributes:
        reason: Why it refuses, in its own words; empty where it accepts.
    """

    accepted: bool
    reason: str = ""


@dataclass(frozen=True)
class Asking:
    """It has not said anything yet; asked so many seconds ago."""

    seconds: float


@dataclass(frozen=True)
class Question:
    """A configuration to ask about, as the parser gets it.

    Attributes:
        config: LLaMA-Factory's arguments, without what is of one run only.
        together: The training will have several processes, or a launcher's single one.
        key: Changes with all that the answer depends on.
    """

    config: Mapping[str, Any]
    together: bool
    key: str


def question(
    workspace: Workspace, config: Mapping[str, Any], values: Mapping[str, Any]
) -> Question:
    """What to ask about the configuration that ``build_config`` made of these values."""
    asked = {**config, "output_dir": str(workspace.runs / ".none")}
    if "deepspeed" in asked:  # the file itself is made with the run
        asked["deepspeed"] = deepspeed_settings(values["deepspeed"])
    processes = processes_of(values, numbers(values["devices"]))
    together = processes > 1 or any(name in asked for name in ("deepspeed", "fsdp"))
    versions = [_version(name) for name in ("llamafactory", "transformers", "torch")]
    there = [(gpu.name, gpu.capability) for gpu in gpus()]
    # A package that was missing may have been installed since.
    installed = Path(sysconfig.get_path("purelib")).stat().st_mtime_ns
    depends = orjson.dumps(
        [asked, together, versions, installed, there], option=orjson.OPT_SORT_KEYS
    )
    return Question(asked, together, hashlib.sha256(depends).hexdigest())


def known(workspace: Workspace, asked: Question) -> Verdict | None:
    """What was said of it; None if it was never asked about."""
    match read_json(_file(workspace, asked)):
        case {"accepted": bool(accepted), "reason": str(reason)}:
            return Verdict(accepted, reason)
        case _:
            return None


def check_known(workspace: Workspace, asked: Question) -> None:
    """Refuse what LLaMA-Factory is known to refuse.

    Raises:
        HyperparameterError: with its reason.
    """
    verdict = known(workspace, asked)
    if verdict is not None and not verdict.accepted:
        raise HyperparameterError("training.errors.not_accepted", reason=verdict.reason)


class Acceptance:
    """Asks LLaMA-Factory, one question at a time; a newer one takes the place of an older."""

    def __init__(self, workspace: Workspace, *, command: tuple[str, ...] = WORKER) -> None:
        self._workspace = workspace
        self._command = command
        self._lock = threading.Lock()
        self._asking: _Answering | None = None

    def ask(self, asked: Question) -> None:
        """Have LLaMA-Factory asked, unless its answer is known or on its way.

        Raises:
            HyperparameterError: the process can't be started.
        """
        with self._lock:
            if known(self._workspace, asked) or self._is_asked(asked):
                return
            self._stop()
            self._asking = _Answering(self._workspace, asked, self._command)

    def state(self, asked: Question) -> Verdict | Asking | None:
        """The answer, how long it has been asked for, or None where it is not asked for.

        Raises:
            HyperparameterError: it ended without an answer.
        """
        if verdict := known(self._workspace, asked):
            return verdict
        with self._lock:
            answering = self._asking
            if answering is None or answering.asked.key != asked.key:
                return None
        return answering.state()

    def watch(self, asked: Question) -> Iterator[Verdict | Asking]:
        """Ask, and follow until there is an answer, or another question has taken the place.

        Raises:
            HyperparameterError: as ``ask`` and ``state``.
        """
        self.ask(asked)
        while (state := self.state(asked)) is not None:
            yield state
            if isinstance(state, Verdict):
                return
            time.sleep(_LOOK_SECONDS)

    def stop(self) -> None:
        """End the asking. A run that starts needs the machine, and its trainer parses anyway."""
        with self._lock:
            self._stop()

    def _is_asked(self, asked: Question) -> bool:
        return (
            self._asking is not None
            and self._asking.asked.key == asked.key
            and self._asking.running
        )

    def _stop(self) -> None:
        if self._asking is not None:
            self._asking.end()
        self._asking = None


class _Answering:
    """One process that answers one question."""

    def __init__(self, workspace: Workspace, asked: Question, command: tuple[str, ...]) -> None:
        self.asked = asked
        self._workspace = workspace
        self._since = time.monotonic()
        self._log = workspace.cache / "accepting.log"
        self._failure: HyperparameterError | None = None
        try:
            self._log.parent.mkdir(parents=True, exist_ok=True)
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    [*command, "together"] if asked.together else list(command),
                    cwd=ROOT,
                    env=environment(workspace),
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=log,
                    start_new_session=True,
                )
        except OSError as error:
            reason = error.strerror or str(error)
            raise HyperparameterError("training.errors.not_asked", reason=reason) from error
        self._listener = threading.Thread(target=self._listen, name="acceptance", daemon=True)
        self._listener.start()

    @property
    def running(self) -> bool:
        return self._listener.is_alive()

    def state(self) -> Verdict | Asking | None:
        if self.running:
            return Asking(time.monotonic() - self._since)
        if self._failure is not None:
            raise self._failure
        return known(self._workspace, self.asked)

    def end(self) -> None:
        self._process.kill()
        self._listener.join()

    def _listen(self) -> None:
        try:
            said, _ = self._process.communicate(orjson.dumps(self.asked.config), timeout=LONGEST)
        except subprocess.TimeoutExpired:
            self._process.kill()
            said, _ = self._process.communicate()
        match _last_object(said):
            case {"accepted": bool(accepted), "reason": str(reason)}:
                _keep(self._workspace, self.asked, Verdict(accepted, reason))
            case _:
                reason = _last_line(self._log) or f"exit status {self._process.returncode}"
                self._failure = HyperparameterError("training.errors.not_asked", reason=reason)


def _keep(workspace: Workspace, asked: Question, verdict: Verdict) -> None:
    file = _file(workspace, asked)
    write_json(file, {"accepted": verdict.accepted, "reason": verdict.reason}, durable=False)
    kept = sorted(file.parent.glob("*.json"), key=lambda one: one.stat().st_mtime)
    for old in kept[:-KEPT]:
        old.unlink(missing_ok=True)


def _file(workspace: Workspace, asked: Question) -> Path:
    return workspace.cache / layout.ACCEPTED / f"{asked.key}.json"


def _last_object(said: bytes) -> Any:
    lines = said.splitlines()
    try:
        return orjson.loads(lines[-1]) if lines else None
    except orjson.JSONDecodeError:
        return None


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return ""
    return lines[-1][:300] if lines else ""


@cache
def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""
