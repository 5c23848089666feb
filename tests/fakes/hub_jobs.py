"""Downloads from the local hub by real clients in real processes: asked for, watched, ended.

Used by the integration tests; ``Desk`` is what a person at the Download tab has before them.
"""

from __future__ import annotations

import hashlib
import os
import random
import signal
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import Any, cast

import psutil
import pytest

from backend.files import read_json
from backend.hub import jobs
from backend.hub.downloads import Downloads
from backend.hub.jobs import Job, JobState, Patience, find_job, process_of
from backend.hub.plan import Plan, target_of
from backend.hub.repository import HubName, Kind, Repository
from backend.hub.settings import HubSettings
from backend.processes import ProcessId
from backend.text import LANGUAGES, text
from backend.workspace import Workspace
from tests.fakes.hub import Hold, Hub, hub_running
from tests.fakes.hub_values import Repo

MODEL = "org/tiny-model"
DATASET = "org/tiny-data"
WEIGHTS = "model.safetensors"
CHINESE = "medical_o1_sft_Chinese.json"

SIZE = 8_000_000
MIDDLE = 5_000_000
UNWRITTEN = 70_000
"""Bytes of a file that a client may hold in memory before it writes them."""

BOTH_HUBS = pytest.mark.parametrize("desk", ["modelscope", "huggingface"], indirect=True)

HASTY = Patience(tries=2, first=0.01, longest=0.05)
"""Two tries in vain end a download, and no one waits long for the second."""

DEADLINE = 60.0
"""Seconds for what takes less than two on an idle machine."""


