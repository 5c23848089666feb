"""The header on every tab: the name, what runs, and the language."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from backend.services import Services
from backend.text import ASSETS, text
from backend.training.runs import read_progress
from ui.components.slot import slot
from ui.html import Safe, element
from ui.i18n import Words
from ui.wiring import PRIVATE, Refresh

LANGUAGE_NAMES = [("English", "en"), ("中文", "zh")]
"""Each language by its own name, so that everyone finds theirs."""

TICK_SECONDS = 2.0


@dataclass(frozen=True)
class Header:
    language: gr.Radio
    remembered: gr.BrowserState
    refresh: Refresh


def build_header(services: Services, words: Words) -> Header:
    logo = Safe((ASSETS / "logo.svg").read_text(encoding="utf-8"))
    with gr.Row(elem_id="header"):
        words.make(
            slot, {"value": lambda language: _title(logo, language)}, elem_id="brand", scale=3
        )
        activity = slot("activity", scale=2)
        language = words.make(
            gr.Radio,
            {"label": "app.language"},
            choices=LANGUAGE_NAMES,
            value=words.language,
            show_label=False,
            container=False,
            elem_id="language",
            scale=0,
            min_width=190,
        )
    # A fixed secret: what is kept is no secret, and a random one would forget at each restart.
    remembered = gr.BrowserState("", storage_key="medtune.language", secret="medtune")

    shown = gr.State("")

    def tick(language: str, last: str) -> tuple[object, object]:
        now = running(services, language)
        return (gr.skip(), gr.skip()) if now == last else (now, now)

    gr.Timer(TICK_SECONDS).tick(tick, [language, shown], [activity, shown], **PRIVATE)
    refresh = Refresh(lambda chosen: running(services, chosen), [activity])
    return Header(language=language, remembered=remembered, refresh=refresh)


def running(services: Services, language: str) -> str:
    """What trains now and how far it is, or that nothing does."""
    run = services.supervisor.active()
    if run is None:
        return element("span", text(language, "app.idle"), cls="mt-activity mt-quiet")
    progress = read_progress(run)
    percent = f"{100 * progress.step // max(progress.total, 1)} %" if progress else ""
    words = text(language, "app.running", run=run.id, percent=percent)
    return element("span", words, cls="mt-activity mt-busy", role="status")


def _title(logo: Safe, language: str) -> str:
    return element(
        "div",
        logo,
        element("h1", "MedTune"),
        element("p", text(language, "app.tagline")),
        cls="mt-brand",
    )
