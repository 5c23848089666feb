"""What an update of the Chat tab costs while four columns stream, at 4,000 tokens against at 400.

The real page in Chromium; the answers come from a scripted server, so that their pace is known: a
burst up to the length, then a steady stream in which updates are measured. An answer is reasoning,
then Markdown with paragraphs, lists, code and formulas.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

from playwright.sync_api import Page, Request, sync_playwright

from backend.chat.remotes import Remotes, default_file
from backend.chat.sources import remote
from backend.workspace import Workspace
from benchmarks.common import Result, at_most_times, shown_beside, table
from benchmarks.servers import FLAGS, Candidate, running
from tests.browser.chromium import find_chromium
from tests.fakes.openai_server import DONE, Scripted, Talk, chunk, serving, status, streams

COLUMNS = ("one", "two", "three", "four")
SHORT, LONG = 400, 4000
"""Tokens of each answer when its updates are measured."""
SECONDS = 8.0
PACE = 25.0
"""Tokens a second and column while it is measured, as a small model on a laptop has it."""
MOST_RATIO = 1.3
"""A cost that grew with the length would be ten times as high; the rest is a busy machine."""
PATIENCE_MS = 120_000

WATCH = """() => {
  window.drawn = [];
  const board = document.querySelector(".mt-board");
  board.addEventListener("medtune-drawn", (event) => window.drawn.push(event.detail));
}"""


def measure() -> list[Result]:
    """Bytes and main-thread time per update, long against short."""
    with tempfile.TemporaryDirectory() as root, patch.dict(os.environ, XDG_CONFIG_HOME=root):
        workspace = Workspace.open(Path(root) / "workspace")
        paces = {name: Pace() for name in COLUMNS}
        scripts = {name: [status(200), pace.stream] for name, pace in paces.items()}
        with serving(**scripts) as server:
            offer(server)
            with the_page(workspace, server) as page:
                short, long = measured(page, list(paces.values()))
    return [
        at_most_times(
            "bytes of an update, four columns at 4,000 tokens against at 400",
            long.bytes, "B", short.bytes, MOST_RATIO,
        ),
        at_most_times(
            "time to draw an update, the same",
            1000 * long.seconds, "ms", 1000 * short.seconds, MOST_RATIO,
        ),
        shown_beside("updates a second at 4,000 tokens", long.updates / SECONDS, "/s"),
    ]  # fmt: skip


class Pace:
    """A model that writes at once up to ``wanted`` tokens, and then steadily until it is over."""

    def __init__(self) -> None:
        self.wanted = SHORT
        self.written = 0
        self.over = threading.Event()

    def stream(self, talk: Talk) -> None:
        for number, word in enumerate(words()):
            if self.over.is_set():
                break
            streams(chunk(word))(talk)
            self.written = number + 1
            if self.written > self.wanted:
                time.sleep(1 / PACE)
        streams(chunk(finish="stop"), DONE)(talk)


def words() -> Iterator[str]:
    """An answer without an end, a token at a time."""
    yield "<think>\n"
    for number in range(160):
        yield "hm, ferritin " if number % 30 else "so.\n"
    yield "</think>\n\n"
    while True:
        for number in range(45):
            yield f"word{number} "
        yield "\n\n"
        yield "- one **bold**\n- two $a_1$\n\n"


class Cost:
    """What the updates of a while have cost; medians, which a busy machine moves least.

    Attributes:
        bytes: Of one update's answer.
        seconds: Of the page's main thread, from an answer to the layout of what it brought.
    """

    def __init__(self, sizes: list[int], milliseconds: list[float]) -> None:
        self.updates = len(sizes)
        self.bytes = statistics.median(sizes)
        self.seconds = statistics.median(milliseconds) / 1000


def measured(page: Page, paces: list[Pace]) -> tuple[Cost, Cost]:
    """The costs at both lengths, in one answer of each column."""
    sizes: list[int] = []

    def note(request: Request) -> None:
        if '"fn_name":"news"' in (request.post_data or "").replace(" ", ""):
            sizes.append(request.sizes()["responseBodySize"])

    page.on("requestfinished", note)
    page.evaluate(WATCH)
    page.locator("#chat-question textarea").fill("What lowers a fever?")
    page.locator("#chat-send").click()
    costs = []
    for length in (SHORT, LONG):
        for pace in paces:
            pace.wanted = length
        while any(pace.written <= length for pace in paces):
            page.wait_for_timeout(100)
        page.wait_for_timeout(2000)
        sizes.clear()
        page.evaluate("() => { window.drawn = []; }")
        page.wait_for_timeout(1000 * SECONDS)
        costs.append(Cost(list(sizes), page.evaluate("window.drawn")))
    for pace in paces:
        pace.over.set()
    return costs[0], costs[1]


def offer(server: Scripted) -> None:
    """Note the server's models where the dashboard finds them."""
    remotes = Remotes(default_file())
    for name in COLUMNS:
        remotes.add(server.url, name, key=None, keep=False, agreed=False)


@contextmanager
def the_page(workspace: Workspace, server: Scripted) -> Iterator[Page]:
    """MedTune's Chat tab in Chromium, with a column for each of the server's models."""
    columns = [vars(remote(server.url, name).saved()) for name in COLUMNS]
    kept = {"version": 2, "created": "2026-01-01T00:00:00+00:00", "columns": columns}
    (workspace.chats / "measured.json").write_text(json.dumps(kept), encoding="utf-8")
    candidate = Candidate(
        "MedTune",
        lambda port: [
            *(sys.executable, "app.py", "--no-browser", "--port", str(port)),
            *("--workspace", workspace.root),
        ],
    )
    with running(candidate) as (_, address), sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        page = chromium.new_page(viewport={"width": 1440, "height": 1000})
        page.goto(address)
        page.get_by_role("tab", name=re.compile("^5 ")).click()
        page.locator(f"#column-{len(COLUMNS)}-head").wait_for(timeout=PATIENCE_MS)
        yield page
        chromium.close()


if __name__ == "__main__":
    print(table(measure()))
