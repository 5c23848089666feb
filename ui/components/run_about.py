"""What a run was made with, how it differs from another one, and what a person noted about it."""

from __future__ import annotations

from typing import Any

import gradio as gr

from backend.errors import MedTuneError
from backend.services import Services
from backend.text import text
from backend.training.notes import read_note, write_note
from backend.training.overview import differences
from backend.training.runs import Run, find_run, list_runs
from ui.components.difference_table import difference_table
from ui.components.run_record import record_view
from ui.components.run_view import no_run
from ui.components.slot import slot
from ui.html import Safe, element
from ui.i18n import Words


class RunAbout:
    """Tags and a note to edit, the record, and the settings that differ from another run's.

    Attributes:
        of: The run whose tags and note stand in the boxes; they are kept for it and no other.
        shown: What ``show`` fills.
    """

    def __init__(self, services: Services, words: Words) -> None:
        self._services = services
        with gr.Row():
            self.tags = words.make(
                gr.Textbox,
                {"label": "training.about.tags", "info": "training.about.tags_help"},
                max_lines=1,
                elem_id="run-tags",
            )
            self.note = words.make(
                gr.Textbox, {"label": "training.about.note"}, lines=2, scale=2, elem_id="run-note"
            )
            self.save = words.make(
                gr.Button, {"value": "training.about.save"}, scale=0, elem_id="run-save-note"
            )
        self.other = words.make(
            gr.Dropdown,
            {"label": "training.about.other", "info": "training.about.other_help"},
            choices=[],
            value=None,
            elem_id="run-other",
        )
        self.difference = slot("run-difference")
        self.record = slot("run-record")
        self.of = gr.State(None)
        self.shown = [self.of, self.tags, self.note, self.other, self.difference, self.record]

    def show(self, language: str, run: Run | None, other: str | None, of: str | None) -> list[Any]:
        if run is None:
            nothing = no_run(language)
            return [None, "", "", gr.update(choices=[], value=None), "", nothing]
        note = read_note(run.folder)
        # What is being typed about this run is not undone by looking at another place meanwhile.
        boxes = [gr.skip()] * 2 if of == run.id else [", ".join(note.tags), note.note]
        others = [one.id for one in list_runs(self._services.workspace) if one.id != run.id]
        compared = other if other in others else None
        return [
            run.id,
            *boxes,
            gr.update(choices=others, value=compared),
            self.compare(language, run.id, compared),
            record_view(run, language),
        ]

    def compare(self, language: str, run_id: str | None, other: str | None) -> Safe:
        """The settings that differ, and nothing else."""
        if not run_id or not other:
            return Safe("")
        try:
            runs = [find_run(self._services.workspace, one) for one in (run_id, other)]
        except MedTuneError as error:
            return element("p", error.sentence(language), cls="mt-bad")
        different = differences(runs[0].values, runs[1].values)
        if not different:
            return element("p", text(language, "training.about.same"), cls="mt-quiet")
        return difference_table(different, (run_id, other), language)

    def keep(self, run_id: str | None, tags: str, note: str) -> None:
        run = find_run(self._services.workspace, run_id or "")
        self._services.workspace.check_writable()
        write_note(run.folder, tags or "", note or "")
