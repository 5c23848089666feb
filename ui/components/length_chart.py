"""How long the rows are in tokens, as bars with a cutoff line that a person drags.

Everything that follows the line is counted in the browser (``assets/js/length_chart.js``) from two
tables, so that figures keep up with a finger; the server hears of a cutoff when the line is let go.
Knows nothing about tokenizers or how lengths are measured.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from backend.data.tokens.cutoff import Steps
from backend.text import text
from ui.components.live_chart import chart_script
from ui.errors import told
from ui.wiring import CARRYING

Lengths = Sequence[int] | NDArray[Any]
"""One whole number for each row."""

LEAST = 16
"""The smallest cutoff length that the hyperparameters take."""

_BARS = 48
"""So many bars at most, without the one for what is longer."""
_LONGEST = 99.5
"""Rows above this percentile share one bar: one of 100,000 tokens would flatten all others."""

_NONE = Steps(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))

_WORDS = (
    "title",
    "prompt",
    "reasoning",
    "answer",
    "x",
    "y",
    "cutoff",
    "answers",
    "reasonings",
    "smallest",
    "of",
    "use",
    "spoken",
    "hover",
    "hover_over",
    "empty",
    "broken",
)

_FIGURES = "\n".join(
    f'<div class="mt-fact"><dt data-word="{name}"></dt><dd data-figure="{name}"></dd></div>'
    for name in ("cutoff", "answers", "reasonings", "smallest")
)
_TEMPLATE = f"""
<div class="mt-lengths" role="group" data-rows="0" data-cutoff="">
  <div class="mt-lengths-wide">
    <div class="mt-lengths-chart">
      <div class="mt-lengths-plot" aria-hidden="true"></div>
      <div class="mt-cut-over"></div>
      <div class="mt-cut" role="slider" tabindex="0" aria-orientation="horizontal">
        <span class="mt-cut-label" aria-hidden="true"></span>
      </div>
      <p class="mt-lengths-broken" data-word="broken"></p>
    </div>
    <div class="mt-lengths-figures">
      <dl>{_FIGURES}</dl>
      <button type="button" class="mt-button mt-lengths-enough"></button>
    </div>
  </div>
  <p class="mt-lengths-empty" data-word="empty"></p>
</div>
"""


@dataclass(frozen=True)
class LengthChart:
    """``component`` takes what ``length_chart_value`` or ``no_lengths`` makes as its value.

    A new value changes bars, line and words in place; nothing is built anew. Its cutoff moves the
    line, except while a person is moving it.
    """

    component: gr.HTML

    def on_cutoff(
        self,
        act: Callable[..., Any],
        inputs: Sequence[Any],
        outputs: Sequence[Any],
    ) -> None:
        """Let ``act`` hear when the line is let go.

        ``act`` takes the inputs, the first of which is the language, and ``event: gr.EventData``,
        which ``cutoff_of`` reads.
        """
        self.component.release(told(act), inputs, outputs, **CARRYING)


def build_length_chart(language: str, *, elem_id: str = "data-lengths") -> LengthChart:
    """Place an empty chart where the surrounding blocks are."""
    component = gr.HTML(
        value=no_lengths(language),
        html_template=_TEMPLATE,
        js_on_load=chart_script("plotly_tools.js", "length_chart.js"),
        apply_default_css=False,
        elem_id=elem_id,
    )
    return LengthChart(component)


def cutoff_of(event: gr.EventData) -> int | None:
    """The cutoff of an event. It comes from a browser, so it may be anything: then None."""
    data: Any = event._data if isinstance(event._data, dict) else {}
    cutoff = data.get("cutoff")
    if not isinstance(cutoff, int) or isinstance(cutoff, bool) or cutoff < LEAST:
        return None
    return cutoff


def no_lengths(language: str, *, cutoff: int = 2048) -> dict[str, Any]:
    """The value of a chart that has nothing to show yet."""
    return length_chart_value(
        (),
        (),
        (),
        answer_steps=_NONE,
        reasoning_steps=_NONE,
        smallest=0,
        cutoff=cutoff,
        language=language,
    )


def length_chart_value(
    prompt: Lengths,
    reasoning: Lengths,
    answer: Lengths,
    *,
    answer_steps: Steps,
    reasoning_steps: Steps,
    smallest: int,
    cutoff: int,
    language: str,
) -> dict[str, Any]:
    """What the chart shows of some rows; everything is in tokens.

    Args:
        prompt: Of each row: what is read and not trained.
        reasoning: Of each row: the think block; 0 where there is none.
        answer: Of each row: what comes behind it.
        answer_steps: How many rows lose a part of an answer, at each cutoff.
        reasoning_steps: How many rows lose their ``</think>``, at each cutoff.
        smallest: The smallest cutoff that cuts no answer.
        cutoff: Where the line stands.

    Returns:
        ``bins`` has the n + 1 edges of n bars and ``rows`` how many rows are in each; ``prompt``,
        ``reasoning`` and ``answer`` have the mean tokens of a row in it. With ``overflow`` the last
        bar holds all that is longer. ``answer_steps`` and ``reasoning_steps`` are pairs of a cutoff
        and how many more rows are hit below it. ``axis`` is where the axis ends; ``minimum``,
        ``maximum`` and ``step`` are the line's, and ``total`` is the number of rows.
    """
    parts = [np.asarray(part, dtype=np.int64) for part in (prompt, reasoning, answer)]
    total = parts[0] + parts[1] + parts[2]
    bars = _bars(total, parts)
    axis = max(int(bars["bins"][-1] * 1.04), 2 * LEAST)
    step = 1 << max((axis // 320).bit_length() - 1, 0)
    return {
        **bars,
        "cutoff": cutoff,
        "total": len(total),
        "answer_steps": answer_steps.pairs(),
        "reasoning_steps": reasoning_steps.pairs(),
        "smallest": max(smallest, LEAST),
        "axis": axis,
        "step": step,
        "minimum": LEAST,
        "maximum": -(-max(axis, smallest, cutoff) // step) * step,
        "words": {name: text(language, f"data.view.lengths.{name}") for name in _WORDS},
    }


def _bars(total: NDArray[np.int64], parts: Sequence[NDArray[np.int64]]) -> dict[str, Any]:
    """Rows in bars of equal width, a power of two, with the mean of each part."""
    top = int(np.percentile(total, _LONGEST, method="higher")) if len(total) else 0
    width = 1 << max(top // _BARS, 0).bit_length()
    regular = top // width + 1
    place = np.minimum(total // width, regular)
    overflow = bool((place == regular).any())
    number = regular + overflow
    rows = np.bincount(place, minlength=number)
    means = {
        name: np.round(
            np.bincount(place, weights=part, minlength=number) / np.maximum(rows, 1), 1
        ).tolist()
        for name, part in zip(("prompt", "reasoning", "answer"), parts, strict=True)
    }
    edges = [width * edge for edge in range(number + 1)]
    return {"bins": edges, "rows": rows.tolist(), **means, "overflow": overflow}
