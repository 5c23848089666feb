"""The live chart: the curves of some runs over each other, fed with new points only.

A chart that Gradio redraws loses its zoom at each update. This one is made once by plotly's own
script, which ``assets/js/live_chart*.js`` feeds: the script asks the server for what it lacks. The
component's value says which runs to show and in which words; how they are shown is chosen in the
component itself and remembered by the browser.

Knows nothing about where curves come from: they are what ``read`` gives.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import gradio as gr

from backend.text import ASSETS, text
from ui.components.live_chart_question import question_of
from ui.errors import told
from ui.wiring import CARRYING

if TYPE_CHECKING:
    from backend.training.curves import Curves

Read = Callable[[str], "Curves | None"]
"""A run's id → its curves, None where there is no such run. Called in a worker thread, often: it
should cost next to nothing while nothing is new."""

MOST_RUNS = 8
"""Runs over each other; colours and dashes for more could not be told apart."""

SCRIPTS = (
    "plotly_tools.js",
    "live_chart_curves.js",
    "live_chart_figure.js",
    "live_chart_controls.js",
    "live_chart_marks.js",
    "live_chart.js",
)

_WORDS = (
    "loss",
    "smoothed",
    "evaluation_loss",
    "learning_rate",
    "grad_norm",
    "speed",
    "memory",
    "gpu_memory",
    "gpu_use",
    "axis",
    "step",
    "tokens",
    "time",
    "smoothing",
    "log",
    "reset",
    "legend",
    "epoch",
    "checkpoint",
    "checkpoints",
    "open_checkpoint",
    "empty",
    "empty_axis",
    "error",
)

_TEMPLATE = """
<div class="mt-chart" role="group" data-run="" data-points="0" data-last-step="">
  <div class="mt-chart-controls">
    <label><span data-word="axis"></span>
      <select data-control="axis">
        <option value="step" data-word="step"></option>
        <option value="tokens" data-word="tokens"></option>
        <option value="time" data-word="time"></option>
      </select>
    </label>
    <label><span data-word="smoothing"></span>
      <input type="range" min="0" max="0.99" step="0.01" data-control="smoothing" />
      <output></output>
    </label>
    <label><input type="checkbox" data-control="log" /> <span data-word="log"></span></label>
    <button type="button" class="mt-button" data-control="reset" data-word="reset" hidden></button>
  </div>
  <div class="mt-chart-legend" role="group"></div>
  <div class="mt-chart-place">
    <div class="mt-chart-plot"></div>
    <div class="mt-chart-marks" role="group"></div>
    <p class="mt-chart-empty"></p>
    <p class="mt-chart-error" role="status" hidden></p>
  </div>
</div>
"""


@dataclass(frozen=True)
class Shown:
    """A run on the chart.

    Attributes:
        active: It may log more.
        checkpoints: Name and step of each one that can be chatted with.
    """

    run: str
    active: bool = False
    checkpoints: Sequence[tuple[str, int]] = field(default=())


@dataclass(frozen=True)
class LiveChart:
    """``component`` takes what ``live_chart_value`` makes as its value.

    A new value changes words, runs or checkpoints in place; the plot is never built anew.

    Attributes:
        points: Answers the script's questions, where a pulse carries them.
    """

    component: gr.HTML
    points: Callable[[Any], dict[str, Any]]

    def on_checkpoint(
        self,
        act: Callable[..., Any],
        inputs: Sequence[Any],
        outputs: Sequence[Any],
    ) -> Any:
        """Let ``act`` hear of a click on a checkpoint's marker.

        ``act`` takes the inputs, the first of which is the language, and ``event: gr.EventData``,
        which ``checkpoint_of`` reads. The result can be chained with ``then``.
        """
        return self.component.click(told(act), inputs, outputs, **CARRYING)


def build_live_chart(
    read: Read, *, language: str = "en", every: float = 0.5, rides: str = ""
) -> LiveChart:
    """Place the chart where the surrounding blocks are.

    Args:
        read: Gives the curves.
        every: Seconds between two questions of a page that shows an active run.
        rides: The name under which a pulse carries these questions instead, see ``Pulse``.
    """

    def points(asked: Any) -> dict[str, Any]:
        from backend.training.chart import news

        question = question_of(asked, most_runs=MOST_RUNS)
        answers = {}
        for run, seen in question.runs.items():
            curves = read(run)
            answer = news(curves, question.view, seen) if curves else None
            if answer:
                answers[run] = answer
        return {"runs": answers}

    component = gr.HTML(
        value=live_chart_value((), language),
        html_template=_TEMPLATE,
        js_on_load=chart_script(*SCRIPTS, every_ms=round(every * 1000), rides=rides),
        apply_default_css=False,
        server_functions=[points],
    )
    return LiveChart(component, points)


def live_chart_value(runs: Sequence[Shown], language: str) -> dict[str, Any]:
    """What the chart shows: the first run is the main one, whose epochs are marked."""
    return {
        "runs": [one.run for one in runs[:MOST_RUNS]],
        "active": any(one.active for one in runs),
        "checkpoints": {one.run: [list(pair) for pair in one.checkpoints] for one in runs},
        "labels": {name: text(language, f"training.chart.{name}") for name in _WORDS},
    }


def checkpoint_of(event: gr.EventData) -> tuple[str, str] | None:
    """Run and checkpoint of a click. It comes from a browser, so it may be anything: then None."""
    data: Any = event._data if isinstance(event._data, Mapping) else {}
    run, checkpoint = data.get("run"), data.get("checkpoint")
    if not isinstance(run, str) or not isinstance(checkpoint, str):
        return None
    return run, checkpoint


def chart_script(*names: str, **settings: Any) -> str:
    """Scripts of a chart drawn by Plotly as one body, with ``settings`` as an object before it."""
    plotly = plotly_script()
    gr.set_static_paths(plotly)
    told_to_script = json.dumps({"plotly": quote(plotly.as_posix()), **settings})
    bodies = [(ASSETS / "js" / name).read_text(encoding="utf-8") for name in names]
    return "\n".join([f"const settings = {told_to_script};", *bodies])


def plotly_script() -> Path:
    """plotly's browser script, found without importing plotly (which takes most of a second)."""
    spec = importlib.util.find_spec("plotly")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("plotly is not installed")
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"
