"""Columns from elsewhere: a model behind an OpenAI-compatible address, an adapter in a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import gradio as gr

from backend.chat.remotes import checked_address
from backend.chat.room import Room
from backend.chat.sources import remote
from backend.errors import EngineError
from backend.library.adapters import list_adapters, remove_adapter
from backend.library.models import list_models
from backend.loopback import leads_to_loopback
from backend.text import text
from ui.components.actions import action_button, action_slot, on_press, pressed
from ui.components.chat_choice import ChatChoice
from ui.components.titles import title
from ui.errors import told
from ui.html import Safe, element, join
from ui.i18n import Words
from ui.wiring import PRIVATE

TAKEN_AWAY = """() => [1, 2, 3].map(() => ({ __type__: "update", visible: false }))"""
"""What was offered of another address, three components."""


class ChatElsewhere:
    """Two folded forms; what they add is chosen as a column."""

    def __init__(self, room: Room, words: Words, language: gr.Radio, *, choice: ChatChoice) -> None:
        self._room = room
        self._choice = choice
        with words.make(
            gr.Accordion, {"label": "chat.elsewhere.title"}, open=False, elem_id="chat-elsewhere"
        ):
            with gr.Row(equal_height=False):
                with gr.Column(min_width=320):
                    self._lay_out_server(words)
                with gr.Column(min_width=320):
                    self._lay_out_adapter(words)
            self.added = action_slot("chat-servers")
            self.removing = gr.State("")
        self._wire(language)

    def _lay_out_server(self, words: Words) -> None:
        title(words, "chat.remote.title", level="h4")
        self.address = words.make(
            gr.Textbox,
            {"label": "chat.remote.address", "info": "chat.remote.address_help"},
            max_lines=1,
            elem_id="chat-address",
        )
        with gr.Row():
            self.key = words.make(
                gr.Textbox,
                {"label": "chat.remote.key", "info": "chat.remote.key_help"},
                type="password",
                max_lines=1,
                elem_id="chat-key",
            )
            self.keep = words.make(
                gr.Checkbox, {"label": self._keep_label}, value=False, elem_id="chat-keep-key"
            )
        self.ask = words.make(
            gr.Button, {"value": "chat.remote.ask"}, size="sm", elem_id="chat-ask-models"
        )
        self.model = words.make(
            gr.Dropdown,
            {"label": "chat.remote.model"},
            choices=[],
            value=None,
            visible=False,
            elem_id="chat-remote-model",
        )
        self.agree = gr.Checkbox(value=False, visible=False, elem_id="chat-agree")
        self.add = words.make(
            gr.Button,
            {"value": "chat.remote.add"},
            size="sm",
            visible=False,
            elem_id="chat-add-remote",
        )

    def _lay_out_adapter(self, words: Words) -> None:
        title(words, "chat.adapter.title", level="h4")
        self.path = words.make(
            gr.Textbox,
            {"label": "chat.adapter.path", "info": "chat.adapter.path_help"},
            max_lines=1,
            elem_id="chat-adapter-path",
        )
        with gr.Row():
            self.base = words.make(
                gr.Dropdown,
                {"label": "chat.adapter.base"},
                choices=[("", "")],
                value="",
                elem_id="chat-adapter-base",
            )
            self.way = words.make(
                gr.Radio,
                {"label": "download.import.way", "choices": _ways},
                value="copy",
                elem_id="chat-adapter-way",
            )
        self.take = words.make(
            gr.Button, {"value": "chat.adapter.take"}, size="sm", elem_id="chat-take-adapter"
        )

    def _keep_label(self, language: str) -> str:
        return text(language, "chat.remote.keep", file=self._room.loader.remotes.file)

    def _wire(self, language: gr.Radio) -> None:
        columns = self._choice.columns
        offered = [self.model, self.agree, self.add]
        self.ask.click(
            told(self._ask),
            [language, self.address, self.key],
            offered,
            trigger_mode="multiple",
            **PRIVATE,
        )
        # By the browser itself: the server's answer could come after that to the question.
        self.address.input(None, None, offered, js=TAKEN_AWAY, **PRIVATE)
        self.add.click(
            told(self._add),
            [language, self.address, self.key, self.keep, self.model, self.agree, columns],
            [columns, self.address, self.key, *offered, self.added],
            **PRIVATE,
        )
        self.take.click(
            told(self._take),
            [language, self.path, self.base, self.way, columns],
            [columns, self.path, self.added],
            **PRIVATE,
        )
        on_press(
            self.added,
            self._press,
            [language, columns, self.removing],
            [columns, self.added, self.removing],
        )

    @property
    def shown(self) -> list[Any]:
        return [self.base, self.added]

    def show(self, language: str) -> list[Any]:
        models = [one.id for one in list_models(self._room.workspace) if one.ready]
        choices = [(text(language, "chat.adapter.base_any"), ""), *((one, one) for one in models)]
        return [gr.update(choices=choices), self._listed(language)]

    # What happens

    def _ask(self, language: str, address: str, key: str) -> list[Any]:
        """Ask the server what it has; a key that was typed is tried and not kept yet."""
        at = checked_address(address or "")
        remotes = self._room.loader.remotes
        names = remotes.list_models(at, (key or "").strip() or None)
        host = urlsplit(at).netloc
        way = "plain" if at.startswith("http:") else "safe"
        return [
            gr.update(choices=names, value=names[0], visible=True),
            gr.update(
                label=text(language, f"chat.remote.agree.{way}", host=host),
                value=remotes.is_agreed(at),
                visible=not leads_to_loopback(at),
            ),
            gr.update(visible=True),
        ]

    def _add(
        self,
        language: str,
        address: str,
        key: str,
        keep: bool,
        model: str | None,
        agree: bool,
        columns: list[str],
    ) -> list[Any]:
        at = checked_address(address or "")
        remotes = self._room.loader.remotes
        if not model:
            raise EngineError("chat.remote.errors.no_models", address=at)
        remotes.add(at, model, key=(key or "").strip() or None, keep=keep, agreed=bool(agree))
        chosen = [*columns, remote(at, model).key]
        hidden = gr.update(visible=False)
        return [
            self._choice.show(language, chosen),
            gr.update(value=""),
            gr.update(value=""),
            hidden,
            hidden,
            hidden,
            self._listed(language),
        ]

    def _take(self, language: str, path: str, base: str, way: str, columns: list[str]) -> list[Any]:
        taken = self._room.loader.import_adapter(
            Path((path or "").strip()), name=None, base=base or None, link=way == "link"
        )
        gr.Info(text(language, "chat.adapter.taken", name=taken.name, base=taken.base), duration=8)
        chosen = [*columns, f"adapter:{taken.name}"]
        shown = self._choice.show(language, chosen)
        return [shown, gr.update(value=""), self._listed(language)]

    def _press(
        self, language: str, event: gr.EventData, columns: list[str], removing: str
    ) -> list[Any]:
        action, target = pressed(event)
        asked = ""
        match action:
            case "forget":
                address, _, model = target.partition(" ")
                self._room.loader.remotes.remove(address, model)
            case "remove":
                asked = target
            case "remove-now" if target == removing:
                remove_adapter(self._room.workspace, target)
        chosen = self._choice.show(language, columns, sent=columns)
        return [chosen, self._listed(language, asked), asked]

    def _listed(self, language: str, removing: str = "") -> Safe:
        """What was added so far, and how it is taken away again."""
        return join([self._servers(language), self._adapters(language, removing)])

    def _adapters(self, language: str, removing: str) -> Safe:
        lines = []
        for one in list_adapters(self._room.workspace):
            words = text(language, "chat.adapter.on", name=one.name, base=one.base)
            buttons = [action_button(text(language, "chat.adapter.remove"), "remove", one.name)]
            if one.name == removing:
                words = text(language, "chat.adapter.sure", name=one.name)
                buttons = [
                    action_button(
                        text(language, "chat.saved.delete_now"), "remove-now", one.name, tone="bad"
                    ),
                    action_button(text(language, "chat.saved.keep"), "keep", one.name),
                ]
            lines.append(
                element("div", words, " ", *buttons, cls="mt-small", data_key=f"adapter {one.name}")
            )
        return join(lines)

    def _servers(self, language: str) -> Safe:
        remotes = self._room.loader.remotes
        lines = []
        for address, model in remotes.models():
            key = "chat.remote.with_key" if remotes.has_key(address) else "chat.remote.without_key"
            forget = action_button(
                text(language, "chat.remote.forget"), "forget", f"{address} {model}"
            )
            words = f"{model} — {address} · {text(language, key)} "
            lines.append(
                element("div", words, forget, cls="mt-small", data_key=f"{address} {model}")
            )
        if remotes.unreadable is not None:
            words = remotes.unreadable.sentence(language)
            lines.insert(0, element("p", words, cls="mt-bad", role="status"))
        return join(lines)


def _ways(language: str) -> list[tuple[str, str]]:
    return [(text(language, f"download.import.{way}"), way) for way in ("copy", "link")]
