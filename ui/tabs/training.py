"""Training: start, watch and stop runs. All that it shows is read from the run's folder."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import gradio as gr

from backend.errors import MedTuneError
from backend.services import Services
from backend.text import text
from backend.training.metrics import read_points
from backend.training.runs import Run, RunState, find_run, list_runs
from ui.components.form import Form, choice_words
from ui.components.live_chart import build_live_chart
from ui.components.run_view import checkpoints_table, log_view, state_words, status_card
from ui.components.slot import slot
from ui.errors import told
from ui.html import element, empty, facts
from ui.i18n import Words
from ui.wiring import PRIVATE, Refresh

TICK_SECONDS = 1.0


class TrainingTab:
    """The tab's components, and what happens when they are used.

    Attributes:
        run: The run that is shown.
        chat_about: Asks to compare its checkpoints.
    """

    def __init__(self, services: Services, words: Words, language: gr.Radio, *, form: Form) -> None:
        self._services = services
        self._form = form
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                self._lay_out_actions(words)
            with gr.Column(scale=3):
                self.status = slot("run-status")
                self.chart = build_live_chart(self._points).component
                with words.make(gr.Accordion, {"label": "training.log.title"}, open=False):
                    self.log = slot("run-log")
        self.seen = gr.State("")
        # The run that the stop button offers to end at once; "" while it offers a checkpoint.
        self.ending = gr.State("")
        self._shown = [
            self.run,
            self.status,
            self.stop,
            self.checkpoints,
            self.chat_about,
            self.log,
            self.chart,
            self.ending,
            self.seen,
        ]
        self._wire(language)
        self.refresh = Refresh(
            self._show, [self.plan, *self._shown], inputs=[self.run, *form.inputs]
        )

    def _lay_out_actions(self, words: Words) -> None:
        self.plan = slot("run-plan")
        self.start = words.make(
            gr.Button, {"value": "training.start"}, variant="primary", elem_id="run-start"
        )
        self.run = words.make(
            gr.Dropdown,
            {"label": "training.run"},
            choices=[],
            value=None,
            elem_id="run-choice",
        )
        self.stop = words.make(
            gr.Button,
            {"value": "training.stop"},
            variant="stop",
            interactive=False,
            elem_id="run-stop",
        )
        self.checkpoints = slot("run-checkpoints")
        self.chat_about = words.make(
            gr.Button, {"value": "training.chat"}, interactive=False, elem_id="run-chat"
        )

    def _wire(self, language: gr.Radio) -> None:
        self.start.click(told(self._start), [language, *self._form.inputs], self._shown, **PRIVATE)
        self.stop.click(told(self._stop), [language, self.run, self.ending], self._shown, **PRIVATE)
        self.run.input(
            told(self._view),
            [language, self.run],
            self._shown,
            trigger_mode="always_last",
            **PRIVATE,
        )
        self.timer = gr.Timer(TICK_SECONDS)
        self.timer.tick(told(self._tick), [language, self.run, self.seen], self._shown, **PRIVATE)

    # What happens

    def _view(self, language: str, run_id: str | None) -> list[Any]:
        """All of one run, or of the newest where none is chosen."""
        runs = list_runs(self._services.workspace)
        chosen = next((one for one in runs if one.id == run_id), runs[0] if runs else None)
        choices = [(f"{one.id} · {state_words(one, language)}", one.id) for one in runs]
        picker = gr.update(choices=choices, value=chosen.id if chosen else None)
        return [picker, *run_view(chosen, language), stamp(runs, chosen)]

    def _tick(self, language: str, run_id: str | None, seen: str) -> list[Any]:
        """Look whether something has changed, which costs little, and draw only then.

        Time goes on without it: while a trainer lives its status is drawn at each tick.
        """
        runs = list_runs(self._services.workspace)
        chosen = next((one for one in runs if one.id == run_id), None)
        if stamp(runs, chosen) != seen:
            picker, *rest = self._view(language, run_id)
            if chosen is not None:
                # Another run may have been started or picked since this tick was sent.
                picker.pop("value")
            return [picker, *rest]
        updates: list[Any] = [gr.skip()] * len(self._shown)
        if chosen is not None and chosen.state.active:
            updates[self._shown.index(self.status)] = status_card(chosen, language)
        return updates

    def _start(self, language: str, *entered: Any) -> list[Any]:
        started = self._services.supervisor.start(self._form.values(entered))
        return self._view(language, started.id)

    def _stop(self, language: str, run_id: str | None, ending: str) -> list[Any]:
        self._services.supervisor.stop(run_id or "", now=bool(run_id) and ending == run_id)
        return self._view(language, run_id)

    def _show(self, language: str, run_id: str | None, *entered: Any) -> list[Any]:
        plan = plan_card(self._form.values(entered), language)
        return [plan, *self._view(language, run_id)]

    def _points(self, run_id: str, offset: int) -> dict[str, Any]:
        """The points logged after ``offset``; what the chart's script asks for once a second."""
        try:
            points = read_points(find_run(self._services.workspace, run_id).folder, offset)
        except MedTuneError:
            return {"offset": 0, "reset": True, "points": []}
        return asdict(points)


