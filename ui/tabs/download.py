"""Download: fetch from a hub, watch what comes, and see what is on this machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from backend.hub.jobs import Job, JobState
from backend.services import Services
from ui.components.actions import action_slot, on_press, pressed
from ui.components.download_jobs import job_cards
from ui.components.hub_finder import HubFinder
from ui.components.hub_settings import HubSettingsForm
from ui.components.import_form import ImportForm
from ui.components.pulse import Beat, Pulse
from ui.components.shelf_view import Shelf
from ui.components.titles import title
from ui.errors import told
from ui.html import Safe
from ui.i18n import Words
from ui.wiring import PRIVATE, Refresh


class DownloadTab:
    """The tab's components, and what happens when they are used.

    Attributes:
        refresh: What is fetched and what is here.
        restore: The hubs' settings, once, when the page loads: later they may be half typed.
    """

    def __init__(self, services: Services, words: Words, language: gr.Radio) -> None:
        self._services = services
        with gr.Row():
            with gr.Column(scale=3, min_width=420):
                self.finder = HubFinder(services.downloads, words, language)
                self.settings = HubSettingsForm(
                    services.downloads.settings, words, language, hub=self.finder.hub
                )
            with gr.Column(scale=2, min_width=360):
                title(words, "hub.jobs.title")
                self.jobs = action_slot("downloads")
        with gr.Row():
            with gr.Column(scale=3, min_width=420):
                self.shelf = Shelf(services, words, language)
            with gr.Column(scale=2, min_width=360):
                self.imports = ImportForm(services.importer, words, language)
        self.pulse = Pulse(self._look)
        self.asking = gr.State(())
        self.seen = gr.State(())
        self._wire(language)
        self.refresh = Refresh(
            self._show,
            [self.jobs, *self.shelf.shown, *self.imports.shown, self.seen],
            inputs=[self.asking, self.shelf.question],
        )
        self.restore = Refresh(self.settings.show, self.settings.shown, inputs=self.settings.inputs)

    def _wire(self, language: gr.Radio) -> None:
        moving = [self.jobs, *self.shelf.shown, *self.imports.shown, self.seen]
        state = [language, self.asking, self.shelf.question, self.seen]
        on_press(self.jobs, self._act, [language, self.asking], [self.jobs, self.asking])
        for event in (self.finder.started, *self.imports.changed):
            event.then(told(self._tick), state, moving, **PRIVATE)
        self.pulse.tick(self._tick, state, moving)

    # What happens

    def _show(self, language: str, asking: Any, question: Any) -> list[Any]:
        jobs = self._services.downloads.jobs()
        return [
            self._cards(language, jobs, asking),
            *self.shelf.show(language, question),
            *self.imports.show(language),
            self._signs(language, jobs),
        ]

    def _look(self, language: str) -> Beat:
        jobs = self._services.downloads.jobs()
        cards = self._cards(language, jobs, ())
        return Beat(str(hash((self._signs(language, jobs, cards), self.shelf.checking))))

    def _tick(self, language: str, asking: Any, question: Any, seen: Any) -> list[Any]:
        """What moves; the shelf only when something on it may have changed."""
        jobs = self._services.downloads.jobs()
        cards = self._cards(language, jobs, asking)
        now = self._signs(language, jobs, cards)
        if tuple(seen) == now:
            return [gr.skip()] * 6
        changed = not seen or tuple(seen)[:-1] != now[:-1] or self.shelf.checking
        shelf = self.shelf.show(language, question) if changed else [gr.skip()] * 2
        return [cards, *shelf, *self.imports.show(language), now]

    def _signs(self, language: str, jobs: Any, cards: str = "") -> tuple[Any, ...]:
        """What tells one tick from the next: what the shelf depends on, then the rest."""
        delivered = tuple(job.id for job in jobs if job.state is JobState.DONE)
        imports = tuple((job.name, job.state) for job in self._services.importer.jobs())
        checks = tuple((job.id, job.state) for job in self._services.verifier.jobs())
        moving = tuple(job.copied for job in self._services.importer.jobs())
        reading = tuple(job.checked for job in self._services.verifier.jobs())
        return (language, delivered, imports, checks, (cards, moving, reading))

    def _act(self, language: str, asking: tuple[str, ...], event: gr.EventData) -> list[Any]:
        action, job_id = pressed(event)
        downloads = self._services.downloads
        others = tuple(one for one in asking if one != job_id)
        match action:
            case "pause":
                downloads.pause(job_id)
            case "resume" | "retry":
                downloads.resume(job_id)
            case "cancel" | "delete":
                others = (*others, job_id)
            case "cancel_keep":
                downloads.cancel(job_id, delete=False)
            case "delete_now":
                downloads.cancel(job_id, delete=True)
            case "remove":
                downloads.remove_remains(job_id)
            case "forget":
                downloads.forget(job_id)
        return [self._cards(language, downloads.jobs(), others), others]

    def _cards(self, language: str, jobs: Sequence[Job], asking: tuple[str, ...]) -> Safe:
        remains = self._services.downloads.remains()
        return job_cards(jobs, language, asking=asking, remains=remains)
