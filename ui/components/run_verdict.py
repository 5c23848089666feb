"""What is to be said of a run: why it failed and what can be done, or how its curves look."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any

import gradio as gr

from backend.services import Services
from backend.training.failures import explain
from backend.training.runs import Run, find_run
from ui.components.actions import action_slot, pressed
from ui.components.failure_view import failure_view
from ui.components.health_view import health_view
from ui.html import Safe

if TYPE_CHECKING:
    from backend.training.diagnoses import Diagnoses

VERDICT = "run-verdict"


class RunVerdict:
    """The place under the buttons, and what a remedy does.

    Attributes:
        way: The tab that a remedy leads to, "" for none.
    """

    def __init__(self, services: Services) -> None:
        self._services = services
        self.slot = action_slot(VERDICT)
        self.way = gr.State("")

    def show(self, language: str, run: Run | None) -> Safe:
        if run is None:
            return Safe("")
        explanation = explain(run)
        if explanation is not None:
            return failure_view(explanation, language)
        # numpy comes with it, which a dashboard that shows no run does without.
        from backend.training.curves import series_of

        series = series_of(run.folder)
        if not len(series.step):
            return Safe("")
        findings = self._diagnoses.of(run.id, series, over=not run.state.active)
        return health_view(findings, language, run=run.id)

    @cached_property
    def _diagnoses(self) -> Diagnoses:
        from backend.training.diagnoses import Diagnoses

        return Diagnoses()

    def act(self, run_id: str | None, event: gr.EventData) -> tuple[str | None, Any]:
        """Do what a remedy says: the run to show afterwards, and the tab to go to."""
        action, target = pressed(event)
        run = find_run(self._services.workspace, run_id or "")
        explanation = explain(run)
        remedies = explanation.remedies if explanation else ()
        if action != "remedy" or not target.isdecimal() or int(target) >= len(remedies):
            return run_id, ""
        remedy = remedies[int(target)]
        match remedy.action:
            case "resume":
                return self._services.supervisor.resume(run.id, changes=remedy.changes).id, ""
            case "run_again":
                return self._services.supervisor.run_again(run.id, changes=remedy.changes).id, ""
            case tab:
                return run_id, tab
