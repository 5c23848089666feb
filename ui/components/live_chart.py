"""The live chart: loss and learning rate of one run, fed with new points only.

A chart that Gradio redraws loses its zoom at each update. This one is drawn once by plotly's own
script, which ``assets/js/live_chart.js`` feeds: the script asks the server for the points after its
offset and appends them. The component's value says which run to follow and in which words.

Knows nothing about where points come from: they are what ``read`` gives.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from backend.text import ASSETS

Read = Callable[[str, int], dict[str, Any]]
"""Run id and offset → ``{"offset", "reset", "points"}``, where a point has ``step`` and any of
``loss``, ``eval_loss`` and ``learning_rate``. ``reset`` says that the points start over."""

_TEMPLATE = """
<div class="mt-chart" role="figure" data-run="" data-points="0" data-last-step="">
  <div class="mt-chart-plot"></div>
  <p class="mt-chart-empty"></p>
  <p class="mt-chart-error" role="status" hidden></p>
</div>
"""


@dataclass(frozen=True)
class LiveChart:
    """``component`` takes ``{"run": id or "", "active": bool, "labels": {…}}`` as its value.

    The labels are loss, evaluation_loss, learning_rate, step, empty and error. A new value changes
    words or run in place; the plot is never built anew.
    """

    component: gr.HTML


def build_live_chart(read: Read, *, every: float = 1.0) -> LiveChart:
    """Place the chart where the surrounding blocks are.

    Args:
        read: Gives the points; called in a worker thread.
        every: Seconds between two questions of a page that shows an active run.
    """

    def points(asked: Any) -> dict[str, Any]:
        run, offset = _asked(asked)
        return read(run, offset) if run else {"offset": 0, "reset": True, "points": []}

    component = gr.HTML(
        value={"run": "", "active": False, "labels": {}},
        html_template=_TEMPLATE,
        js_on_load=chart_script("live_chart.js", every_ms=round(every * 1000)),
        apply_default_css=False,
        server_functions=[points],
    )
    return LiveChart(component)


def chart_script(name: str, **settings: Any) -> str:
    """The script of a chart drawn by Plotly, with ``settings`` as an object before it."""
    plotly = plotly_script()
    gr.set_static_paths(plotly)
    told = json.dumps({"plotly": quote(plotly.as_posix()), **settings})
    sources = [ASSETS / "js" / one for one in ("plotly_tools.js", name)]
    bodies = [source.read_text(encoding="utf-8") for source in sources]
    return "\n".join([f"const settings = {told};", *bodies])


def plotly_script() -> Path:
    """plotly's browser script, found without importing plotly (which takes most of a second)."""
    spec = importlib.util.find_spec("plotly")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("plotly is not installed")
    return Path(spec.origin).parent / "package_data" / "plotly.min.js"


def _asked(value: Any) -> tuple[str, int]:
    """Run and offset of a request. It comes from a browser, so it may be anything."""
    asked = value if isinstance(value, Mapping) else {}
    run, offset = asked.get("run"), asked.get("offset")
    if not isinstance(run, str):
        run = ""
    # bool is an int in Python, and true is no offset.
    if not isinstance(offset, int) or isinstance(offset, bool) or offset < 0:
        offset = 0
    return run, offset
