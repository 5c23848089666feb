"""The page as a whole, without a browser."""

from __future__ import annotations

from backend.services import Services
from backend.text import LANGUAGES
from backend.workspace import Workspace
from ui.dashboard import build_dashboard


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