def stamp(runs: list[Run], chosen: Run | None) -> str:
    """Changes when something on the page would: a state, a checkpoint, or the size of a log."""
    states = ",".join(f"{one.id}:{one.state.value}" for one in runs)
    if chosen is None:
        return states
    sizes = [_size(chosen, name) for name in ("trainer_log.jsonl", "process.log")]
    checkpoints = [(one.name, one.complete) for one in chosen.checkpoints()]
    return f"{states}|{chosen.id}|{sizes}|{checkpoints}"


def _size(run: Run, name: str) -> int:
    try:
        return (run.folder / name).stat().st_size
    except FileNotFoundError:
        return 0


def run_view(run: Run | None, language: str) -> list[Any]:
    """Status, stop button, checkpoints, chat button, log, chart and what stop offers to end."""
    if run is None:
        return [
            empty(language, "training.empty"),
            gr.update(interactive=False, value=text(language, "training.stop")),
            "",
            gr.update(interactive=False),
            empty(language, "training.log.empty"),
            chart_value(None, language),
            "",
        ]
    stopping = run.state is RunState.STOPPING
    checkpoints = run.checkpoints()
    return [
        status_card(run, language),
        gr.update(
            interactive=run.state.pending,
            value=text(language, stop_key(run)),
        ),
        checkpoints_table(checkpoints, language),
        gr.update(interactive=any(one.complete for one in checkpoints)),
        log_view(run, language),
        chart_value(run, language),
        run.id if stopping else "",
    ]


def stop_key(run: Run) -> str:
    """What the stop button offers."""
    if run.state is RunState.QUEUED:
        return "training.cancel"
    return "training.end_now" if run.state is RunState.STOPPING else "training.stop"


def chart_value(run: Run | None, language: str) -> dict[str, Any]:
    labels = ("loss", "evaluation_loss", "learning_rate", "step", "empty", "error")
    return {
        "run": run.id if run else "",
        "active": run is not None and run.state.active,
        "labels": {name: text(language, f"training.chart.{name}") for name in labels},
    }


def plan_card(values: dict[str, Any], language: str) -> Any:
    """What the start button would start."""
    if not values.get("dataset") or not values.get("model"):
        return element("p", text(language, "training.plan_missing"), cls="mt-notice")
    return facts(
        [
            (text(language, "fields.model.label"), values["model"]),
            (text(language, "fields.dataset.label"), values["dataset"]),
            (
                text(language, "fields.finetuning_type.label"),
                choice_words("finetuning_type", values["finetuning_type"], language),
            ),
            (text(language, "fields.template.label"), values["template"] or "–"),
        ]
    )
