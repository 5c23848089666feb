"""The page as a whole, without a browser."""

from __future__ import annotations

import inspect

import gradio as gr

from backend.services import Services
from backend.text import LANGUAGES
from backend.workspace import Workspace
from ui.dashboard import build_dashboard
from ui.preloaded import preloads


def test_every_event_sends_what_its_callback_takes(workspace: Workspace) -> None:
    """Comparing the settings of two runs failed: its event had got an input that it did not take.
    Gradio warns of that when the page is built, and warnings are errors here."""
    services = Services.of(workspace)
    try:
        for language in LANGUAGES:
            page = build_dashboard(services, language=language)
            assert len(page.fns) > 100
    finally:
        services.close()


def test_no_event_loses_what_it_carries(page: gr.Blocks) -> None:
    """The cutoff line went back to where it was let go first: Gradio sends the first event's data
    again where the last one should be."""
    carrying = [event for event in page.fns.values() if _takes_event_data(event.fn)]
    assert len(carrying) > 10
    assert {event.name for event in carrying if event.trigger_mode != "multiple"} == set()


def test_every_event_goes_through_the_queue(page: gr.Blocks) -> None:
    """The gate serves no other way (``backend/access/routes.py``): the page would get a 404."""
    assert [event.name for event in page.fns.values() if event.fn and not event.queue] == []


def test_what_the_page_names_fits_into_a_proxys_buffer(page: gr.Blocks) -> None:
    """nginx takes 4 kB of headers where it is told nothing else; the others take 800 bytes."""
    page.theme_hash = 64 * "a"
    assert 1000 < len(preloads(page)) < 3000


def _takes_event_data(callback: object) -> bool:
    if not callable(callback):
        return False
    taken = inspect.signature(callback).parameters.values()
    return any("EventData" in str(one.annotation) for one in taken)
