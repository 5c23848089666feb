"""A page with nothing but a live chart, whose runs log a point every 20 ms from the first look on.

The buttons do what tabs and trainers do elsewhere: choose a new run, end it, change the language,
let its log be replaced, let the server fail.
"""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import gradio as gr

from ui.components.live_chart import build_live_chart
from ui.theme import stylesheets, theme

WORDS = {
    "en": ("Training loss", "Validation loss", "Learning rate", "Step", "Nothing yet", "No answer"),
    "zh": ("训练损失", "验证损失", "学习率", "步数", "暂无数据", "无响应"),
}
NAMES = ("loss", "evaluation_loss", "learning_rate", "step", "empty", "error")
SECONDS_A_POINT = 0.02


class FakeRuns:
    """Runs whose points follow from the time since they were first looked at."""

    def __init__(self) -> None:
        self.started: dict[str, float] = {}
        self.ended: dict[str, float] = {}
        self.replaced: set[str] = set()
        self.failing = False

    def read(self, run: str, offset: int) -> dict[str, Any]:
        if self.failing:
            raise RuntimeError("the fake fails, as the test asked")
        if run == "silent":
            return {"offset": 0, "reset": False, "points": []}
        begun = self.started.setdefault(run, time.monotonic())
        reset = run in self.replaced
        self.replaced.discard(run)
        first = 0 if reset else offset
        last = int((self.ended.get(run, time.monotonic()) - begun) / SECONDS_A_POINT)
        return {
            "offset": max(first, last),
            "reset": reset,
            "points": [point(number) for number in range(first, last)],
        }

    def replace(self, run: str) -> None:
        self.started[run] = time.monotonic()
        self.replaced.add(run)


def point(number: int) -> dict[str, Any]:
    step = number + 1
    logged = {"step": step, "loss": 2.0 / step + 0.123456789, "learning_rate": 1e-4 / step}
    return logged | ({"eval_loss": 2.5 / step + 0.2} if step % 10 == 0 else {})


def main() -> None:
    runs = FakeRuns()
    numbers = itertools.count(1)
    shown: dict[str, Any] = {"run": "", "active": False, "labels": labels("en")}

    def button(name: str, act: Callable[[], None]) -> None:
        def pressed() -> dict[str, Any]:
            act()
            return dict(shown)

        gr.Button(name, elem_id=name).click(pressed, None, chart.component, show_progress="hidden")

    def choose(run: str) -> None:
        shown.update(run=run, active=True, labels=labels("en"))

    def end() -> None:
        runs.ended[shown["run"]] = time.monotonic()
        shown.update(active=False)

    with gr.Blocks(title="chart", analytics_enabled=False) as page:
        with gr.Tabs():
            with gr.Tab("Chart"):
                chart = build_live_chart(runs.read, every=0.05)
                gr.Markdown("below", elem_id="below")
            with gr.Tab("Other"):
                gr.Markdown("another tab")
        button("new", lambda: choose(f"run-{next(numbers)}"))
        button("silent", lambda: choose("silent"))
        button("end", end)
        button("chinese", lambda: shown.update(labels=labels("zh")))
        button("replace", lambda: runs.replace(shown["run"]))
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


def labels(language: str) -> dict[str, str]:
    return dict(zip(NAMES, WORDS[language], strict=True))


if __name__ == "__main__":
    main()
