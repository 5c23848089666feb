"""What a training would be, beside the form and up to date with it, and never in its way."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import gradio as gr

from backend.errors import MedTuneError
from backend.planning.plan import Plan, Planner
from backend.services import Services
from ui.components.actions import action_slot, on_press, pressed
from ui.components.form import Form
from ui.components.plan_view import FIX, plan_view
from ui.components.probe_view import PROBE, STOP, probe_view
from ui.components.pulse import Beat, Pulse
from ui.html import Safe
from ui.wiring import PRIVATE


class PlanPanel:
    """The place of the plan and of its probe, and what their buttons do.

    Attributes:
        shown: The plan, the probe, and what of them is known to the page.
        fixed: The event after which the form has other values.
        pulse: Looks after a probe.
    """

    def __init__(self, services: Services) -> None:
        self._prober = services.prober
        self._planner = Planner(services.workspace)
        self._slot = action_slot("plan")
        self._probe = action_slot("probe")
        self._seen = gr.State("")
        self.pulse = Pulse(self._look)
        self.shown = [self._slot, self._probe, self._seen]

    def wire(self, form: Form, language: gr.Radio) -> None:
        """Follow the form, and let the buttons change it."""
        self._form = form
        asked = [language, *form.inputs]
        for triggers in ([one.change for one in form.inputs], [self._seen.change]):
            gr.on(triggers, self._plan, asked, self._slot, trigger_mode="always_last", **PRIVATE)
        # The changes come back as changes of the form, which draw the plan anew.
        self.fixed = on_press(self._slot, self._fix, asked, form.inputs)
        on_press(self._probe, self._press, asked, [self._probe, self._seen])
        self.pulse.tick(self._tick, [language, self._seen], [self._probe, self._seen])

    def show(self, language: str, *entered: Any) -> list[Any]:
        """All of ``shown``, as it is now."""
        return [self._plan(language, *entered), *self._drawn(language)]

    # What happens

    def _plan(self, language: str, *entered: Any) -> Safe:
        """The plan; nothing where there is none, since the form says beside it what is wrong."""
        plan = self._of(self._form.values(entered))
        return plan_view(plan, language) if plan else Safe("")

    def _of(self, values: Mapping[str, Any]) -> Plan | None:
        try:
            return self._planner.plan(values)
        except MedTuneError:
            return None

    def _fix(self, language: str, event: gr.EventData, *entered: Any) -> list[Any]:
        action, kind = pressed(event)
        plan = self._of(self._form.values(entered)) if action == FIX else None
        # Found again: what was pressed may be of a plan that has changed since.
        advice = [one for one in plan.advice if one.kind == kind] if plan else []
        return self._form.updates(advice[0].changes if advice else {})

    def _press(self, language: str, event: gr.EventData, *entered: Any) -> list[Any]:
        action, _ = pressed(event)
        if action == PROBE:
            self._prober.start(self._form.values(entered))
        elif action == STOP:
            self._prober.cancel()
        return self._drawn(language)

    def _look(self, _language: str) -> Beat:
        run = self._prober.current()
        # Time goes on for a probe that is under way.
        now = (run.state, time.monotonic() if run.state.active else 0.0) if run else None
        return Beat(f"{now} {self._prober.stamp()}")

    def _tick(self, language: str, seen: str) -> list[Any]:
        """Draw a probe while there is one; what it measured changes ``seen``, and so the plan."""
        if not self._prober.folder.exists() and seen == self._prober.stamp():
            return [gr.skip(), gr.skip()]
        return self._drawn(language)

    def _drawn(self, language: str) -> list[Any]:
        run = self._prober.current()
        return [probe_view(run, language), self._prober.stamp()]
