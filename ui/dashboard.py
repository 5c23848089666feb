"""The shell: header, five tabs, and the wiring that crosses tabs."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from backend.chat.room import Room
from backend.first_steps import FirstSteps, Step
from backend.services import Services
from backend.text import LANGUAGES, text
from ui.components.chat_settings import settings_of
from ui.components.chat_stay import LOOK_SECONDS, MOST_PAGES, stay
from ui.components.choices import take_choices_as_sent
from ui.components.first_run import RIDER, FirstRun
from ui.components.kept_here import kept_here
from ui.components.slot import slot
from ui.components.titles import title
from ui.components.ways import build_ways, way_to
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
from ui.turns import take_turns
from ui.wiring import CARRYING, PRIVATE, Refresh

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
        # One for all pages of this dashboard.
        room = Room(services.workspace, services.engines, services.remotes)
        first = FirstRun(FirstSteps(services, room))
        riders = {RIDER: first.ride}
        header = build_header(services, words, logs_in=logs_in, riders=riders)
        first.lay_out()
        rooms = _lay_out_rooms(services, words, header.language, room)
        words.make(slot, {"value": _note}, elem_id="note")
        _wire_language(page, header, words, rooms, first)
        for name, refresh in rooms.refreshes.items():
            _show(rooms.doors[name].select, refresh, header)
        _wire_ways(rooms, header.language)
        _wire_first_steps(rooms, first, header.language)
        _tell_one_of_progress(page, header.language)
        take_turns(page)
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


def _lay_out_rooms(services: Services, words: Words, language: gr.Radio, room: Room) -> Rooms:
    remembered = kept_here("form", {})
    with gr.Tabs(selected=TABS[0], overflow_behavior="wrap", elem_id="tabs") as frame:
        doors = {name: _door(words, name) for name in TABS}
        with doors["download"]:
            _heading(words, "download")
            download = DownloadTab(services, words, language)
        with doors["data"]:
            _heading(words, "data")
            data = DataTab(services, words, language)
        with doors["hyperparameters"]:
            _heading(words, "hyperparameters")
            form = HyperparametersTab(services, words, language, remembered=remembered)
        with doors["training"]:
            _heading(words, "training")
            training = TrainingTab(services, words, language, form=form.form)
        with doors["chat"]:
            _heading(words, "chat")
            chat = ChatTab(services, words, language, room=room)
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


def _wire_first_steps(rooms: Rooms, first: FirstRun, language: gr.Radio) -> None:
    """Each step in the tab that it is about, and the ways that lead there from an empty place."""
    steps, form, training, chat = first.steps, rooms.hyperparameters, rooms.training, rooms.chat

    def show(spoken: str) -> list[Any]:
        return rooms.data.choose(spoken, steps.take(spoken))

    def prepare(spoken: str) -> list[Any]:
        return rooms.data.choose(spoken, steps.prepare(spoken))

    def fill(spoken: str) -> list[Any]:
        return form.take(spoken, steps.settings())

    def compare(spoken: str, *entered: Any) -> Iterator[Any]:
        settings = settings_of(*entered)
        steps.compare()
        keys = [column.key for column in chat.room.conversation().columns]
        yield chat.choice.show(spoken, keys)
        while steps.loading:
            yield gr.skip()
            time.sleep(LOOK_SECONDS)
        yield from stay(steps.ask(settings))

    def then_go(event: Any, tab: str) -> None:
        # What the step has changed first: coming to the tab shows it.
        gone = event.success(lambda: _go(tab), None, rooms.frame, **PRIVATE)
        gone.then(told(first.show), language, first.strip, **PRIVATE)

    ways = build_ways()
    data = rooms.data.chosen
    then_go(ways.sample(told(show), language, data, **PRIVATE), "data")
    then_go(first.on(Step.TAKE)(told(show), language, data, **PRIVATE), "data")
    then_go(first.on(Step.PREPARE)(told(prepare), language, data, **PRIVATE), "data")
    filled = first.on(Step.SETTINGS)(told(fill), language, form.taken, **PRIVATE)
    then_go(form.remember(filled), "hyperparameters")
    start = told(training.starting(steps.start))
    started = first.on(Step.START)(start, training.starts_with, training.started, **PRIVATE)
    then_go(started, "training")
    asked = [language, *chat.settings]
    compared = first.on(Step.COMPARE)
    compared(lambda: _go("chat"), None, rooms.frame, **PRIVATE)
    compared(
        told(compare), asked, chat.choice.columns, concurrency_limit=MOST_PAGES, **PRIVATE
    ).then(told(first.show), language, first.strip, **PRIVATE)
    first.on(Step.DONE)(lambda: _go("download"), None, rooms.frame, **PRIVATE)
    first.strip.asked(told(first.show), language, first.strip, **PRIVATE)
    ways.way(_follow, None, rooms.frame, **CARRYING)


def _follow(event: gr.EventData) -> Any:
    tab = way_to(event)
    return _go(tab) if tab in TABS else gr.skip()


def _door(words: Words, name: str) -> gr.Tab:
    return words.make(gr.Tab, {"label": f"app.tabs.{name}"}, id=name, elem_id=f"tab-{name}")


def _heading(words: Words, name: str) -> gr.HTML:
    """A tab's name as its heading, for those who go from heading to heading; unseen."""
    return title(
        words,
        f"app.tabs.{name}",
        level="h2",
        elem_id=f"heading-{name}",
        elem_classes="mt-heard",
    )


def _go(tab: str) -> Any:
    return gr.Tabs(selected=tab)


def _note(language: str) -> str:
    words = text(language, "welcome.title")
    again = element("button", words, type="button", cls="mt-link", data_first_steps="")
    return element("p", text(language, "app.note"), " ", again, cls="mt-note")


def _show(trigger: Any, refresh: Refresh, header: Header) -> Any:
    """Show what is on disk; what is wrong there is a sentence, whichever tab meets it."""
    return trigger(
        told(refresh.show),
        [header.spoken, *refresh.inputs],
        list(refresh.outputs),
        **PRIVATE,
    )


def _wire_language(
    page: gr.Blocks, header: Header, words: Words, rooms: Rooms, first: FirstRun
) -> None:
    """Choose the language when a page loads, and change it in place when the person does."""

    def on_load(remembered: str, request: gr.Request) -> list[Any]:
        spoken = request.headers.get("accept-language", "")
        known = remembered in LANGUAGES
        language = remembered if known else preferred_language(spoken, words.language)
        same = language == words.language
        updates = [gr.skip() for _ in words.components] if same else words.updates(language)
        # Not again what the page has: a language that was chosen meanwhile would be undone.
        return [gr.skip() if same else language, language, *updates]

    def on_change(language: str) -> list[Any]:
        return [language, language, *words.updates(language)]

    worded = [header.spoken, *words.components]
    loaded = page.load(on_load, header.remembered, [header.language, *worded], **PRIVATE)
    changed = header.language.input(
        on_change,
        header.language,
        [header.remembered, *worded],
        trigger_mode="always_last",
        **PRIVATE,
    )
    _show(loaded.then, first.refresh, header)
    # First what is typed over soonest. The other tabs show what is on disk when they are opened.
    restored = _show(loaded.then, rooms.hyperparameters.restore, header)
    for refresh in (header.refresh, rooms.download.restore, rooms.download.refresh):
        _show(restored.then, refresh, header)
    for refresh in [header.refresh, first.refresh, *rooms.refreshes.values()]:
        _show(changed.then, refresh, header)
