"""What a training would be, beside the form and up to date with it, and never in its way."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from backend.errors import MedTuneError
from backend.planning.plan import Plan, Planner
from backend.services import Services
from ui.components.actions import action_slot, on_press, pressed
from ui.components.form import Form
from ui.components.plan_view import FIX, plan_view
from ui.html import Safe
from ui.wiring import PRIVATE


class PlanPanel:
    """The place of the plan, and what its buttons do.

    Attributes:
        slot: Figures, memory and what to mind.
        fixed: The event after which the form has other values.
    """

    def __init__(self, services: Services) -> None:
        self._planner = Planner(services.workspace)
        self.slot = action_slot("plan")

    def wire(self, form: Form, language: gr.Radio) -> None:
        """Follow the form, and let the buttons change it."""
        self._form = form
        gr.on(
            [component.change for component in form.inputs],
            self.show,
            [language, *form.inputs],
            self.slot,
            trigger_mode="always_last",
            **PRIVATE,
        )
        # The changes come back as changes of the form, which draw the plan anew.
        self.fixed = on_press(self.slot, self._fix, [language, *form.inputs], form.inputs)

    def show(self, language: str, *entered: Any) -> Safe:
        """The plan; nothing where there is none, since the form says beside it what is wrong."""
        plan = self._plan(self._form.values(entered))
        return plan_view(plan, language) if plan else Safe("")

    def _plan(self, values: Mapping[str, Any]) -> Plan | None:
        try:
            return self._planner.plan(values)
        except MedTuneError:
            return None

    def _fix(self, language: str, event: gr.EventData, *entered: Any) -> list[Any]:
        action, kind = pressed(event)
        plan = self._plan(self._form.values(entered)) if action == FIX else None
        # Found again: what was pressed may be of a plan that has changed since.
        advice = [one for one in plan.advice if one.kind == kind] if plan else []
        return self._form.updates(advice[0].changes if advice else {})
