"""Training: start, watch and stop runs. All that it shows is read from the run's folder."""

from __future__ import annotations

from typing import Any

import gradio as gr

from backend.errors import WorkspaceError
from backend.services import Services
from backend.text import text
from backend.training.curves import Curves, read_curves
from backend.training.runs import Run, RunState, list_runs
from ui.components.form import Form
from ui.components.live_chart import Shown, build_live_chart, live_chart_value
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
        curves: The chart, which tells of clicks on a checkpoint.
    """

    def __init__(self, services: Services, words: Words, language: gr.Radio, *, form: Form) -> None:
        self._services = services
        self._form = form
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                self._lay_out_actions(words)
            with gr.Column(scale=3):
                self.status = slot("run-status")
                self.curves = build_live_chart(self._read_curves, language=words.language)
                self.chart = self.curves.component
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

    def _read_curves(self, run_id: str) -> Curves | None:
        """What the chart's script asks for: no more than two looks at a run's folder."""
        workspace = self._services.workspace
        try:
            return read_curves(workspace.named(workspace.runs, run_id))
        except WorkspaceError:
            return None


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
    active = run.state.active
    stopping = run.state is RunState.STOPPING
    checkpoints = run.checkpoints()
    return [
        status_card(run, language),
        gr.update(
            interactive=active,
            value=text(language, "training.end_now" if stopping else "training.stop"),
        ),
        checkpoints_table(checkpoints, language),
        gr.update(interactive=any(one.complete for one in checkpoints)),
        log_view(run, language),
        chart_value(run, language),
        run.id if stopping else "",
    ]


def chart_value(run: Run | None, language: str) -> dict[str, Any]:
    """The run's curves with its whole checkpoints; the last of one step is named once."""
    if run is None:
        return live_chart_value((), language)
    saved = {one.step: one.name for one in reversed(run.checkpoints()) if one.complete}
    marks = [(name, step) for step, name in sorted(saved.items())]
    return live_chart_value([Shown(run.id, run.state.active, marks)], language)


def plan_card(values: dict[str, Any], language: str) -> Any:
    """What the start button would start."""
    if not values.get("dataset") or not values.get("model"):
        return element("p", text(language, "training.plan_missing"), cls="mt-notice")
    return facts(
        [
            (text(language, "fields.model.label"), values["model"]),
            (text(language, "fields.dataset.label"), values["dataset"]),
            (text(language, "fields.finetuning_type.label"), values["finetuning_type"]),
            (text(language, "fields.template.label"), values["template"] or "–"),
        ]
    )
