"""A run that seems to train, and the training tab in Chromium that shows it.

Knows nothing about what is measured.
"""

from __future__ import annotations

import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from backend.files import write_json
from backend.processes import ProcessId
from backend.training import layout
from backend.workspace import Workspace
from benchmarks.servers import FLAGS, Candidate
from benchmarks.training_logs import append, log, start
from tests.browser.chromium import find_chromium

PATIENCE_MS = 120_000
RUN = "watched"


@contextmanager
def a_living_run(workspace: Workspace, steps: int) -> Iterator[Path]:
    """A run's folder with logs of ``steps`` steps, and a process that stands for its trainer."""
    folder = workspace.runs / RUN
    start(folder, steps)
    write_json(
        folder / layout.RUN, {"id": RUN, "created": "2026-01-01T00:00:00+00:00", "values": {}}
    )
    trainer = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    try:
        write_json(folder / layout.PROCESS, asdict(ProcessId.of(trainer.pid) or ProcessId(0, "")))
        yield folder
    finally:
        trainer.kill()
        trainer.wait()


class Trainer:
    """Logs a step after the other, as a trainer does, until the block ends.

    Attributes:
        step: The last one logged.
    """

    def __init__(self, folder: Path, step: int, seconds: float) -> None:
        self.step = step
        self._folder = folder
        self._seconds = seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._work, daemon=True)

    def __enter__(self) -> Trainer:
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _work(self) -> None:
        while not self._ended.wait(self._seconds):
            append(self._folder / layout.LOG, f"{{'loss': {self.step}}}\n")
            log(self._folder, [self.step + 1])
            self.step += 1


def medtune(workspace: Workspace) -> Candidate:
    """The dashboard on a workspace."""
    return Candidate(
        "MedTune",
        lambda port: [
            *(sys.executable, "app.py", "--no-browser", "--port", str(port)),
            *("--workspace", workspace.root),
        ],
    )


@contextmanager
def chromium() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        yield browser
        browser.close()


def training_tab(browser: Browser, address: str) -> Page:
    """The tab in a browser of its own, without what another one remembers."""
    page = browser.new_context(viewport={"width": 1440, "height": 1000}).new_page()
    page.set_default_timeout(PATIENCE_MS)
    page.goto(address)
    page.get_by_role("tab", name=re.compile("^4 ")).click()
    return page


def await_step(page: Page, step: int) -> None:
    """Wait until the chart has drawn a step, or a later one."""
    page.wait_for_function(
        "step => Number(document.querySelector('.mt-chart')?.dataset.lastStep) >= step",
        arg=step,
        timeout=PATIENCE_MS,
    )
