"""Training: start, watch, stop, resume and compare runs. All that it shows is read from folders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import gradio as gr

from backend.services import Services
from backend.text import ASSETS
from backend.training.runs import Run, list_runs
from ui.components.actions import action_slot, on_press
from ui.components.choices import UNSENT, choices_now
from ui.components.form import Form
from ui.components.latest import Latest
from ui.components.live_chart import build_live_chart
from ui.components.pulse import Beat, Pulse, about
from ui.components.run_actions import QueueList, RunActions
from ui.components.run_checkpoints import Doubt
from ui.components.run_curves import chart_of, curves_in
from ui.components.run_rooms import RunRooms
from ui.components.run_verdict import VERDICT, RunVerdict
from ui.components.run_view import no_run, plan_card, stamp, state_words, status_card
from ui.components.slot import slot
from ui.errors import told
from ui.html import Safe
from ui.i18n import Words
from ui.wiring import PRIVATE, Refresh

STATUS, CHART = "run-status", "run-chart"


class TrainingTab:
    """The tab's components, and what happens when they are used.

    Attributes:
        run: The run that is shown.
        chat_about: Asks to compare its checkpoints.
        curves: The chart, which tells of clicks on a checkpoint.
        started: What a callback that ``starting`` makes fills; it takes ``starts_with``.
        verdict: What is said of the run; its ``way`` names a tab that a remedy leads to.
    """

    def __init__(self, services: Services, words: Words, language: gr.Radio, *, form: Form) -> None:
        self._services = services
        self._form = form
        self._language = language
        self._turned = Latest()
        with gr.Row():
            with gr.Column(scale=1, min_width=300):
                self._lay_out_start(words)
            with gr.Column(scale=3):
                self.status = action_slot(STATUS)
                self.actions = RunActions(services, words)
                self.verdict = RunVerdict(services)
                self.curves = build_live_chart(
                    curves_in(services.workspace), language=words.language, rides=CHART
                )
        self.rooms = RunRooms(services, words)
        self._table = self.rooms.table
        self.pulse = Pulse(
            self._look,
            about=1,
            live=(STATUS, VERDICT),
            riders={CHART: self.curves.points},
        )
        self.seen = gr.State("")
        self._shown = [
            self.run,
            self.chat_about,
            self.status,
            *self.actions.shown,
            self.queue.slot,
            self.verdict.slot,
            *self.rooms.checkpoints.shown,
            self.curves.component,
            self.pulse.component,
            self.seen,
        ]
        self._asked = [language, self.run, self._table.over]
        self._wire()
        self.rooms.wire(language, self.run, self.seen)
        self.refresh = Refresh(
            self._show, [self.plan, *self._shown], inputs=[self.run, self._table.over, *form.inputs]
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

    # How it is wired

    def _wire(self) -> None:
        self.started = self._shown
        self.starts_with = [self._language, self._table.over, *self._form.inputs]
        start = self.starting(self._services.supervisor.start)
        self.start.click(told(start), self.starts_with, self.started, **PRIVATE)
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
        # Also where the page was drawn anew for its language.
        plan = [self._language, *self._form.inputs]
        self.seen.change(told(self._plan), plan, self.plan, trigger_mode="always_last", **PRIVATE)
        on_press(self.queue.slot, self._press_queue, self._asked, self._shown)
        on_press(
            self.verdict.slot, self._press_remedy, self._asked, [*self._shown, self.verdict.way]
        )
        on_press(
            self.rooms.checkpoints.slot,
            self._press_checkpoint,
            [*self._asked, self.rooms.checkpoints.doubt],
            self._shown,
        )
        on_press(
            self._table.slot,
            self._press_row,
            [*self._asked, self._table.doubt],
            [*self._shown, self._table.over, self._table.doubt],
        )
        script = (ASSETS / "js" / "notify.js").read_text(encoding="utf-8")
        self.notify.input(None, self.notify, self.notify, js=script)

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
        status = status_card(chosen, language) if chosen else no_run(language)
        charted = [chosen, *self._table.laid_over(over, chosen)] if chosen else []
        can_chat = chosen is not None and any(one.complete for one in chosen.checkpoints())
        return [
            choices_now(choices, sent=sent, kept=chosen.id if chosen else None),
            gr.update(interactive=can_chat),
            status,
            *self.actions.show(language, chosen),
            self.queue.show(language),
            self.verdict.show(language, chosen),
            *self.rooms.checkpoints.show(language, chosen, doubt),
            chart_of(charted, language),
            about(chosen.id if chosen else None),
            f"{language} {stamp(runs, chosen)}",
        ]

    def _look(self, language: str, run_id: str | None) -> Beat:
        """Whether something has changed, and what goes on while the run that is shown trains."""
        runs = list_runs(self._services.workspace)
        chosen = next((one for one in runs if one.id == run_id), None)
        live = {}
        if chosen is not None and chosen.state.active:
            live = {
                STATUS: status_card(chosen, language),
                VERDICT: self.verdict.show(language, chosen),
            }
        return Beat(stamp(runs, chosen), live)

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
        if f"{language} {stamp(runs, chosen)}" != seen:
            drawn = self._drawn(language, run_id, over, sent=run_id)
        # Not over a run that was started or chosen after the page had sent this.
        if self._turned.has_left(request, run_id):
            return [gr.skip()] * len(self._shown)
        return self._turned_to(request, drawn)

    def starting(self, start: Callable[[Mapping[str, Any]], Run]) -> Callable[..., list[Any]]:
        """A callback that starts a run by the form's values and turns the page to it."""

        def begin(
            language: str, request: gr.Request, over: Sequence[str], *entered: Any
        ) -> list[Any]:
            started = start(self._form.values(entered))
            self._services.acceptance.stop()
            return self._view(language, request, started.id, over)

        return begin

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
        asked = self.rooms.checkpoints.act(run_id, doubt, event)
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
        run_id, laid, asked = self._table.act(run_id, over, doubt, event)
        return [*self._view(language, request, run_id, laid), laid, asked]

    def _plan(self, language: str, *entered: Any) -> Safe:
        return plan_card(self._form.values(entered), language)

    def _show(
        self,
        language: str,
        request: gr.Request,
        run_id: str | None,
        over: Sequence[str],
        *entered: Any,
    ) -> list[Any]:
        return [self._plan(language, *entered), *self._again(language, request, run_id, over)]
