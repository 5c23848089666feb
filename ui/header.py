"""The header on every tab: the name, what runs, and the language; and the browser's title."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from backend.services import Services
from backend.text import ASSETS, text
from backend.training.progress import Progress
from backend.training.runs import Run, list_runs, read_progress
from ui.components.actions import action_slot
from ui.components.gradio_keys import let_keys_pass_lists
from ui.components.kept_here import kept_here
from ui.components.pulse import Beat, Pulse
from ui.components.run_view import state_words
from ui.components.slot import slot
from ui.components.speaking import announcer, says, share_said, state_said
from ui.html import Safe, duration, element, join
from ui.i18n import TONGUES, Words
from ui.wiring import Refresh

LANGUAGE_NAMES = [("English", "en"), ("中文", "zh")]
"""Each language by its own name, so that everyone finds theirs."""

TICK_SECONDS = 2.0

ACTIVITY, TITLE = "activity", "page-title"

MOST_ENDED = 20
"""Runs of which a page may hear that they ended: so many can't end between two looks."""


@dataclass(frozen=True)
class Header:
    """What other parts of the page need of it.

    Attributes:
        spoken: The page's language as the server knows it. A tab that is opened while the page
            learns its language would be asked for in another one.
    """

    language: gr.Radio
    spoken: gr.State
    remembered: gr.HTML
    refresh: Refresh


def build_header(
    services: Services,
    words: Words,
    *,
    logs_in: bool = False,
    riders: Mapping[str, Callable[[Any], Any]] | None = None,
) -> Header:
    """Lay the header out.

    Args:
        riders: What else is asked along with what it asks by itself, see ``Pulse``.
    """
    logo = Safe((ASSETS / "logo.svg").read_text(encoding="utf-8"))
    with gr.Row(elem_id="header"):
        words.make(
            slot, {"value": lambda language: _title(logo, language)}, elem_id="brand", scale=3
        )
        activity = action_slot(ACTIVITY, scale=2)
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
        if logs_in:
            words.make(
                slot,
                {"value": _log_out},
                elem_id="log-out",
                scale=0,
                js_on_load=(ASSETS / "js" / "presence.js").read_text(encoding="utf-8"),
            )
    announcer()
    let_keys_pass_lists()
    remembered = kept_here("language", "")
    spoken = gr.State(words.language)

    title = gr.HTML(
        value={},
        html_template='<div class="mt-live"></div>',
        js_on_load=(ASSETS / "js" / "page_title.js").read_text(encoding="utf-8"),
        visible="hidden",
        elem_id=TITLE,
    )

    def look(chosen: str) -> Beat:
        activity_now, title_now = now(services, chosen)
        return Beat("", {ACTIVITY: activity_now, TITLE: title_now})

    # A page in the background still says in its title how far a run is, and when it ends.
    Pulse(
        look,
        live=(ACTIVITY, TITLE),
        riders=riders,
        every=TICK_SECONDS,
        riding=TICK_SECONDS,
        unseen=True,
    )
    refresh = Refresh(lambda chosen: now(services, chosen), [activity, title])
    return Header(language=language, spoken=spoken, remembered=remembered, refresh=refresh)


def now(services: Services, language: str) -> tuple[Safe, dict[str, Any]]:
    """What trains now, in words, and what the browser's title and its notification need."""
    runs = list_runs(services.workspace)
    active = [run for run in runs if run.state.active]
    waiting = sum(run.state.pending for run in runs) - len(active)
    first = read_progress(active[0]) if active else None
    return _activity(services, active, waiting, first, language), {
        "language": TONGUES[language],
        "title": _title_of(active, first),
        "active": [run.id for run in active],
        "ended": {
            run.id: state_said(language, run.id, state_words(run, language))
            for run in [one for one in runs if not one.state.pending][:MOST_ENDED]
        },
    }


def _activity(
    services: Services,
    active: Sequence[Run],
    waiting: int,
    progress: Progress | None,
    language: str,
) -> Safe:
    """The newest run that trains with how far it is, and how many more train or wait."""
    notes = []
    if services.read_only:
        notes.append(element("span", text(language, "app.read_only"), cls="mt-badge mt-bad"))
    if not active:
        key = "app.waiting" if waiting else "app.idle"
        words = text(language, key, count=waiting) if waiting else text(language, key)
        return join([*notes, element("span", words, cls="mt-activity mt-quiet")])
    words = _going_on(active[0].id, progress, language)
    more = len(active) - 1 + waiting
    if more:
        words = f"{words} · {text(language, 'app.more', count=more)}"
    far = (progress.step, progress.total) if progress else (0, 0)
    heard = says(f"far {active[0].id}", share_said(language, active[0].id, *far))
    return join([*notes, element("span", words, cls="mt-activity mt-busy", **heard)])


def _going_on(run: str, progress: Progress | None, language: str) -> str:
    if progress is None:
        return text(language, "app.starting", run=run)
    left = duration(progress.remaining_seconds)
    return text(language, "app.running", run=run, percent=_percent(progress), left=left)


def _percent(progress: Progress | None) -> str:
    return f"{100 * progress.step // max(progress.total, 1)} %" if progress else ""


def _title_of(active: Sequence[Run], progress: Progress | None) -> str:
    if not active:
        return "MedTune"
    return " ".join(filter(None, [_percent(progress), active[0].id, "· MedTune"]))


def _log_out(language: str) -> Safe:
    # A form, not an event of Gradio's: its answer is another page.
    button = element("button", text(language, "app.login.leave"), type="submit", cls="mt-button")
    return element("form", button, method="post", action="logout")


def _title(logo: Safe, language: str) -> str:
    return element(
        "div",
        logo,
        element("h1", "MedTune"),
        element("p", text(language, "app.tagline")),
        cls="mt-brand",
    )
