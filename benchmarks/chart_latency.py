"""How soon a step that the trainer has logged is a point in the browser.

The real page shows a run with 100,000 logged steps. From the moment at which the line has been
written to ``trainer_log.jsonl`` to the moment at which Plotly has drawn it, in the same Chromium
that a person would use; both clocks are the machine's.
"""

from __future__ import annotations

import random
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from backend.files import write_json
from backend.processes import ProcessId
from backend.training import layout
from backend.workspace import Workspace
from benchmarks.common import Result, at_most, shown_beside, table
from benchmarks.servers import FLAGS, Candidate, running
from benchmarks.training_logs import log, start
from tests.browser.chromium import find_chromium

STEPS = 100_000
POINTS = 60
MOST_SECONDS = 1.0
PATIENCE_MS = 120_000
RUN = "long"

# Notes when Plotly has drawn each step: its event comes after the drawing.
WATCH = """() => {
  const plot = document.querySelector(".mt-chart-plot");
  const chart = document.querySelector(".mt-chart");
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
        with a_living_run(workspace) as folder, the_page(workspace) as page:
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


@contextmanager
def a_living_run(workspace: Workspace) -> Iterator[Path]:
    """A run's folder with its logs, and a process that stands for its trainer."""
    folder = workspace.runs / RUN
    start(folder, STEPS)
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


@contextmanager
def the_page(workspace: Workspace) -> Iterator[Page]:
    """MedTune's training tab in Chromium, with the run drawn."""
    server = Candidate(
        "MedTune",
        lambda port: [
            *(sys.executable, "app.py", "--no-browser", "--port", str(port)),
            *("--workspace", workspace.root),
        ],
    )
    with running(server) as (_, address), sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        page = chromium.new_page(viewport={"width": 1440, "height": 1000})
        page.goto(address)
        page.get_by_role("tab", name=re.compile("^4 ")).click()
        page.wait_for_function(
            "steps => document.querySelector('.mt-chart')?.dataset.lastStep === steps",
            arg=str(STEPS),
            timeout=PATIENCE_MS,
        )
        yield page
        chromium.close()


if __name__ == "__main__":
    print(table(measure()))
