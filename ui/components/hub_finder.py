"""Find a repository, see what it holds and whether it fits, choose files: before a byte moves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from backend.errors import MedTuneError
from backend.hub.addresses import parse_address
from backend.hub.downloads import Downloads
from backend.hub.plan import Plan
from backend.hub.repository import HubName, Kind
from backend.text import text
from ui.components.hub_facts import (
    HUB_NAMES,
    entries,
    entry_facts,
    file_label,
    plan_facts,
    room_facts,
)
from ui.components.slot import slot
from ui.components.titles import title
from ui.errors import tell, told
from ui.html import Safe, empty
from ui.i18n import Words
from ui.wiring import PRIVATE

FIRST_HUB: HubName = "modelscope"

_AGREE = 3
"""The consent's place among the parts of a plan: it is given for one listing, not for the next."""

MOST_PAGES = 8
"""Windows that are answered at once."""

_ORDERED: Mapping[str, Any] = {
    **PRIVATE,
    "concurrency_id": "hub-finder",
    "concurrency_limit": 1,
}
"""For what takes no time and has to be done in the order of the page."""


class HubFinder:
    """The finder's components, and what happens when they are used.

    Attributes:
        started: The event after which the download runs.
        shown: What ``show`` fills.
    """

    def __init__(self, downloads: Downloads, words: Words, language: gr.Radio) -> None:
        self._downloads = downloads
        title(words, "hub.title")
        self._lay_out_choice(words)
        self._lay_out_plan(words)
        self._wire(language)
        self.shown = [self.details, *self._plan_parts, self.room]
        # Nothing of it is on disk: it is drawn again for another language alone.
        entered = [self.hub, self.kind, self.catalogue, self.plan, self.files]
        language.change(self.show, [language, *entered], self.shown, **PRIVATE)

    def _lay_out_choice(self, words: Words) -> None:
        with gr.Row():
            self.hub = words.make(
                gr.Radio,
                {"label": "hub.hub"},
                choices=[(name, hub) for hub, name in HUB_NAMES.items()],
                value=FIRST_HUB,
                elem_id="hub-name",
            )
            self.kind = words.make(
                gr.Radio,
                {"label": "hub.kind", "choices": _kinds},
                value="model",
                elem_id="hub-kind",
            )
        self.catalogue = words.make(
            gr.Dropdown,
            {"label": "hub.catalogue", "info": "hub.catalogue_help"},
            choices=entries(FIRST_HUB, "model"),
            value=None,
            elem_id="hub-catalogue",
        )
        self.details = slot("hub-details")
        self.address = words.make(
            gr.Textbox,
            {"label": "hub.address", "info": "hub.address_help"},
            max_lines=1,
            elem_id="hub-address",
        )
        self.ask = words.make(gr.Button, {"value": "hub.show"}, elem_id="hub-show")

    def _lay_out_plan(self, words: Words) -> None:
        self.plan = gr.State(None)
        self.listed = gr.State(None)
        self.about = slot("hub-plan", value=_nothing_listed(words.language))
        with gr.Row(visible=False, elem_classes="mt-picks") as self.picks:
            self.advised, self.all, self.none = (
                words.make(gr.Button, {"value": f"hub.{name}"}, size="sm", elem_id=f"files-{name}")
                for name in ("advised", "all", "none")
            )
        self.files = words.make(
            gr.CheckboxGroup,
            {"label": "hub.choose_files"},
            choices=[],
            visible=False,
            elem_id="hub-files",
        )
        self.agree = words.make(
            gr.Checkbox,
            {"label": "hub.allow_pickle"},
            value=False,
            visible=False,
            elem_id="hub-allow-pickle",
        )
        self.room = slot("hub-room")
        self.start = words.make(
            gr.Button,
            {"value": "hub.start"},
            variant="primary",
            visible=False,
            elem_id="hub-start",
        )
        self._plan_parts = [self.about, self.picks, self.files, self.agree, self.start]

    def _wire(self, language: gr.Radio) -> None:
        gr.on(
            [self.hub.input, self.kind.input],
            self._choose_hub,
            [language, self.hub, self.kind],
            [self.catalogue, self.details],
            trigger_mode="always_last",
            **PRIVATE,
        )
        self.catalogue.input(
            self._choose_entry,
            [language, self.hub, self.kind, self.catalogue],
            [self.address, self.details],
            trigger_mode="always_last",
            **PRIVATE,
        )
        # What is listed belongs to what is named: neither is there without the other. So a list is
        # asked for when what was typed before has been dealt with, and not beside it; and another
        # name may have been typed while the hub was thinking.
        named = [language, self.hub, self.kind, self.address]
        filled = [self.plan, self.listed, *self._plan_parts, self.room]
        forget = (self._forget_other, [*named, self.listed], filled)
        gr.on([self.ask.click, self.address.submit], _begin, None, None, **_ORDERED).then(
            self._ask,
            named,
            filled,
            # A hub that keeps one window waiting keeps no other; nor does the reading of files.
            concurrency_limit=MOST_PAGES,
            **{**PRIVATE, "show_progress": "minimal", "show_progress_on": self.about},
        ).then(*forget, **_ORDERED)
        # Not the address's ``input``, which comes before the field has the key.
        gr.on(
            [self.hub.input, self.kind.input, self.address.change],
            *forget,
            trigger_mode="always_last",
            **_ORDERED,
        )
        self.files.input(
            _room,
            [language, self.plan, self.files],
            self.room,
            trigger_mode="always_last",
            **PRIVATE,
        )
        for button, pick in ((self.advised, _advised), (self.all, _all), (self.none, _none)):
            button.click(pick, self.plan, self.files, **PRIVATE).then(
                _room, [language, self.plan, self.files], self.room, **PRIVATE
            )
        self.started = self.start.click(
            told(self._start),
            [language, self.plan, self.files, self.agree],
            filled,
            **PRIVATE,
        )

    # What happens

    def show(
        self,
        language: str,
        hub: HubName,
        kind: Kind,
        entry: str | None,
        plan: Plan | None,
        chosen: Sequence[str] | None,
    ) -> list[Any]:
        """Everything again, in another language."""
        chosen = chosen or ()
        return [
            entry_facts(hub, kind, entry, language),
            *self._plan_updates(language, plan, chosen),
            room_facts(plan, chosen, language),
        ]

    def _choose_hub(self, language: str, hub: HubName, kind: Kind) -> list[Any]:
        return [gr.update(choices=entries(hub, kind), value=None), Safe("")]

    def _choose_entry(
        self, language: str, hub: HubName, kind: Kind, entry: str | None
    ) -> list[Any]:
        return [entry or "", entry_facts(hub, kind, entry, language)]

    def _ask(self, language: str, hub: HubName, kind: Kind, address: str) -> list[Any]:
        try:
            plan = self._plan(hub, kind, address)
        except MedTuneError as error:
            tell(language, error)
            return self._forget(language)  # not the list of what was asked for before
        shown = self._plan_updates(language, plan, plan.advised)
        shown[_AGREE] = gr.update(visible=shown[_AGREE]["visible"], value=False)
        room = room_facts(plan, plan.advised, language)
        return [plan, (hub, kind, address), *shown, room]

    def _plan(self, hub: HubName, kind: Kind, address: str) -> Plan:
        hosts = self._downloads.settings.hosts()
        return self._downloads.plan(parse_address(address or "", hub=hub, kind=kind, hosts=hosts))

    def _forget_other(
        self,
        language: str,
        hub: HubName,
        kind: Kind,
        address: str,
        listed: tuple[HubName, Kind, str] | None,
    ) -> list[Any]:
        """Take a list away that is of another repository than the one that is named.

        Gradio sends what follows one event one after another, so this may well come after the list
        of that very repository.
        """
        forgotten = self._forget(language)
        if listed is None or listed == (hub, kind, address):
            return [gr.skip()] * len(forgotten)
        return forgotten

    def _forget(self, language: str) -> list[Any]:
        return [None, None, *self._plan_updates(language, None, ()), ""]

    def _start(
        self, language: str, plan: Plan | None, paths: Sequence[str], agree: bool
    ) -> list[Any]:
        if plan is not None:
            self._downloads.start(plan, paths, allow_pickle=agree)
        return self._forget(language)

    def _plan_updates(self, language: str, plan: Plan | None, chosen: Sequence[str]) -> list[Any]:
        """What is listed, and the parts that only make sense with a listing."""
        if plan is None:
            hidden = gr.update(visible=False)
            return [
                _nothing_listed(language),
                hidden,
                gr.update(visible=False, choices=[], value=[]),
                gr.update(visible=False, value=False),
                hidden,
            ]
        labels = [(file_label(one, language), one.file.path) for one in plan.files]
        return [
            plan_facts(plan, language),
            gr.update(visible=True),
            gr.update(visible=True, choices=labels, value=list(chosen)),
            gr.update(visible=any(one.pickle for one in plan.files)),
            gr.update(visible=True),
        ]


def _begin() -> None:
    """A person has asked; by then all that was typed before has been heard."""


def _nothing_listed(language: str) -> Safe:
    return empty(language, "hub.no_plan")


def _kinds(language: str) -> list[tuple[str, str]]:
    return [(text(language, f"hub.kinds.{kind}"), kind) for kind in ("model", "dataset")]


def _room(language: str, plan: Plan | None, chosen: Sequence[str]) -> Safe:
    return room_facts(plan, chosen, language)


def _advised(plan: Plan | None) -> list[str]:
    return plan.advised if plan else []


def _all(plan: Plan | None) -> list[str]:
    return [one.file.path for one in plan.files] if plan else []


def _none(plan: Plan | None) -> list[str]:
    return []
