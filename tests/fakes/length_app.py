"""A page with nothing but a length chart of a hundred known rows, and what the server hears of it.

The row with number n needs a cutoff of 10 n tokens, of which the first half is the prompt and the
reasoning. The buttons do what the tab does elsewhere: fill and empty the chart, change the
language, answer with a cutoff.
"""

from __future__ import annotations

import threading
from typing import Any

import gradio as gr
import numpy as np

from backend.data.tokens.cutoff import Steps
from tests.fakes.chart_app import free_port
from ui.components.length_chart import (
    build_length_chart,
    cutoff_of,
    length_chart_value,
    no_lengths,
)
from ui.theme import stylesheets, theme

ROWS = range(1, 101)


def value(language: str, cutoff: int) -> dict[str, Any]:
    return length_chart_value(
        [2 * row for row in ROWS],
        [3 * row for row in ROWS],
        [5 * row for row in ROWS],
        answer_steps=steps(10),
        reasoning_steps=steps(5),
        smallest=1000,
        cutoff=cutoff,
        language=language,
    )


def steps(tokens: int) -> Steps:
    """Each row needs so many tokens times its number."""
    return Steps(np.array([tokens * row for row in ROWS]), np.ones(len(ROWS), dtype=np.int64))


def main() -> None:
    def hear(language: str, before: str, event: gr.EventData) -> str:
        return f"{before} {cutoff_of(event)}"

    with gr.Blocks(title="lengths", analytics_enabled=False) as page:
        language = gr.State("en")
        with gr.Tabs():
            with gr.Tab("Lengths"):
                chart = build_length_chart("en")
                said = gr.Textbox(label="heard", elem_id="heard")
            with gr.Tab("Other"):
                gr.Markdown("another tab")
        chart.on_cutoff(hear, [language, said], [said])
        for name, made in (
            ("fill", lambda: value("en", 512)),
            ("chinese", lambda: value("zh", 512)),
            ("answer", lambda: value("en", 800)),
            ("empty", lambda: no_lengths("en")),
        ):
            gr.Button(name, elem_id=name).click(made, None, chart.component)
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


if __name__ == "__main__":
    main()
