"""Conversations of the workspace: found, opened again, exported, deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from backend.chat import conversations
from backend.chat.exporting import exported
from backend.chat.listing import Entry
from backend.chat.room import Room
from backend.errors import MedTuneError
from backend.text import LANGUAGES, text
from ui.components.actions import action_button, on_press, pressed, script
from ui.components.chat_choice import ChatChoice
from ui.errors import told
from ui.html import Safe, element, empty, join
from ui.i18n import Words
from ui.wiring import PRIVATE

MOST_SHOWN = 30
"""More are found by their words."""


class ChatSaved:
    """The folded list."""

    def __init__(self, room: Room, words: Words, language: gr.Radio, *, choice: ChatChoice) -> None:
        self._room = room
        self._choice = choice

        def content(asked: Any) -> dict[str, str]:
            return _export(room, asked)

        with words.make(
            gr.Accordion, {"label": "chat.saved.title"}, open=False, elem_id="chat-saved"
        ):
            self.words = words.make(
                gr.Textbox,
                {"label": "chat.saved.search"},
                max_lines=1,
                elem_id="chat-saved-search",
            )
            self.deleting = gr.State("")
            self.list = gr.HTML(
                value="",
                html_template='<div class="mt-live"></div>',
                js_on_load=script("patch.js", "chat_saved.js", "actions.js"),
                server_functions=[content],
                apply_default_css=False,
                elem_id="chat-saved-list",
            )
        # Not "once", which would leave what was found for the first letter.
        self.words.change(
            told(self._find),
            [language, self.words],
            self.list,
            trigger_mode="always_last",
            **PRIVATE,
        )
        on_press(
            self.list,
            self._press,
            [language, self.words, choice.columns, self.deleting],
            [self.list, choice.columns, self.deleting],
        )

    def show(self, language: str, words: str, deleting: str = "") -> Safe:
        entries = self._room.present.listing.entries(words or "")
        return saved_list(entries, self._room.conversation().id, deleting, language)

    def _find(self, language: str, words: str) -> Safe:
        return self.show(language, words)

    def _press(
        self, language: str, event: gr.EventData, words: str, columns: list[str], deleting: str
    ) -> list[Any]:
        action, target = pressed(event)
        chosen: Any = gr.skip()
        asked = ""
        match action:
            case "open":
                self._room.open(target)
                keys = [column.key for column in self._room.conversation().columns]
                chosen = self._choice.show(language, keys)
            case "delete":
                asked = target
            case "delete-now" if target == deleting:
                self._room.delete(target)
        return [self.show(language, words, asked), chosen, asked]


def saved_list(entries: Sequence[Entry], present: str, deleting: str, language: str) -> Safe:
    """The newest conversations; the one that is to be deleted asks whether it should be."""
    if not entries:
        return empty(language, "chat.saved.empty", "#chat-question")
    lines = [_line(one, present, deleting, language) for one in entries[:MOST_SHOWN]]
    if len(entries) > MOST_SHOWN:
        words = text(language, "chat.saved.more", shown=MOST_SHOWN, count=len(entries))
        lines.append(element("p", words, cls="mt-quiet", data_key="more"))
    return join(lines)


def _line(entry: Entry, present: str, deleting: str, language: str) -> Safe:
    title = entry.title or text(language, "chat.saved.untitled")
    about = text(
        language,
        "chat.saved.about",
        created=entry.created[:16].replace("T", " "),
        turns=entry.turns,
        columns=", ".join(entry.columns),
    )
    buttons = [
        action_button(
            text(language, f"chat.saved.{action}"), action, entry.id, data_language=language
        )
        for action in ("open", "md", "json", "delete")
        if not (action == "open" and entry.id == present)
    ]
    if entry.id == deleting:
        buttons = [
            element("span", text(language, "chat.saved.sure")),
            action_button(
                text(language, "chat.saved.delete_now"), "delete-now", entry.id, tone="bad"
            ),
            action_button(text(language, "chat.saved.keep"), "keep", entry.id),
        ]
    return element(
        "div",
        element("strong", title, cls="mt-name"),
        element("div", about, cls="mt-quiet mt-small"),
        element("div", *buttons, cls="mt-buttons"),
        cls="mt-job",
        data_key=entry.id,
    )


def _export(room: Room, asked: Any) -> dict[str, str]:
    """The file of a conversation, for the browser to save.

    Args:
        asked: From a browser, so it may be anything: ``{"id", "form", "language"}``.
    """
    match asked:
        case {"id": str(name), "form": "md" | "json" as form}:
            language = asked.get("language") if isinstance(asked, Mapping) else None
            spoken = language if language in LANGUAGES else LANGUAGES[0]
            try:
                found = conversations.load(room.workspace, name)
            except MedTuneError as error:
                return {"error": error.sentence(spoken)}
            content = exported(found, form, spoken)
            return {"name": f"{found.id}.{form}", "content": content}
    return {}
