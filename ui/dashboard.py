"""The shell: header, five tabs, and the wiring that crosses tabs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from backend.services import Services
from backend.text import LANGUAGES, text
from ui.components.choices import take_choices_as_sent
from ui.components.slot import slot
from ui.errors import told
from ui.header import Header, build_header
from ui.html import element
from ui.i18n import Words, preferred_language
from ui.outside.offering import endpoints, offer
from ui.tabs.chat import ChatTab
from ui.tabs.data import DataTab
from ui.tabs.download import DownloadTab
from ui.tabs.hyperparameters import HyperparametersTab
from ui.tabs.training import TrainingTab
from ui.wiring import PRIVATE, Refresh

UPLOAD_SECONDS = 3600
"""How long an upload is kept beside the copy that was imported from it."""

TABS = ("download", "data", "hyperparameters", "training", "chat")


@dataclass(frozen=True)
class Rooms:
    """The tabs' frame, the five rooms in it, and what is in each."""

    frame: gr.Tabs
    doors: Mapping[str, gr.Tab]
    download: DownloadTab
    data: DataTab
    hyperparameters: HyperparametersTab
    training: TrainingTab
    chat: ChatTab

    @property
    def refreshes(self) -> dict[str, Refresh]:
        return {name: getattr(self, name).refresh for name in TABS}


def build_dashboard(services: Services, *, language: str, logs_in: bool = False) -> gr.Blocks:
    """The whole page.

    Args:
        language: What it says until a browser asks for another.
        logs_in: Whether it is only for who has logged in, and may want to log out.
    """
    take_choices_as_sent()
    # After each event Gradio makes a table of the last 10,000, for a monitor that is not on.
    os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = str(10**12)
    words = Words(language)
    with gr.Blocks(
        title="MedTune",
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(UPLOAD_SECONDS, UPLOAD_SECONDS),
    ) as page:
        header = build_header(services, words, logs_in=logs_in)
        rooms = _lay_out_rooms(services, words, header.language)
        words.make(slot, {"value": _note}, elem_id="note")
        _wire_language(page, header, words, rooms)
        for name, refresh in rooms.refreshes.items():
            _show(rooms.doors[name].select, refresh, header)
        _wire_ways(rooms, header.language)
        _tell_one_of_progress(page, header.language)
        offer(page, endpoints(services, rooms.chat.room))
    return page


def _tell_one_of_progress(page: gr.Blocks, one: gr.Radio) -> None:
    """Let events report their progress to one component instead of to each of their outputs.

    None of it is shown (``PRIVATE``), but at each step of each event Gradio's script walks its tree
    of components once for every component that any event has ever reported to: with some two
    hundred of them a change of tab took seconds.
    """
    for event in page.fns.values():
        event.show_progress_on = [one]


def _lay_out_rooms(services: Services, words: Words, language: gr.Radio) -> Rooms:
    # Outside the tabs: Gradio mounts what is in a tab when it is first opened.
    remembered = gr.BrowserState({}, storage_key="medtune.form", secret="medtune")
    with gr.Tabs(selected=TABS[0], elem_id="tabs") as frame:
        doors = {name: _door(words, name) for name in TABS}
        with doors["download"]:
            download = DownloadTab(services, words, language)
        with doors["data"]:
            data = DataTab(services, words, language)
        with doors["hyperparameters"]:
            form = HyperparametersTab(services, words, language, remembered=remembered)
        with doors["training"]:
            training = TrainingTab(services, words, language, form=form.form)
        with doors["chat"]:
            chat = ChatTab(services, words, language)
    return Rooms(frame, doors, download, data, form, training, chat)


def _wire_ways(rooms: Rooms, language: gr.Radio) -> None:
    """The buttons that lead from one tab to another."""
    form, training, chat = rooms.hyperparameters, rooms.training, rooms.chat
    for event, done in ((form.checked, form.ready), (form.sweep.started, form.sweep.queued)):
        event.then(lambda yes: _go("training") if yes else gr.skip(), done, rooms.frame, **PRIVATE)
    # First choose, then go: coming to the tab shows what is chosen, and must not undo it.
    choice = chat.choice
    training.chat_about.click(lambda: False, None, choice.chosen, **PRIVATE).then(
        told(choice.choose_run),
        [language, training.run],
        [choice.columns, choice.chosen],
        **PRIVATE,
    ).then(
        lambda chosen: _go("chat") if chosen else gr.skip(), choice.chosen, rooms.frame, **PRIVATE
    )
    training.curves.on_checkpoint(
        choice.choose_checkpoint, [language], [choice.columns, choice.chosen]
    ).then(
        lambda chosen: _go("chat") if chosen else gr.skip(), choice.chosen, rooms.frame, **PRIVATE
    )
    way = training.verdict.way
    way.change(
        lambda tab: _go(tab) if tab in TABS else gr.skip(), way, rooms.frame, **PRIVATE
    ).then(lambda: "", None, way, **PRIVATE)


def _door(words: Words, name: str) -> gr.Tab:
    return words.make(gr.Tab, {"label": f"app.tabs.{name}"}, id=name, elem_id=f"tab-{name}")


def _go(tab: str) -> Any:
    return gr.Tabs(selected=tab)


def _note(language: str) -> str:
    return element("p", text(language, "app.note"), cls="mt-note")


def _show(trigger: Any, refresh: Refresh, header: Header) -> Any:
    """Show what is on disk; what is wrong there is a sentence, whichever tab meets it."""
    return trigger(
        told(refresh.show),
        [header.language, *refresh.inputs],
        list(refresh.outputs),
        **{**PRIVATE, **refresh.options},
    )


def _wire_language(page: gr.Blocks, header: Header, words: Words, rooms: Rooms) -> None:
    """Choose the language when a page loads, and change it in place when the person does."""

    def on_load(remembered: str, request: gr.Request) -> list[Any]:
        spoken = request.headers.get("accept-language", "")
        known = remembered in LANGUAGES
        language = remembered if known else preferred_language(spoken, words.language)
        same = language == words.language
        updates = [gr.skip() for _ in words.components] if same else words.updates(language)
        # Not again what the page has: a language that was chosen meanwhile would be undone.
        return [gr.skip() if same else language, *updates]

    def on_change(language: str) -> list[Any]:
        return [language, *words.updates(language)]

    loaded = page.load(on_load, header.remembered, [header.language, *words.components], **PRIVATE)
    changed = header.language.input(
        on_change,
        header.language,
        [header.remembered, *words.components],
        trigger_mode="always_last",
        **PRIVATE,
    )
    # First what is typed over soonest. The other tabs show what is on disk when they are opened.
    restored = _show(loaded.then, rooms.hyperparameters.restore, header)
    for refresh in (header.refresh, rooms.download.restore, rooms.download.refresh):
        _show(restored.then, refresh, header)
    for refresh in [header.refresh, *rooms.refreshes.values()]:
        _show(changed.then, refresh, header)
