"""What there is to say of runs beyond state and curves, one room each.

The table's and the checkpoints' buttons change which run the page shows; the tab hears of them.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from backend.services import Services
from backend.text import text
from backend.training.runs import Run, list_runs
from ui.components.log_viewer import LogViewer
from ui.components.pulse import Beat, Pulse
from ui.components.run_about import RunAbout
from ui.components.run_checkpoints import RunCheckpoints
from ui.components.run_view import log_sizes
from ui.components.runs_table import RunsTable
from ui.errors import told
from ui.i18n import Words
from ui.wiring import PRIVATE

TABLE_SECONDS = 3.0
"""Between two looks at what the runs in the table have logged."""


class RunRooms:
    """The rooms of the checkpoints, of all runs, of the log, and of what a run was made with."""

    def __init__(self, services: Services, words: Words) -> None:
        self._workspace = services.workspace
        with gr.Tabs(overflow_behavior="wrap", elem_id="run-rooms"):
            with _room(words, "checkpoints"):
                self.checkpoints = RunCheckpoints(services)
            with _room(words, "runs") as self._runs_door:
                self.table = RunsTable(services, words)
                self._table_pulse = Pulse(self._look_at_logs, every=TABLE_SECONDS)
            with _room(words, "log") as self._log_door:
                self._log = LogViewer(words, services.workspace)
                self._log_pulse = Pulse(self._look_at_logs)
            with _room(words, "about") as self._about_door:
                self._about = RunAbout(services, words)

    def wire(self, language: gr.Radio, run: gr.Dropdown, seen: gr.State) -> None:
        """Fill the rooms.

        Args:
            run: Holds the id of the run that is shown.
            seen: Changes when the page was drawn anew.
        """
        self._wire_table(language, run, seen)
        self._wire_about(language, run)
        self._log.wire(language, run)
        lines = [language, run, *self._log.asked]
        for change in (self._log_door.select, run.change, seen.change):
            change(
                told(self._log.show), lines, self._log.shown, trigger_mode="always_last", **PRIVATE
            )
        self._log_pulse.tick(self._log.show, lines, self._log.shown)

    def _wire_table(self, language: gr.Radio, run: gr.Dropdown, seen: gr.State) -> None:
        table = self.table
        rows = [language, run, *table.inputs]
        # A text box tells of a key before its value has it; its change comes when it has.
        for change in (
            seen.change, self._runs_door.select, table.order.input, table.words.change
        ):  # fmt: skip
            change(told(self._rows), rows, table.slot, trigger_mode="always_last", **PRIVATE)
        self._table_pulse.tick(self._rows, rows, table.slot)
        table.doubt.change(told(self._rows), rows, table.slot, **PRIVATE)
        table.over.change(told(self._rows), rows, table.slot, **PRIVATE)

    def _wire_about(self, language: gr.Radio, run: gr.Dropdown) -> None:
        about = self._about
        asked = [language, run, about.other, about.of]
        for change in (run.change, self._about_door.select):
            change(told(self._tell), asked, about.shown, trigger_mode="always_last", **PRIVATE)
        about.other.input(told(about.compare), asked[:3], about.difference, **PRIVATE)
        about.save.click(
            told(self._keep_note),
            [language, run, about.of, about.tags, about.note, *self.table.inputs],
            self.table.slot,
            **PRIVATE,
        )

    # What happens

    def _rows(self, language: str, run_id: str | None, *asked: Any) -> Any:
        return self.table.show(language, self._chosen(run_id), *asked)

    def _tell(
        self, language: str, run_id: str | None, other: str | None, of: str | None
    ) -> list[Any]:
        return self._about.show(language, self._chosen(run_id), other, of)

    def _keep_note(
        self,
        language: str,
        run_id: str | None,
        of: str | None,
        tags: str,
        note: str,
        *asked: Any,
    ) -> Any:
        self._about.keep(of, tags, note)
        gr.Info(text(language, "training.about.saved"))
        return self._rows(language, run_id, *asked)

    def _chosen(self, run_id: str | None) -> Run | None:
        runs = list_runs(self._workspace)
        return next((one for one in runs if one.id == run_id), runs[0] if runs else None)

    def _look_at_logs(self, _language: str) -> Beat:
        return Beat(log_sizes(list_runs(self._workspace)))


def _room(words: Words, name: str) -> gr.Tab:
    return words.make(
        gr.Tab, {"label": f"training.rooms.{name}"}, id=name, elem_id=f"run-room-{name}"
    )
