"""What one refresh of the chart costs, with 100,000 steps logged and with 1,000.

A refresh is what the server does at a page's question while a run trains: one step has been logged
since the last. Beside it what LlamaBoard does every two seconds: it reads the whole log and draws
it. That is LLaMA-Factory's own code, run in a process of its own, with the page left out.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

from backend.training.chart import Seen, View, news
from backend.training.curves import read_curves
from benchmarks.common import Result, at_most_times, shown_beside, table
from benchmarks.training_logs import log, start

SHORT, LONG = 1_000, 100_000
REFRESHES = 300
MOST_TIMES = 2.0
VIEW = View(smoothing=0.9)

LLAMABOARD = """
import json, sys, time
import matplotlib; matplotlib.use("agg")
from llamafactory.extras.ploting import gen_loss_plot
times = []
for _ in range(5):
    begun = time.perf_counter()
    # llamafactory.webui.control.get_trainer_info
    with open(sys.argv[1], encoding="utf-8") as file:
        trainer_log = [json.loads(line) for line in file]
    gen_loss_plot(trainer_log)
    times.append(time.perf_counter() - begun)
print(json.dumps(sorted(times)[2]))
"""


def measure() -> list[Result]:
    """The promise, what an unchanged run costs, and LlamaBoard beside them."""
    with tempfile.TemporaryDirectory() as root:
        folders = {steps: Path(root) / str(steps) for steps in (SHORT, LONG)}
        for steps, folder in folders.items():
            start(folder, steps)
        short, long = in_turns([Page(folders[SHORT], SHORT), Page(folders[LONG], LONG)])
        idle = seconds_unchanged(folders[LONG])
        board = {steps: seconds_of_llamaboard(folder) for steps, folder in folders.items()}
    return [
        at_most_times(
            "refresh with 100,000 steps, against 1,000", 1000 * long, "ms", 1000 * short, MOST_TIMES
        ),
        shown_beside("the same, nothing new", 1000 * idle, "ms"),
        shown_beside("the same, against LlamaBoard", 1000 * long, "ms", 1000 * board[LONG]),
        shown_beside(
            "LlamaBoard with 100,000 steps, against 1,000",
            1000 * board[LONG],
            "ms",
            1000 * board[SHORT],
        ),
    ]


class Page:
    """A page that shows a run: it knows what has come and asks for the rest."""

    def __init__(self, folder: Path, steps: int) -> None:
        self._folder = folder
        self._steps = steps
        self._seen: Seen | None = None
        self.refresh()

    def refresh(self) -> float:
        """Seconds from the question to its answer as JSON, one step after the last question."""
        self._steps += 1
        log(self._folder, [self._steps])
        begun = time.perf_counter()
        answer = news(read_curves(self._folder), VIEW, self._seen)
        json.dumps(answer)
        seconds = time.perf_counter() - begun
        if answer is None or answer["rows"] != self._steps:
            raise RuntimeError("the step that was logged is not in the answer")
        self._seen = Seen(answer["generation"], answer["rows"], answer["evaluations"])
        return seconds


def in_turns(pages: list[Page]) -> list[float]:
    """Median seconds of a refresh, so that a busy moment of the machine hits all."""
    times: list[list[float]] = [[] for _ in pages]
    for _ in range(REFRESHES):
        for place, page in enumerate(pages):
            times[place].append(page.refresh())
    return [median(one) for one in times]


def seconds_unchanged(folder: Path) -> float:
    """Median seconds of a question to which there is nothing to say."""
    curves = read_curves(folder)
    seen = Seen(curves.generation, len(curves.series.step), len(curves.series.eval_step))

    def ask() -> None:
        if news(read_curves(folder), VIEW, seen) is not None:
            raise RuntimeError("something was new")

    return median(seconds(ask) for _ in range(REFRESHES))


def seconds(act: Callable[[], None]) -> float:
    begun = time.perf_counter()
    act()
    return time.perf_counter() - begun


def seconds_of_llamaboard(folder: Path) -> float:
    """Median seconds of one of its refreshes: read all, draw all."""
    command = [sys.executable, "-c", LLAMABOARD, str(folder / "trainer_log.jsonl")]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    return float(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    print(table(measure()))
