"""Data: see what a file holds and what the model will be taught, find what is wrong with it, and
prepare it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import gradio as gr

from backend.data.look import Look
from backend.data.preparing import list_preparing
from backend.data.tasks import Task
from backend.errors import MedTuneError
from backend.library.datasets import RawDataset, list_raw_datasets
from backend.services import Services
from ui.components.checks_panel import ChecksPanel
from ui.components.choices import UNSENT, choices_now
from ui.components.data_canvas import Asked, Canvas, View
from ui.components.data_source import SourcePanel
from ui.components.format_panel import FormatPanel
from ui.components.lengths_panel import LengthsPanel
from ui.components.prepare_panel import PreparePanel, name_of
from ui.components.prepared_shelf import PreparedShelf
from ui.components.pulse import Beat, Pulse, about
from ui.components.rows_panel import RowsPanel
from ui.components.tokens_panel import TokensPanel
from ui.errors import told
from ui.html import Safe, element
from ui.i18n import Words
from ui.wiring import PRIVATE, Refresh


class DataTab:
    """The tab's components, and what happens when they are used.

    Attributes:
        chosen: What ``choose`` fills.
    """

    def __init__(self, services: Services, words: Words, language: gr.Radio) -> None:
        self._services = services
        self._workspace = services.workspace
        self._desk = services.desk
        self._lay_out(words, language)
        self.pulse = Pulse(self._glance, about=1)
        self.seen = gr.State(())
        self.canvas = Canvas(
            desk=self._desk,
            language=language,
            source=self.top.source,
            only=self.rows.only,
            first=self.rows.first,
            words=self.rows.words,
            view=gr.State(View()),
            shown=[
                *self.top.shown,
                *self.checks.shown,
                *self.format.shown,
                *self.lengths.shown,
                *self.rows.shown,
                *self.preparation.shown,
                self.pulse.component,
            ],
            entered=[
                self.top.model,
                self.top.template,
                self.checks.evaluation,
                *self.format.inputs,
                self.lengths.drop,
            ],
            draw=self._draw,
        )
        self._wire()
        self.refresh = Refresh(
            self._refresh,
            [
                self.top.source,
                self.top.unusable,
                *self.canvas.shown,
                self.canvas.view,
                *self.shelf.shown,
                self.tokens.cutoff,
            ],
            inputs=[self.top.source, self.canvas.view, *self.shelf.state],
        )

    def _lay_out(self, words: Words, language: gr.Radio) -> None:
        workspace = self._workspace
        self.top = SourcePanel(words, workspace=workspace, desk=self._desk)
        with gr.Row():
            with gr.Column(scale=4, min_width=380):
                with gr.Tabs(overflow_behavior="wrap", elem_id="data-steps"):
                    with words.make(gr.Tab, {"label": "data.tabs.checks"}, id="checks"):
                        self.checks = ChecksPanel(words, self._desk)
                    with words.make(gr.Tab, {"label": "data.tabs.format"}, id="format"):
                        self.format = FormatPanel(words, self._desk)
                    with words.make(gr.Tab, {"label": "data.tabs.lengths"}, id="lengths"):
                        self.lengths = LengthsPanel(words, self._desk)
                self.preparation = PreparePanel(words, workspace=workspace, desk=self._desk)
            with (
                gr.Column(scale=7, min_width=460),
                gr.Tabs(overflow_behavior="wrap", elem_id="data-views") as self.views,
            ):
                with words.make(gr.Tab, {"label": "data.tabs.rows"}, id="rows"):
                    self.rows = RowsPanel(words, self._desk)
                with words.make(gr.Tab, {"label": "data.tabs.tokens"}, id="tokens"):
                    self.tokens = TokensPanel(
                        words,
                        workspace=workspace,
                        desk=self._desk,
                        inspector=self._services.inspector,
                    )
        self.shelf = PreparedShelf(workspace, words, language)

    def _wire(self) -> None:
        canvas = self.canvas
        self.top.wire(canvas)
        self.checks.wire(canvas)
        self.format.wire(canvas, self.rows)
        self.lengths.wire(canvas, self.tokens.cutoff)
        self.rows.wire(canvas)
        self.tokens.wire(canvas, self.rows.rows, self.views)
        self.preparation.wire(canvas)
        follows = [*canvas.drawn, self.preparation.name, self.tokens.cutoff]
        self.chosen = [canvas.source, *follows]
        canvas.source.input(
            told(self._pick),
            [canvas.language, canvas.source, canvas.view],
            follows,
            trigger_mode="always_last",
            **PRIVATE,
        )
        self.pulse.tick(
            self._tick,
            [
                canvas.language,
                canvas.view,
                *self.shelf.state,
                self.preparation.name,
                self.seen,
            ],
            [
                self.top.unusable,
                *canvas.shown,
                canvas.view,
                *self.shelf.shown,
                self.preparation.name,
                self.seen,
            ],
        )

    # What happens

    def choose(self, language: str, source: str) -> list[Any]:
        """Choose a file for the person; for events of other places."""
        choices = choices_now(self._sources(), sent=UNSENT, kept=source)
        return [choices, *self._choose(language, source)]

    def _pick(self, language: str, source: str | None, view: View) -> list[Any]:
        """A person chose a file; the answer undoes nothing that was typed meanwhile.

        Gradio's dropdown tells of one choice twice.
        """
        if source and source == view.source:
            return [gr.skip()] * (len(self.canvas.shown) + 5)
        *shown, first, words, now, name, cutoff = self._choose(language, source)
        kept = [
            new if old != new else gr.skip()
            for old, new in ((view.asked.first, first), (view.asked.words, words))
        ]
        return [*shown, *kept, now, name, cutoff]

    def _choose(self, language: str, source: str | None) -> list[Any]:
        """A file was chosen: its first rows at once, and its study begins."""
        asked, name = Asked(), self.preparation.offer(None)
        view = View(source, asked, language)
        try:
            if source:
                self._desk.begin(self.top.prefill(self._desk.look(source)))
            shown = self._draw(language, source, asked)
            name = self.preparation.offer(source)
        except MedTuneError as error:
            # What stands there is of the file before: it must not stay under this one's name.
            shown = self._refused(language, error)
            view = View(None, asked, language)  # so that it can be chosen again
        cutoff = self.tokens.cutoff_for(source)
        return [*shown, asked.first, asked.words, view, name, cutoff]

    def _refused(self, language: str, error: MedTuneError) -> list[Any]:
        """Why the chosen file can't be shown, in its place; and nothing of any other."""
        shown = self._draw(language, None, Asked())
        said = element("p", error.sentence(language), cls="mt-bad", role="status")
        shown[len(self.top.shown) - 1] = said
        return shown

    def _draw(self, language: str, source: str | None, asked: Asked) -> list[Any]:
        """All that is shown of a file. One that was changed in any way is studied again."""
        look = self._desk.look(source) if source else None
        if look is not None and look.task is None:
            look = self._desk.begin(look)
        return self._drawn(language, look, asked)

    def _drawn(self, language: str, look: Look | None, asked: Asked) -> list[Any]:
        return [
            *self.top.show(language, look),
            *self.checks.show(language, look, self._sources()),
            *self.format.show(language, look),
            *self.lengths.show(language, look),
            *self.rows.show(language, look, asked),
            *self.preparation.show(language, look, self._preparing(look)),
            about(look.source_id if look else None),
        ]

    def _refresh(
        self,
        language: str,
        sent: str | None,
        view: View,
        question: str,
        comparing: tuple[str, ...],
    ) -> list[Any]:
        """Choices and all the rest again: a new file may have come, or a new language."""
        files = list_raw_datasets(self._workspace)
        sources = _usable(files)
        # A page that outlives its server sends what it shows to one that knows of nothing yet.
        known = view.source or sent
        chosen = known if known in sources else None
        try:
            shown = self._draw(language, chosen, view.asked)
        except MedTuneError as error:
            shown = self._refused(language, error)
        shelf = self.shelf.show(language, question, comparing)
        cutoff = self.tokens.cutoff_for(chosen)
        choices = choices_now(sources, sent=sent, kept=chosen)
        left_out = self.top.left_out(language, files)
        return [choices, left_out, *shown, View(chosen, view.asked, language), *shelf, cutoff]

    def _glance(self, language: str, source: str | None) -> Beat:
        """Whether a tick would do something."""
        look = self._desk.look(source) if source else None
        begins = look is not None and look.task is None and self._desk.settled(look)
        return Beat(str((begins, self._signs(language, look, self._preparing(look)))))

    def _tick(
        self,
        language: str,
        view: View,
        question: str,
        comparing: tuple[str, ...],
        name: str,
        seen: Any,
    ) -> list[Any]:
        """What moves by itself: a study, a measurement, a preparation."""
        try:
            look = self._desk.look(view.source) if view.source else None
            if look is not None and look.task is None and self._desk.settled(look):
                look = self._desk.begin(look)
        except MedTuneError:  # the file is gone; what the person does next says so, once
            look = None
        task = self._preparing(look)
        now = self._signs(language, look, task)
        # It was opened before the page knew its language.
        anew = bool(view.language) and view.language != language
        if not anew and (look is None or seen == now):
            return [gr.skip()] * (len(self.canvas.shown) + 5)
        ended = bool(seen) and bool(now) and seen[-1] != now[-1]
        shelf = self.shelf.show(language, question, comparing) if ended or anew else [gr.skip()]
        used = ended and task is not None and name == name_of(task)
        fresh = self.preparation.offer(view.source, used=used) if ended else gr.skip()
        drawn = self.canvas.left_alone(self._drawn(language, look, view.asked))
        left_out = self._left_out(language) if anew else gr.skip()
        return [left_out, *drawn, replace(view, language=language), *shelf, fresh, now]

    def _left_out(self, language: str) -> Safe:
        return self.top.left_out(language, list_raw_datasets(self._workspace))

    def _signs(self, language: str, look: Look | None, task: Task | None) -> tuple[Any, ...]:
        """What tells one tick from the next; the last is how a preparation stands."""
        if look is None:
            return ()
        return (
            language,
            look.source_id,
            _sign(look.task),
            _sign(look.measuring),
            look.reader.complete,
            _sign(task),
            task and (str(task.folder), task.state),
        )

    # What there is

    def _sources(self) -> list[str]:
        return _usable(list_raw_datasets(self._workspace))

    def _preparing(self, look: Look | None) -> Task | None:
        """The last preparation of a file that was not taken off the page."""
        tasks = list_preparing(self._workspace, look.path) if look else []
        return tasks[0] if tasks else None


def _usable(files: Sequence[RawDataset]) -> list[str]:
    return [one.id for one in files if not one.problems]


def _sign(task: Task | None) -> tuple[Any, ...]:
    """What tells a task from itself a second ago, and from another that has ended as it did."""
    return (str(task.folder), task.state, task.step, task.done) if task else ()
