"""Bring in what is on this machine already: copied, or linked where it is."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from backend.library.datasets import KINDS, PACKED
from backend.library.import_job import ImportJob
from backend.library.importer import Importer
from backend.text import text
from backend.units import size
from ui.components.slot import slot
from ui.components.speaking import says, share_said
from ui.components.titles import title
from ui.errors import told
from ui.html import Safe, element, join
from ui.i18n import Words
from ui.wiring import PRIVATE


class ImportForm:
    """The form's components, and what happens when they are used.

    Attributes:
        shown: What ``show`` fills.
        changed: The events after which the shelf may hold more.
    """

    def __init__(self, importer: Importer, words: Words, language: gr.Radio) -> None:
        self._importer = importer
        title(words, "download.import.title")
        self._lay_out_source(words)
        self._lay_out_actions(words)
        self.shown = [self.jobs, self.cancel]
        self.changed = [
            self.start.click(
                told(self._import),
                [language, self.kind, self.path, self.name, self.way, self.pickle],
                [*self.shown, self.path, self.name, self.pickle],
                **PRIVATE,
            ),
            self.upload.upload(
                told(self._import_upload),
                [language, self.upload, self.name],
                [*self.shown, self.name],
                **PRIVATE,
            ),
            self.cancel.click(told(self._cancel), language, self.shown, **PRIVATE),
        ]
        self.kind.input(
            lambda kind: gr.update(visible=kind == "model"), self.kind, self.pickle, **PRIVATE
        )

    def _lay_out_source(self, words: Words) -> None:
        with gr.Row():
            self.kind = words.make(
                gr.Radio,
                {"label": "download.import.kind", "choices": _kinds},
                value="dataset",
                elem_id="import-kind",
                min_width=150,
            )
            self.way = words.make(
                gr.Radio,
                {"label": "download.import.way", "choices": _ways},
                value="copy",
                elem_id="import-way",
                min_width=150,
            )
        self.path = words.make(
            gr.Textbox,
            {"label": "download.import.path", "info": "download.import.path_help"},
            elem_id="import-path",
            max_lines=1,
        )
        self.name = words.make(
            gr.Textbox,
            {"label": "download.import.name", "info": "download.import.name_help"},
            elem_id="import-name",
            max_lines=1,
        )
        self.pickle = words.make(
            gr.Checkbox,
            {"label": "download.import.pickle", "info": "download.import.pickle_help"},
            value=False,
            visible=False,
            elem_id="import-pickle",
        )

    def _lay_out_actions(self, words: Words) -> None:
        self.start = words.make(
            gr.Button,
            {"value": "download.import.start"},
            variant="primary",
            elem_id="import-start",
        )
        self.upload = words.make(
            gr.UploadButton,
            {"label": "download.import.upload"},
            file_types=[*KINDS, PACKED],
            elem_id="import-upload",
        )
        self.jobs = slot("import-jobs")
        self.cancel = words.make(
            gr.Button,
            {"value": "download.import.cancel"},
            visible=False,
            size="sm",
            elem_id="import-cancel",
        )

    @property
    def busy(self) -> bool:
        return any(job.state == "copying" for job in self._importer.jobs())

    def show(self, language: str) -> list[Any]:
        return [jobs_list(self._importer.jobs(), language), gr.update(visible=self.busy)]

    # What happens

    def _import(
        self,
        language: str,
        kind: str,
        path: str | None,
        name: str | None,
        way: str,
        pickle: bool,
    ) -> list[Any]:
        source, link = Path((path or "").strip()), way == "link"
        called = (name or "").strip() or None
        if kind == "model":
            self._importer.import_model(source, called, link=link, allow_pickle=pickle)
        else:
            self._importer.import_dataset(source, called, link=link)
        emptied = gr.update(value="")
        return [*self.show(language), emptied, emptied, gr.update(value=False)]

    def _import_upload(self, language: str, file: str | None, name: str | None) -> list[Any]:
        self._importer.import_dataset(Path(file or ""), (name or "").strip() or None)
        return [*self.show(language), gr.update(value="")]

    def _cancel(self, language: str) -> list[Any]:
        for job in self._importer.jobs():
            job.cancel()
        return self.show(language)


def jobs_list(jobs: Sequence[ImportJob], language: str) -> Safe:
    """The imports of this session, the newest first."""
    return join(_card(job, language) for job in reversed(jobs))


def _card(job: ImportJob, language: str) -> Safe:
    share = job.copied / job.total if job.total else 0.0
    words = (
        job.error.sentence(language)
        if job.error
        else text(
            language,
            f"download.jobs.{job.state}",
            name=job.name,
            copied=size(job.copied),
            total=size(job.total),
        )
    )
    bar = (
        element("progress", value=f"{share:.3f}", max=1, aria_label=job.name)
        if job.state == "copying"
        else ""
    )
    tone = {"copying": "busy", "done": "good", "failed": "bad", "cancelled": "quiet"}[job.state]
    far = share_said(language, job.name, job.copied, job.total)
    heard = says(f"import {job.name}", far if job.state == "copying" else words)
    return element("div", words, bar, cls=f"mt-job mt-{tone}", **heard)


def _kinds(language: str) -> list[tuple[str, str]]:
    return [(text(language, f"download.import.{kind}"), kind) for kind in ("dataset", "model")]


def _ways(language: str) -> list[tuple[str, str]]:
    return [(text(language, f"download.import.{way}"), way) for way in ("copy", "link")]
