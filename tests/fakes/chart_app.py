"""A page with nothing but a live chart, whose runs log a step every 20 ms from the first look on.

The runs are folders with real logs, read by the real reader. The buttons do what tabs and trainers
do elsewhere: choose a new run, lay another over it, end it, change the language, let its log be
replaced, let the server fail.
"""

from __future__ import annotations

import itertools
import json
import math
import socket
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from backend.training.curves import Curves, read_curves
from backend.training.layout import METRICS, TRAINER_LOG
from ui.components.live_chart import Shown, build_live_chart, checkpoint_of, live_chart_value
from ui.theme import stylesheets, theme

SECONDS_A_STEP = 0.02
STEPS_AN_EPOCH = 40
LONG = 20_000
SPIKE = 12_345
"""The step of the long run at which its loss leaps."""


class FakeRuns:
    """Runs whose steps follow from the time since they were first looked at."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: dict[str, float] = {}
        self.logged: dict[str, int] = {}
        self.ended: dict[str, float] = {}
        self.failing = False
        self.lock = threading.Lock()

    def read(self, run: str) -> Curves | None:
        if self.failing:
            raise RuntimeError("the fake fails, as the test asked")
        if run == "silent":
            return read_curves(self.folder / run)
        with self.lock:
            self.log(run)
        return read_curves(self.folder / run)

    def log(self, run: str) -> None:
        """Write what has been trained since the last look."""
        now = time.monotonic()
        begun = self.started.setdefault(run, now)
        (self.folder / run).mkdir(exist_ok=True)
        if run.startswith("long"):
            last = LONG
        else:
            last = int((self.ended.get(run, now) - begun) / SECONDS_A_STEP)
        first = self.logged.get(run, 0)
        if first < last:
            write(self.folder / run, range(first + 1, last + 1), begin=first == 0)
            self.logged[run] = last

    def replace(self, run: str) -> None:
        with self.lock:
            for name in (METRICS, TRAINER_LOG):
                (self.folder / run / name).unlink(missing_ok=True)
            self.started.pop(run, None)
            self.logged.pop(run, None)


def write(folder: Path, steps: range, *, begin: bool) -> None:
    metrics = [{"step": 0, "time": 1e9, "event": "begin", "total": 10**6}] if begin else []
    trained: list[dict[str, Any]] = []
    for step in steps:
        metrics.append({"step": step, "time": 1e9 + 6 * step, "grad_norm": 1 / step, "memory": 2e9})
        trained.append(entry(step) | {"loss": loss_of(step), "lr": 1e-4 / step})
        if step % 10 == 0:
            trained.append(entry(step) | {"eval_loss": 2.5 / step + 0.2})
    for name, lines in ((METRICS, metrics), (TRAINER_LOG, trained)):
        with (folder / name).open("a", encoding="utf-8") as file:
            file.write("".join(json.dumps(line) + "\n" for line in lines))


def entry(step: int) -> dict[str, Any]:
    return {
        "current_steps": step,
        "total_steps": 10**6,
        "epoch": step / STEPS_AN_EPOCH,
        "total_tokens": 512 * step,
    }


def loss_of(step: int) -> float:
    return 50.0 if step == SPIKE else 2.0 / step + 0.123456789 + 0.05 * math.sin(step)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        serve(FakeRuns(Path(folder)))


def serve(runs: FakeRuns) -> None:
    numbers = itertools.count(1)
    chosen: list[str] = []
    state = {"active": False, "language": "en", "marked": False}

    def value() -> dict[str, Any]:
        marks = [(f"checkpoint-{step}", step) for step in (10, 20)] if state["marked"] else []
        shown = [Shown(run, bool(state["active"]), marks) for run in chosen]
        return live_chart_value(shown, str(state["language"]))

    def button(name: str, act: Callable[[], object]) -> None:
        def pressed() -> dict[str, Any]:
            act()
            return value()

        gr.Button(name, elem_id=name, min_width=60).click(
            pressed, None, chart.component, show_progress="hidden"
        )

    def choose(run: str) -> None:
        chosen[:] = [run]
        state.update(active=True, language="en", marked=False)

    def end() -> None:
        runs.ended[chosen[0]] = time.monotonic()
        state.update(active=False)

    def heard(language: str, event: gr.EventData) -> str:
        return " of ".join(reversed(checkpoint_of(event) or ("nothing", "")))

    with gr.Blocks(title="chart", analytics_enabled=False) as page:
        buttons = gr.Row()
        with gr.Tabs():
            with gr.Tab("Chart"):
                chart = build_live_chart(runs.read, every=0.05)
                gr.Markdown("below", elem_id="below")
            with gr.Tab("Other"):
                gr.Markdown("another tab")
        clicked = gr.Textbox(elem_id="clicked")
        chart.on_checkpoint(heard, [gr.State("en")], [clicked])
        with buttons:
            button("new", lambda: choose(f"run-{next(numbers)}"))
            button("long", lambda: choose(f"long-{next(numbers)}"))
            button("over", lambda: chosen.append(f"run-{next(numbers)}"))
            button("silent", lambda: choose("silent"))
            button("end", end)
            button("mark", lambda: state.update(marked=True))
            button("chinese", lambda: state.update(language="zh"))
            button("replace", lambda: runs.replace(chosen[0]))
            button("fail", lambda: setattr(runs, "failing", True))
            button("mend", lambda: setattr(runs, "failing", False))
    _, address, _ = page.launch(
        server_name="127.0.0.1",
        server_port=free_port(),
        prevent_thread_lock=True,
        quiet=True,
        theme=theme(),
        css_paths=stylesheets(),
    )
    print(f"ready at {address}", flush=True)
    threading.Event().wait()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    main()
