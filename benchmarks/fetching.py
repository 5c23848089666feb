"""A local hub, and the ways to fetch its big file: through MedTune, and by a hub's own client.

Knows nothing about what is measured.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
import psutil

from backend.hub import jobs
from backend.hub.downloads import Downloads
from backend.hub.jobs import JobState
from backend.hub.repository import HubName, Repository
from backend.hub.settings import HubSettings
from backend.processes import ProcessId
from backend.workspace import Workspace
from benchmarks.common import ROOT

LONGEST_SECONDS = 300
NAMES: dict[HubName, str] = {"modelscope": "ModelScope", "huggingface": "Hugging Face"}


@dataclass(frozen=True)
class LocalHub:
    """A hub in a process of its own, with one model that has one big file."""

    url: str
    model: str
    file: str

    def requests(self) -> list[dict[str, Any]]:
        """All that it was asked, oldest first."""
        answer = httpx.get(f"{self.url}/requests", timeout=60, trust_env=False)
        found: list[dict[str, Any]] = answer.raise_for_status().json()
        return found

    def asked_since(self, seen: int) -> list[dict[str, Any]]:
        """The requests for the big file's bytes after so many requests of all kinds."""
        later = self.requests()[seen:]
        return [one for one in later if (one["file"], one["method"]) == (self.file, "GET")]

    def sent_since(self, seen: int) -> int:
        return sum(one["sent"] for one in self.asked_since(seen))


@contextmanager
def local_hub(size: int) -> Iterator[LocalHub]:
    """A hub until the block ends; its file has ``size`` bytes."""
    command = [sys.executable, "-m", "tests.fakes.hub", "--big-bytes", str(size)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url, model, file, *_ = process.stdout.readline().split()
            yield LocalHub(url, model, file)
        finally:
            process.terminate()


class Fetching(Protocol):
    """A way to fetch the hub's model with its big file."""

    def start(self) -> ProcessId:
        """Begin, or go on with what a killed process left; one process at a time."""
        ...

    def check(self) -> None:
        """Raises RuntimeError: the file did not arrive."""
        ...

    def clean(self) -> None:
        """Remove what came."""
        ...


class Ours:
    """Through MedTune: its jobs, its process."""

    def __init__(self, name: HubName, hub: LocalHub, folder: Path) -> None:
        self._workspace = Workspace.open(folder)
        settings = HubSettings(folder / "hubs.json")
        settings.change(name, endpoint=hub.url, token=None, keep=False)
        self._downloads = Downloads(self._workspace, settings)
        self._plan = self._downloads.plan(Repository(name, "model", hub.model))

    def start(self) -> ProcessId:
        earlier = self._downloads.jobs()
        if earlier:
            job = self._downloads.resume(earlier[0].id)
        else:
            job = self._downloads.start(self._plan, self._plan.advised)
        process = jobs.process_of(job.folder)
        assert process is not None
        return process

    def check(self) -> None:
        job = self._downloads.jobs()[0]
        if job.state is not JobState.DONE:
            said = (job.folder / jobs.LOG).read_text(encoding="utf-8")[-4000:]
            raise RuntimeError(f"the download {job.state}: {job.problem}\n{said}")

    def clean(self) -> None:
        for folder in (self._workspace.models, self._workspace.downloads):
            shutil.rmtree(folder)
            folder.mkdir()


class Bare:
    """Through the hub's own client in a process of its own."""

    def __init__(self, name: HubName, hub: LocalHub, folder: Path) -> None:
        self._target = folder / "model"
        self._log = folder / "log"
        self._command = (sys.executable, "-m", "benchmarks.bare_download", name, hub.url, hub.model)
        # Away from the person's home, so that what a client finds there plays no part.
        homes = ("MODELSCOPE_CACHE", "MODELSCOPE_HOME", "HF_HOME")
        self._variables = {home: str(folder / home.lower()) for home in homes}
        self._process: subprocess.Popen[bytes] | None = None
        folder.mkdir(parents=True)

    def start(self) -> ProcessId:
        if self._process is not None:
            self._process.wait()
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [*self._command, str(self._target)],
                cwd=ROOT,
                env={**os.environ, **self._variables},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return ProcessId.of(self._process.pid) or ProcessId(self._process.pid, "")

    def check(self) -> None:
        if self._process is None or self._process.wait() != 0:
            said = self._log.read_text(encoding="utf-8", errors="replace")[-4000:]
            raise RuntimeError(f"the bare client failed:\n{said}")

    def clean(self) -> None:
        shutil.rmtree(self._target, ignore_errors=True)


@dataclass(frozen=True)
class Pair:
    """MedTune and a hub's own client; ``same_checks`` if both compare the file's hash."""

    name: str
    ours: Fetching
    bare: Fetching
    same_checks: bool

    @classmethod
    def of(cls, name: HubName, hub: LocalHub, folder: Path) -> Pair:
        ours, bare = Ours(name, hub, folder / "ours"), Bare(name, hub, folder / "bare")
        return cls(NAMES[name], ours, bare, same_checks=name == "modelscope")


@contextmanager
def running(client: Fetching) -> Iterator[ProcessId]:
    """The client's process; killed where it outlives the block."""
    process = client.start()
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            if process.is_alive():
                os.kill(process.pid, signal.SIGKILL)
        until(lambda: not process.is_alive())


def note_peaks(pid: int, peaks: dict[int, int]) -> bool:
    """Note the peaks of a process and its children so far; False once it has ended."""
    with suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for one in [parent, *parent.children(recursive=True)]:
            peaks[one.pid] = max(peaks.get(one.pid, 0), peak_bytes(one))
        return parent.status() != psutil.STATUS_ZOMBIE
    return False


def peak_bytes(process: psutil.Process) -> int:
    """The most memory that was resident, or what is now where the system does not tell."""
    with suppress(OSError):
        for line in Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    return process.memory_info().rss


def until(true: Callable[[], bool]) -> None:
    """Raises RuntimeError: it did not come true in five minutes."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError(f"a download took more than {LONGEST_SECONDS} s")
        time.sleep(0.01)
