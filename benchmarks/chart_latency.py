"""How soon a step that the trainer has logged is a point in the browser.

The real page shows a run with 100,000 logged steps. From the moment at which the line has been
written to ``trainer_log.jsonl`` to the moment at which Plotly has drawn it, in the same Chromium
that a person would use; both clocks are the machine's.
"""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page

from backend.workspace import Workspace
from benchmarks.common import Result, at_most, shown_beside, table
from benchmarks.servers import running
from benchmarks.training_logs import log
from benchmarks.watched_run import (
    PATIENCE_MS,
    a_living_run,
    await_step,
    chromium,
    medtune,
    training_tab,
)

STEPS = 100_000
POINTS = 60
MOST_SECONDS = 1.0

# Notes when Plotly has drawn each step: its event comes after the drawing.
WATCH = """() => {
  const plot = document.querySelector(".mt-chart-plot");
  window.drawnAt = {};
  plot.on("plotly_afterplot", () => {
    const loss = plot.data[0].x;
    window.drawnAt[loss[loss.length - 1]] ??= Date.now() / 1000;
  });
}"""


def measure() -> list[Result]:
    """The promise, and the median beside it."""
    with tempfile.TemporaryDirectory() as root:
        workspace = Workspace.open(Path(root) / "workspace")
        with (
            a_living_run(workspace, STEPS) as folder,
            running(medtune(workspace)) as (_, address),
            chromium() as browser,
        ):
            page = training_tab(browser, address)
            await_step(page, STEPS)
            seconds = sorted(latencies(page, folder))
    worst = seconds[int(0.95 * len(seconds))]
    return [
        at_most("a logged step to its point, 95th percentile", worst, "s", MOST_SECONDS),
        shown_beside("the same, median", seconds[len(seconds) // 2], "s"),
    ]


def latencies(page: Page, folder: Path) -> list[float]:
    """Seconds from each line's writing to its drawing, the lines at moments of no pattern."""
    page.evaluate(WATCH)
    written: dict[int, float] = {}
    moments = random.Random(5)
    for step in range(STEPS + 1, STEPS + 1 + POINTS):
        log(folder, [step])
        written[step] = time.time()
        page.wait_for_timeout(1000 * moments.uniform(0.6, 1.6))
    page.wait_for_function("step => window.drawnAt[step]", arg=STEPS + POINTS, timeout=PATIENCE_MS)
    drawn = {int(step): at for step, at in page.evaluate("window.drawnAt").items()}
    # A step that was drawn together with a later one appeared when that one did.
    first = {step: min(at for later, at in drawn.items() if later >= step) for step in written}
    return [first[step] - at for step, at in written.items()]


if __name__ == "__main__":
    print(table(measure()))
