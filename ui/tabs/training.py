"""Training: start, watch, stop, resume and compare runs. All that it shows is read from folders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from backend.errors import WorkspaceError
from backend.services import Services
from backend.text import ASSETS, text
from backend.training.curves import Curves, read_curves
from backend.training.runs import Run, list_runs
from ui.components.actions import action_slot, on_press
from ui.components.choices import UNSENT, choices_now
from ui.components.form import Form
from ui.components.latest import Latest
from ui.components.live_chart import Shown, build_live_chart, live_chart_value
from ui.components.log_viewer import LogViewer
from ui.components.pulse import Beat, Pulse, about
from ui.components.run_about import RunAbout
from ui.components.run_actions import QueueList, RunActions
from ui.components.run_checkpoints import Doubt, RunCheckpoints
from ui.components.run_verdict import VERDICT, RunVerdict
from ui.components.run_view import log_sizes, plan_card, stamp, state_words, status_card
from ui.components.runs_table import RunsTable
from ui.components.slot import slot
from ui.errors import told
from ui.html import empty
from ui.i18n import Words
from ui.wiring import PRIVATE, Refresh

STATUS = "run-status"

TABLE_SECONDS = 3.0
"""Between two looks at what the runs in the table have logged."""


class TrainingTab:
    """The tab's components, and what happens when they are used.

    Attributes:
        run: The run that is shown.
        chat_about: Asks to compare its checkpoints.
        curves: The chart, which tells of clicks on a checkpoint.
        verdict: What is said of the run; its ``way`` names a tab that a remedy leads to.
    """

    def __init__(self, services: Services, words: Words, language: gr.Radio, *, form: Form) -> None:
        self._services = services
        self._form = form
        self._language = language
        self._spoken = words.language
        self._turned = Latest()
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                self._lay_out_start(words)
            with gr.Column(scale=3):
                self.status = action_slot(STATUS)
                self.actions = RunActions(services, words)
                self.verdict = RunVerdict(services)
                self.curves = build_live_chart(self._read_curves, language=words.language)
        self._lay_out_rooms(words)
        self.pulse = Pulse(self._look, about=2, live=(STATUS, VERDICT))
        self.seen = gr.State("")
        self._shown = [
            self.run,
            self.chat_about,
            self.status,
            *self.actions.shown,
            self.queue.slot,
            self.verdict.slot,
            *self.checkpoints.shown,
            self.curves.component,
            self.pulse.component,
            self.seen,
        ]
        self._asked = [language, self.run, self.table.over]
        self._wire()
        self._wire_rooms()
        self.refresh = Refresh(
            self._show, [self.plan, *self._shown], inputs=[self.run, self.table.over, *form.inputs]
        )

    def _lay_out_start(self, words: Words) -> None:
        self.plan = slot("run-plan")
        self.start = words.make(
            gr.Button, {"value": "training.start"}, variant="primary", elem_id="run-start"
        )
        self.run = words.make(
            gr.Dropdown, {"label": "training.run"}, choices=[], value=None, elem_id="run-choice"
        )
        self.chat_about = words.make(
            gr.Button, {"value": "training.chat"}, interactive=False, elem_id="run-chat"
        )
        self.queue = QueueList(self._services)
        self.notify = words.make(
            gr.Checkbox, {"label": "training.notify"}, value=False, elem_id="run-notify"
        )

    def _lay_out_rooms(self, words: Words) -> None:
        """What there is to say beyond state and curves, one room each."""
        with gr.Tabs(elem_id="run-rooms"):
            with _room(words, "checkpoints"):
                self.checkpoints = RunCheckpoints(self._services)
            with _room(words, "runs") as self.runs_door:
                self.table = RunsTable(self._services, words)
                self.table_pulse = Pulse(self._look_at_logs, every=TABLE_SECONDS)
            with _room(words, "log") as self.log_door:
                self.log = LogViewer(words, self._services.workspace)
                self.log_pulse = Pulse(self._look_at_logs)
            with _room(words, "about") as self.about_door:
                self.about = RunAbout(self._services, words)

    # How it is wired

    def _wire(self) -> None:
        self.start.click(
            told(self._start),
            [self._language, self.table.over, *self._form.inputs],
            self._shown,
            **PRIVATE,
        )
        actions = self.actions
        for button, act, more in (
            (actions.stop, actions.do_stop, [actions.ending]),
            (actions.checkpoint, actions.do_checkpoint, []),
            (actions.resume, actions.do_resume, []),
            (actions.again, actions.do_again, []),
        ):
            button.click(told(self._after(act)), [*self._asked, *more], self._shown, **PRIVATE)
        self.run.input(
            told(self._pick), self._asked, self._shown, trigger_mode="always_last", **PRIVATE
        )
        self.pulse.tick(self._tick, [*self._asked, self.seen], self._shown)
        on_press(self.queue.slot, self._press_queue, self._asked, self._shown)
        on_press(
            self.verdict.slot, self._press_remedy, self._asked, [*self._shown, self.verdict.way]
        )
        on_press(
            self.checkpoints.slot,
            self._press_checkpoint,
            [*self._asked, self.checkpoints.doubt],
            self._shown,
        )
        script = (ASSETS / "js" / "notify.js").read_text(encoding="utf-8")
        self.notify.input(None, self.notify, self.notify, js=script)

    def _wire_rooms(self) -> None:
        table, about = self.table, self.about
        rows = [self._language, self.run, *table.inputs]
        # A text box tells of a key before its value has it; its change comes when it has.
        for change in (
            self.seen.change, self.runs_door.select, table.order.input, table.words.change
        ):  # fmt: skip
            change(told(self._rows), rows, table.slot, trigger_mode="always_last", **PRIVATE)
        on_press(
            table.slot,
            self._press_row,
            [*self._asked, table.doubt],
            [*self._shown, table.over, table.doubt],
        )
        self.table_pulse.tick(self._rows, rows, table.slot)
        table.doubt.change(told(self._rows), rows, table.slot, **PRIVATE)
        table.over.change(told(self._rows), rows, table.slot, **PRIVATE)
        asked = [self._language, self.run, about.other, about.of]
        for change in (self.run.change, self.about_door.select):
            change(told(self._about), asked, about.shown, trigger_mode="always_last", **PRIVATE)
        about.other.input(told(about.compare), asked[:3], about.difference, **PRIVATE)
        about.save.click(
            told(self._keep_note),
            [self._language, self.run, about.of, about.tags, about.note, *table.inputs],
            table.slot,
            **PRIVATE,
        )
        self.log.wire(self._language, self.run)
        lines = [self._language, self.run, *self.log.asked]
        for change in (self.log_door.select, self.run.change, self.seen.change):
            change(
                told(self.log.show), lines, self.log.shown, trigger_mode="always_last", **PRIVATE
            )
        self.log_pulse.tick(self.log.show, lines, self.log.shown)

    # What happens

    def _view(
        self, language: str, request: gr.Request, run_id: str | None, over: Sequence[str]
    ) -> list[Any]:
        """All of one run, or of the newest where none is chosen; the page turns to it."""
        return self._turned_to(request, self._drawn(language, run_id, over))

    def _again(
        self, language: str, request: gr.Request, run_id: str | None, over: Sequence[str]
    ) -> list[Any]:
        """All of the run that the page has chosen, which another may have followed by now."""
        return self._turned_to(request, self._drawn(language, run_id, over, sent=run_id))

    def _turned_to(self, request: gr.Request, drawn: list[Any]) -> list[Any]:
        """The same, remembered where it turns the page to another run."""
        picker = drawn[0]
        if "value" in picker:
            self._turned.turn(request, picker["value"])
        return drawn

    def _pick(
        self, language: str, request: gr.Request, run_id: str | None, over: Sequence[str]
    ) -> list[Any]:
        self._turned.turn(request, run_id)
        return self._again(language, request, run_id, over)

    def _drawn(
        self,
        language: str,
        run_id: str | None,
        over: Sequence[str],
        doubt: Doubt | None = None,
        *,
        sent: Any = UNSENT,
    ) -> list[Any]:
        runs = list_runs(self._services.workspace)
        chosen = next((one for one in runs if one.id == run_id), runs[0] if runs else None)
        choices = [(f"{one.id} · {state_words(one, language)}", one.id) for one in runs]
        status = status_card(chosen, language) if chosen else empty(language, "training.empty")
        can_chat = chosen is not None and any(one.complete for one in chosen.checkpoints())
        return [
            choices_now(choices, sent=sent, kept=chosen.id if chosen else None),
            gr.update(interactive=can_chat),
            status,
            *self.actions.show(language, chosen),
            self.queue.show(language),
            self.verdict.show(language, chosen),
            *self.checkpoints.show(language, chosen, doubt),
            self._chart(language, chosen, over),
            about(language, chosen.id if chosen else None),
            stamp(runs, chosen),
        ]

    def _chart(self, language: str, chosen: Run | None, over: Sequence[str]) -> dict[str, Any]:
        runs = [chosen, *self.table.laid_over(over, chosen)] if chosen else []
        return live_chart_value([_on_chart(run) for run in runs], language)

    def _look(self, language: str | None, run_id: str | None) -> Beat:
        """Whether something has changed, and what goes on while the run that is shown trains."""
        runs = list_runs(self._services.workspace)
        chosen = next((one for one in runs if one.id == run_id), None)
        live = {}
        if chosen is not None and chosen.state.active:
            spoken = language or self._spoken
            live = {
                STATUS: status_card(chosen, spoken),
                VERDICT: self.verdict.show(spoken, chosen),
            }
        return Beat(stamp(runs, chosen), live)

    def _look_at_logs(self) -> Beat:
        return Beat(log_sizes(list_runs(self._services.workspace)))

    def _tick(
        self,
        language: str,
        request: gr.Request,
        run_id: str | None,
        over: Sequence[str],
        seen: str,
    ) -> list[Any]:
        """Draw all where something has changed since the page was drawn."""
        runs = list_runs(self._services.workspace)
        chosen = next((one for one in runs if one.id == run_id), None)
        drawn: list[Any] = [gr.skip()] * len(self._shown)
        if stamp(runs, chosen) != seen:
            drawn = self._drawn(language, run_id, over, sent=run_id)
        # Not over a run that was started or chosen after the page had sent this.
        if self._turned.has_left(request, run_id):
            return [gr.skip()] * len(self._shown)
        return self._turned_to(request, drawn)

    def _start(
        self, language: str, request: gr.Request, over: Sequence[str], *entered: Any
    ) -> list[Any]:
        started = self._services.supervisor.start(self._form.values(entered))
        self._services.acceptance.stop()
        return self._view(language, request, started.id, over)

    def _after(self, act: Callable[..., str | None]) -> Callable[..., list[Any]]:
        """``act`` with the shown run's id, then the run whose id it gives."""

        def done(
            language: str,
            request: gr.Request,
            run_id: str | None,
            over: Sequence[str],
            *more: Any,
        ) -> list[Any]:
            return self._view(language, request, act(run_id, *more), over)

        return done

    def _press_queue(
        self,
        language: str,
        request: gr.Request,
        run_id: str | None,
        over: Sequence[str],
        event: gr.EventData,
    ) -> list[Any]:
        self.queue.act(event)
        return self._again(language, request, run_id, over)

    def _press_remedy(
        self,
        language: str,
        request: gr.Request,
        run_id: str | None,
        over: Sequence[str],
        event: gr.EventData,
    ) -> list[Any]:
        run_id, way = self.verdict.act(run_id, event)
        return [*self._view(language, request, run_id, over), way]

    def _press_checkpoint(
        self,
        language: str,
        request: gr.Request,
        run_id: str | None,
        over: Sequence[str],
        doubt: Doubt | None,
        event: gr.EventData,
    ) -> list[Any]:
        asked = self.checkpoints.act(run_id, doubt, event)
        drawn = self._drawn(language, run_id, over, asked, sent=run_id)
        return self._turned_to(request, drawn)

    def _press_row(
        self,
        language: str,
        request: gr.Request,
        run_id: str | None,
        over: Sequence[str],
        doubt: str,
        event: gr.EventData,
    ) -> list[Any]:
        run_id, laid, asked = self.table.act(run_id, over, doubt, event)
        return [*self._view(language, request, run_id, laid), laid, asked]

    def _rows(self, language: str, run_id: str | None, *asked: Any) -> Any:
        return self.table.show(language, self._chosen(run_id), *asked)

    def _about(
        self, language: str, run_id: str | None, other: str | None, of: str | None
    ) -> list[Any]:
        return self.about.show(language, self._chosen(run_id), other, of)

    def _keep_note(
        self,
        language: str,
        run_id: str | None,
        of: str | None,
        tags: str,
        note: str,
        *asked: Any,
    ) -> Any:
        self.about.keep(of, tags, note)
        gr.Info(text(language, "training.about.saved"))
        return self._rows(language, run_id, *asked)

    def _chosen(self, run_id: str | None) -> Run | None:
        runs = list_runs(self._services.workspace)
        return next((one for one in runs if one.id == run_id), runs[0] if runs else None)

    def _show(
        self,
        language: str,
        request: gr.Request,
        run_id: str | None,
        over: Sequence[str],
        *entered: Any,
    ) -> list[Any]:
        plan = plan_card(self._form.values(entered), language)
        return [plan, *self._again(language, request, run_id, over)]

    def _read_curves(self, run_id: str) -> Curves | None:
        """What the chart's script asks for: no more than two looks at a run's folder."""
        workspace = self._services.workspace
        try:
            folder = workspace.named(workspace.runs, run_id)
        except WorkspaceError:
            return None
        return read_curves(folder) if folder.is_dir() else None


def _room(words: Words, name: str) -> gr.Tab:
    return words.make(
        gr.Tab, {"label": f"training.rooms.{name}"}, id=name, elem_id=f"run-room-{name}"
    )


def _on_chart(run: Run) -> Shown:
    checkpoints = [(one.name, one.step) for one in run.checkpoints() if one.complete]
    return Shown(run.id, active=run.state.active, checkpoints=checkpoints)
