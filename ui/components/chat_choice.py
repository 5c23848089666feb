"""Which columns are shown, and their loading and unloading."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from backend.chat import choices
from backend.chat.columns import Bits
from backend.chat.room import MOST_COLUMNS, Room
from backend.chat.sources import Source
from backend.text import text
from backend.training.runs import find_run
from backend.training.schema.packages import command, is_installed
from ui.components.actions import action_slot, on_press, pressed
from ui.components.chat_columns import column_label
from ui.components.chat_status import nothing, status
from ui.components.choices import UNSENT, choices_now
from ui.components.live_chart import checkpoint_of
from ui.errors import told
from ui.i18n import Words
from ui.wiring import PRIVATE

SAVED = "saved"
BITSANDBYTES = "bitsandbytes"
_BITS: Mapping[str, Bits] = {"8": 8, "4": 4}


class ChatChoice:
    """The part of the tab above the columns.

    Attributes:
        columns: What is chosen.
        chosen: Whether ``choose_run`` found what it was asked for.
    """

    def __init__(self, room: Room, words: Words, language: gr.Radio) -> None:
        self._room = room
        with gr.Row(equal_height=False):
            self.columns = words.make(
                gr.Dropdown,
                {"label": "chat.columns", "info": "chat.columns_help"},
                choices=[],
                value=[],
                multiselect=True,
                max_choices=MOST_COLUMNS,
                scale=4,
                elem_id="chat-columns",
            )
            self.bits = words.make(
                gr.Radio,
                {"label": "chat.bits", "info": _bits_help, "choices": _bits},
                value="saved",
                interactive=is_installed(BITSANDBYTES),
                scale=2,
                min_width=220,
                elem_id="chat-bits",
            )
            with gr.Column(min_width=160, scale=0):
                self.load = words.make(
                    gr.Button, {"value": "chat.load"}, variant="primary", elem_id="chat-load"
                )
                self.unload = words.make(gr.Button, {"value": "chat.unload"}, elem_id="chat-unload")
        self.status = action_slot("chat-status")
        self.chosen = gr.State(False)
        self.bits.input(told(self._choose_bits, fills=False), [language, self.bits], **PRIVATE)
        self.load.click(
            told(self._load), [language, self.columns, self.bits], self.status, **PRIVATE
        )
        self.unload.click(told(self._unload), language, self.status, **PRIVATE)
        on_press(self.status, self._press, [language], [self.status])

    def show(self, language: str, keys: Sequence[str] | None, *, sent: Any = UNSENT) -> Any:
        """The dropdown: what is on disk now, and what of it is chosen.

        Args:
            keys: What should be chosen; without any, what the conversation has, or else the first
                model with the newest run on it.
            sent: What the page had chosen; it is left as it is where it can be.
        """
        known = self._room.loader.sources()
        labelled = labelled_choices(known, language)
        shown = {column.key: column for column in self._room.conversation().columns}
        for key, column in shown.items():
            if key not in known:
                labelled.append((column_label(column, language), key))
        there = {key for _, key in labelled}
        kept = [key for key in keys or () if key in there] or list(shown)
        kept = kept or first_choice(list(known.values()))
        return choices_now(labelled, sent=sent, kept=kept[:MOST_COLUMNS])

    def show_bits(self, sent: str) -> Any:
        """In how many bits the next base is loaded, as was chosen last on any page."""
        kept = str(self._room.loader.bits or SAVED)
        return gr.skip() if kept == sent else kept

    def show_status(self, language: str) -> Any:
        return status(self._room.loader, language)

    def choose_run(self, language: str, run_id: str | None) -> list[Any]:
        """Base, first and last checkpoint of a run, chosen and ready to load; and that it went.

        Raises:
            EngineError: there is nothing of it to talk to.
        """
        run = find_run(self._room.workspace, run_id or "")
        keys = choices.keys_to_compare(self._room.workspace, run)
        return [self.show(language, keys), True]

    def choose_checkpoint(self, language: str, event: gr.EventData) -> list[Any]:
        """Base and the checkpoint whose marker was clicked, chosen; and that it went."""
        asked = checkpoint_of(event)
        if asked is None:
            return [gr.skip(), False]
        run = find_run(self._room.workspace, asked[0])
        keys = choices.keys_to_compare(self._room.workspace, run, asked[1])
        return [self.show(language, keys), True]

    def _choose_bits(self, language: str, bits: str) -> None:
        self._room.loader.bits = _BITS.get(bits)

    def _load(self, language: str, keys: list[str], bits: str) -> Any:
        self._choose_bits(language, bits)
        self._room.choose(keys or [])
        self._room.loader.load()
        return self.show_status(language)

    def _unload(self, language: str) -> Any:
        if self._room.loader.unload() is None:
            return nothing(language)
        return self.show_status(language)

    def _press(self, language: str, event: gr.EventData) -> Any:
        action, target = pressed(event)
        loader = self._room.loader
        folders = {str(path): path for path in [one.model_path for one in loader.engines]}
        match action:
            case "unload" if target in folders:
                loader.unload(folders[target])
            case "anyway":
                loader.load(anyway=True)
            case "alone":
                loader.load_alone(Path(target))
        return self.show_status(language)


def _bits(language: str) -> list[tuple[str, str]]:
    return [(text(language, f"chat.bits_choices.{one}"), one) for one in (SAVED, *_BITS)]


def _bits_help(language: str) -> str:
    """When fewer bits are worth it, or how to get what they need."""
    if is_installed(BITSANDBYTES):
        return text(language, "chat.bits_help")
    packages = f"{BITSANDBYTES} ({command(BITSANDBYTES)})"
    return text(language, "fields.not_installed", packages=packages)


def labelled_choices(known: Mapping[str, Source], language: str) -> list[tuple[str, str]]:
    """Every source by its name; one that does not say so itself with the model below it."""
    found = []
    for key, source in known.items():
        label = column_label(source.saved(), language)
        if source.kind in ("lora", "imported"):
            label = f"{label} — {source.model}"
        elif source.kind == "remote":
            label = f"{label} — {source.address}"
        found.append((label, key))
    return found


def first_choice(known: Sequence[Source]) -> list[str]:
    """A model, and its newest run's first and last checkpoint; without runs the first model."""
    newest = next((one for one in known if one.kind == "lora"), None)
    if newest is None:
        return [one.key for one in known[:1]]
    mine = [one.key for one in known if one.run == newest.run]
    return list(dict.fromkeys([f"base:{newest.model}", mine[0], mine[-1]]))