def noise(size: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(size)


MODEL_FILES: Mapping[str, bytes] = {
    ".gitattributes": b"*.safetensors filter=lfs\n",
    "README.md": "# 小模型\n".encode(),
    "config.json": b'{"model_type": "qwen2"}',
    "tokenizer.json": b'{"version": "1.0"}',
    WEIGHTS: noise(3_000_000),
    "pytorch_model.bin": noise(20_000, 2),
    "assets/deep/notes.txt": b"nested twice",
}
"""As a repository of a model looks: weights in two forms, and folders."""

DATA_FILES: Mapping[str, bytes] = {
    "README.md": b"---\nlicense: apache-2.0\n---\n",
    "medical_o1_sft.json": b'[{"Question": "Why?"}]' + b" " * 40_000,
    CHINESE: '[{"Question": "为什么？"}]'.encode() + b" " * 50_000,
    "test/held_out.jsonl": b'{"Question": "When?"}\n',
}


@dataclass(frozen=True)
class Desk:
    """One hub, one workspace, and its downloads.

    Attributes:
        name: What the local hub is taken for.
    """

    name: HubName
    hub: Hub
    workspace: Workspace
    settings: HubSettings
    downloads: Downloads

    def repository(self, id: str = MODEL, kind: Kind = "model", revision: str = "") -> Repository:
        return Repository(self.name, kind, id, revision)

    def plan(self, id: str = MODEL, kind: Kind = "model", revision: str = "") -> Plan:
        return self.downloads.plan(self.repository(id, kind, revision))

    def start(
        self,
        id: str = MODEL,
        kind: Kind = "model",
        *,
        paths: Collection[str] | None = None,
        allow_pickle: bool = False,
    ) -> Job:
        """Plan and start a download of these files; None for those advised."""
        plan = self.plan(id, kind)
        chosen = plan.advised if paths is None else paths
        return self.downloads.start(plan, chosen, allow_pickle=allow_pickle)

    def fetch(self, id: str = MODEL, kind: Kind = "model", **options: Any) -> Job:
        """Start a download and wait for its end."""
        return self.ended(self.start(id, kind, **options))

    def serve(self, content: bytes, *, id: str = MODEL, **options: Any) -> Repo:
        """A model of one file with weights and a configuration."""
        return self.hub.add(id=id, files={"config.json": b"{}", WEIGHTS: content}, **options)

    def now(self, job: Job) -> Job:
        return find_job(self.workspace, job.id)

    def until(self, job: Job, true: Callable[[Job], object]) -> Job:
        """The job as soon as something holds of it."""
        found: list[Job] = []

        def looked() -> object:
            found[:] = [self.now(job)]
            return true(found[0])

        wait_until(looked, lambda: f"{self.now(job)}\n{self.log(job)}")
        return found[0]

    def ended(self, job: Job) -> Job:
        return self.until(job, lambda one: not one.state.active)

    def done(self, job: Job) -> Job:
        """The job when it has ended well, and says so."""
        ended = self.ended(job)
        assert ended.state is JobState.DONE, (ended.problem, self.log(ended))
        assert ended.received == ended.total and all(file.state == "done" for file in ended.files)
        for card in self.cards(ended):
            assert 'data-state="done"' in card
        assert not ended.on_disk, "all of it was delivered"
        return ended

    def failed(self, job: Job, key: str) -> Job:
        """The job when it has failed of this, and says so in both languages."""
        ended = self.ended(job)
        assert ended.state is JobState.FAILED, (ended.state, self.log(ended))
        assert ended.problem is not None and ended.problem.key == key, ended.problem
        for language, card in zip(LANGUAGES, self.cards(ended), strict=True):
            sentence = ended.problem.sentence(language)
            assert sentence.strip() and escape(sentence) in card
            assert 'data-state="failed"' in card
        return ended

    def interrupted(self, job: Job) -> Job:
        ended = self.ended(job)
        assert ended.state is JobState.INTERRUPTED and ended.speed is None
        assert 'data-action="retry"' in self.cards(ended)[0]
        return ended

    def cards(self, job: Job) -> list[str]:
        """What the page shows of one download, in each language."""
        from ui.components.download_jobs import job_cards  # brings gradio, which takes seconds

        return [str(job_cards([job], language)) for language in LANGUAGES]

    def says(self, job: Job, key: str, **params: object) -> None:
        """The page says this of a download, in each language."""
        for language in LANGUAGES:
            self.says_in(language, job, key, **params)

    def says_in(self, language: str, job: Job, key: str, **params: object) -> None:
        card = self.cards(job)[LANGUAGES.index(language)]
        assert escape(text(language, key, **params)) in card, card

    def worker(self, job: Job) -> ProcessId:
        process = process_of(job.folder)
        assert process is not None
        return process

    def kill(self, job: Job) -> None:
        """``kill -9`` of the process that fetches."""
        worker = self.worker(job)
        os.kill(worker.pid, signal.SIGKILL)
        wait_until(lambda: not worker.is_alive())

    def log(self, job: Job) -> str:
        with suppress(FileNotFoundError):
            return (job.folder / jobs.LOG).read_text(encoding="utf-8")[-3000:]
        return ""

    def target(self, id: str = MODEL, kind: Kind = "model") -> Path:
        return target_of(self.workspace, self.repository(id, kind))

    def manifest(self, id: str = MODEL, kind: Kind = "model") -> dict[str, Any]:
        return cast(dict[str, Any], read_json(self.target(id, kind) / ".medtune.json"))

    def another(self, **patience: Any) -> Downloads:
        """The downloads as a second dashboard has them, or the next one."""
        return Downloads(self.workspace, self.settings, patience=replace(HASTY, **patience))


@contextmanager
def desk_running(folder: Path, name: HubName) -> Iterator[Desk]:
    """A desk whose workers are all gone at the end."""
    workspace = Workspace.open(folder / "workspace")
    settings = HubSettings(folder / "config" / "hubs.json")
    with hub_running() as hub:
        settings.change(name, endpoint=hub.url, token=None, keep=False)
        downloads = Downloads(workspace, settings, patience=HASTY)
        try:
            yield Desk(name, hub, workspace, settings, downloads)
        finally:
            for worker in workers(workspace):
                with suppress(psutil.NoSuchProcess):
                    worker.kill()
                    worker.wait(10)


def workers(workspace: Workspace) -> list[psutil.Process]:
    """All processes that download into a workspace, noted there or not."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess, psutil.AccessDenied):
            command = process.cmdline()
            if "backend.workers.download" in command and str(workspace.root) in command[-1]:
                found.append(process)
    return found


def wait_until(true: Callable[[], object], told: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + DEADLINE
    while not true():
        assert time.monotonic() < deadline, f"took too long {told()}"
        time.sleep(0.02)


def files_in(folder: Path) -> dict[str, bytes]:
    """All files of a folder by path, but for the manifest."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".medtune.json"
    }


def partials(job: Job) -> dict[str, int]:
    """Sizes of what a download has brought and not delivered; it may be at work."""
    found = {}
    folder = job.folder / jobs.FILES
    for place, _, names in os.walk(folder):
        for path in (Path(place) / name for name in names if name != ".medtune.json"):
            with suppress(FileNotFoundError):
                found[path.relative_to(folder).as_posix()] = path.stat().st_size
    return found


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def without_hash(repo: Repo, path: str) -> None:
    """Let the hub not tell the hash of one file."""
    files = cast(dict[str, Any], repo.files)
    files[path] = replace(files[path], hashed=False)


def held(desk: Desk, *, id: str = MODEL, at: int = MIDDLE, size: int = SIZE) -> tuple[Job, Hold]:
    """A download that has come to the middle of a file, and stands there."""
    desk.serve(noise(size), id=id)
    hold = desk.hub.hold(id, WEIGHTS, at=at)
    job = desk.start(id)
    return stands(desk, job, hold), hold


def stands(desk: Desk, job: Job, hold: Hold) -> Job:
    wait_until(hold.reached.is_set, lambda: desk.log(job))
    part = f"{WEIGHTS}.incomplete"
    return desk.until(job, lambda one: partials(one).get(part, 0) > hold.at - UNWRITTEN)


def go_on(desk: Desk, hold: Hold) -> None:
    """Let the hub send again, once it has seen that whoever it sent to is gone."""
    wait_until(lambda: all(request.finished for request in desk.hub.requests))
    hold.release()
