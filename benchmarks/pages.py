"""What the measurements of the page share: the two pages that are compared, and how one is visited.

Knows nothing about what is measured.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from playwright.sync_api import Browser, Page

from backend.workspace import Workspace
from benchmarks.servers import Candidate, running
from benchmarks.watched_run import chromium, medtune

PATIENCE_MS = 120_000

MINIMAL = Candidate(
    "minimal Gradio app",
    lambda port: [sys.executable, "-m", "benchmarks.minimal_app", str(port)],
    lambda port: {"GRADIO_ANALYTICS_ENABLED": "False"},
)

PAINTED = """
// Calls back when what has been drawn by now is on the screen, with the time of it.
const painted = (done) => requestAnimationFrame(() => {
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = () => done(performance.now());
  port2.postMessage(null);
});
"""


@dataclass(frozen=True)
class Pages:
    """A browser, and the addresses of the dashboard and of a minimal Gradio page.

    Attributes:
        pid: Of the dashboard's web process.
    """

    browser: Browser
    ours: str
    minimal: str
    pid: int


@contextmanager
def side_by_side(workspace: Workspace) -> Iterator[Pages]:
    """The dashboard on a workspace, and a minimal page to compare it with."""
    with (
        running(medtune(workspace)) as (process, ours),
        running(MINIMAL) as (_, minimal),
        chromium() as browser,
    ):
        yield Pages(browser, ours, minimal, process.pid)


@contextmanager
def new_page(browser: Browser, script: str = "") -> Iterator[Page]:
    """A page of a browser that was never here, with ``script`` before any of the page's own."""
    context = browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US")
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    if script:
        page.add_init_script(f"{{{PAINTED}\n{script}}}")
    try:
        yield page
    finally:
        context.close()


def percentile(values: Sequence[float], percent: float) -> float:
    """The least of the values that ``percent`` of all do not exceed (nearest rank)."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(percent / 100 * len(ranked)) - 1)]
