"""What watching costs: the dashboard's processor time while a run trains and three browsers look.

Processor time of the web process alone, as the system counts it, so that a busy machine changes it
little. The run logs two steps a second, as the demo model does on two cores; a larger model logs
less often.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import psutil
from playwright.sync_api import Page

from backend.workspace import Workspace
from benchmarks.common import Result, at_most, shown_beside, table
from benchmarks.servers import running
from benchmarks.watched_run import (
    Trainer,
    a_living_run,
    await_step,
    chromium,
    medtune,
    training_tab,
)

BROWSERS = 3
STEPS = 1_000
STEP_SECONDS = 0.5
SECONDS = 60.0
SETTLE_SECONDS = 10.0
MOST_PERCENT = 3.0
UNIT = "% of a core"


def measure() -> list[Result]:
    """The promise; beside it the web process alone, and how much the browsers ask."""
    with tempfile.TemporaryDirectory() as root:
        workspace = Workspace.open(Path(root) / "workspace")
        with a_living_run(workspace, STEPS) as folder, running(medtune(workspace)) as server:
            process, address = server
            web = psutil.Process(process.pid)
            with Trainer(folder, STEPS, STEP_SECONDS) as trainer:
                time.sleep(SETTLE_SECONDS)
                alone = percent(web)
                with chromium() as browser:
                    pages = [training_tab(browser, address) for _ in range(BROWSERS)]
                    asked: list[str] = []
                    for page in pages:
                        await_step(page, trainer.step)
                    pages[0].wait_for_timeout(1000 * SETTLE_SECONDS)
                    for page in pages:
                        page.on("requestfinished", lambda request: asked.append(request.url))
                    watched = percent(web, pages[0])
                    rate = len(asked) / SECONDS / BROWSERS
                    for page in pages:  # all of them have kept up
                        await_step(page, trainer.step)
    return [
        at_most("web process, a run trains, three browsers watch", watched, UNIT, MOST_PERCENT),
        shown_beside("the same, nobody watches", alone, UNIT),
        # Far fewer than three would say that the browsers themselves were short of a processor.
        shown_beside("questions of each of these browsers", rate, "/ s"),
    ]


def percent(process: psutil.Process, page: Page | None = None) -> float:
    """Share of one core over ``SECONDS``, in which Playwright hears what the page says."""
    begun, spent = time.perf_counter(), _spent(process)
    if page is None:
        time.sleep(SECONDS)
    else:
        page.wait_for_timeout(1000 * SECONDS)
    return 100 * (_spent(process) - spent) / (time.perf_counter() - begun)


def _spent(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    print(table(measure()))
