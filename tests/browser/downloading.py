"""The Download tab as a person uses it, against a local hub."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock
from playwright.sync_api import Locator, expect

from backend.hub import jobs
from backend.processes import end_group
from backend.workspace import Workspace
from tests.browser.person import PATIENCE, Person
from tests.fakes.hub import Hub
from tests.fakes.server import Server, serving

STALLED_SECONDS = 3
"""After which both clients take a socket without a byte for dead, in these tests."""

PRESS_MILLISECONDS = 150
"""Between two presses of a person in a hurry; Gradio has long sent the first one by then."""


@contextmanager
def dashboard(hub: Hub, folder: Path, *, kill: bool = False) -> Iterator[Server]:
    """MedTune with both hubs at a local address; downloads end with it."""
    settings = folder / "config" / "medtune" / "hubs.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    endpoints = {"modelscope": hub.url, "huggingface": hub.url}
    settings.write_text(json.dumps({"endpoints": endpoints, "tokens": {}}))
    environment = {
        "XDG_CONFIG_HOME": str(folder / "config"),
        "MODELSCOPE_DOWNLOAD_TIMEOUT": str(STALLED_SECONDS),
        "HF_HUB_DOWNLOAD_TIMEOUT": str(STALLED_SECONDS),
    }
    workspace = folder / "workspace"
    arguments = ["app.py", "--no-browser", "--port", "0", "--workspace", workspace]
    with serving(arguments, env=environment, kill=kill) as server:
        yield server


def end_downloads(workspace: Workspace) -> None:
    """End every process that works at a download."""
    for job in jobs.list_jobs(workspace):
        if process := jobs.process_of(job.folder):
            end_group(process)


@dataclass(frozen=True)
class Downloader:
    """A person in the Download tab."""

    person: Person

    def asks_for(self, address: str, *, kind: str = "Model", hub: str = "ModelScope") -> None:
        self.person.marks("hub-name", hub)
        self.person.marks("hub-kind", kind)
        self.person.types("hub-address", address)
        self.person.presses("hub-show")

    def sees_files(self, *names: str) -> None:
        for name in names:
            expect(self.person.sees("hub-files")).to_contain_text(name, timeout=PATIENCE)

    def ticks(self, name: str, *, on: bool = True) -> None:
        box = self.person.sees("hub-files").get_by_label(re.compile(re.escape(name)))
        box.set_checked(on)

    def starts(self) -> None:
        self.person.presses("hub-start")

    def fetches(self, address: str, **more: str) -> None:
        """Ask for a repository, take what is advised, and start."""
        self.asks_for(address, **more)
        expect(self.person.sees("hub-plan")).to_contain_text(address, timeout=PATIENCE)
        self.starts()
        expect(self.job(address)).to_be_visible(timeout=PATIENCE)

    def job(self, name: str) -> Locator:
        title = self.person.page.locator("strong", has_text=re.compile(f"^{re.escape(name)}$"))
        return self.person.sees("downloads").locator("article").filter(has=title)

    def does(self, action: str, name: str) -> None:
        self.job(name).locator(f"button[data-action={action}]").click()

    def does_fast(self, action: str, names: Iterable[str], workspace: Workspace) -> None:
        """Press the same button of several cards before the first press is answered."""
        with FileLock(workspace.downloads / ".lock"):
            for name in names:
                self.does(action, name)
                self.person.page.wait_for_timeout(PRESS_MILLISECONDS)

    def sees(self, name: str, state: str, *, timeout: int = PATIENCE) -> None:
        expect(self.job(name)).to_have_attribute("data-state", state, timeout=timeout)
