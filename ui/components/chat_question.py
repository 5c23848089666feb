"""The box for questions, and all that asks: sent, edited, asked again, taken back, stopped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from backend.chat.room import Room
from backend.text import text
from ui.components.actions import pressed
from ui.components.chat_board import STOP_ALL
from ui.components.chat_columns import column_label
from ui.components.chat_settings import settings_of
from ui.components.chat_stay import MOST_PAGES, Waiting, stay
from ui.components.choices import choices_now
from ui.errors import told
from ui.i18n import Words
from ui.wiring import CARRYING, PRIVATE

ALL = ""

EMPTIED = """(now, sent) => [now === sent ? "" : now, ""]"""
"""What stands in the box when a question was taken: nothing, if it is still that one. On a bad line
a person has begun the next one by then."""

_ASKING = ("regenerate", "resend")


class ChatQuestion:
    """The part of the tab below the columns.

    Args:
        board: Where answers are shown, and where buttons ask.
        settings: The components whose values go to ``settings_of``.
    """

    def __init__(self, room: Room, words: Words, language: gr.Radio) -> None:
        self._room = room
        self._waiting = Waiting()
        with gr.Row(equal_height=False):
            self._lay_out(words)

    def _lay_out(self, words: Words) -> None:
        self.question = words.make(
            gr.Textbox,
            {"label": "chat.question", "info": "chat.question_help"},
            lines=1,
            max_lines=6,
            scale=5,
            elem_id="chat-question",
        )
        # The question that was taken, until the box is emptied of it.
        self._sent = gr.Textbox(visible="hidden")
        self.target = words.make(
            gr.Dropdown,
            {"label": "chat.target"},
            choices=[("", ALL)],
            value=ALL,
            scale=1,
            min_width=160,
            elem_id="chat-target",
        )
        small: dict[str, Any] = {"size": "sm", "min_width": 60}
        with gr.Column(min_width=180, scale=0):
            self.send = words.make(
                gr.Button, {"value": "chat.send"}, variant="primary", elem_id="chat-send"
            )
            with gr.Row():
                self.stop = words.make(
                    gr.Button, {"value": "chat.stop"}, elem_id="chat-stop", **small
                )
                self.undo = words.make(
                    gr.Button, {"value": "chat.undo"}, elem_id="chat-undo", **small
                )
                self.again = words.make(
                    gr.Button, {"value": "chat.again"}, elem_id="chat-again", **small
                )
                self.clear = words.make(
                    gr.Button, {"value": "chat.clear"}, elem_id="chat-clear", **small
                )

    def wire(self, language: gr.Radio, board: gr.HTML, settings: list[Any]) -> None:
        """Connect what asks with what it asks with."""
        self.stop.click(None, None, None, js=STOP_ALL, **PRIVATE)
        self.undo.click(told(self._undo, fills=False), [language, self.target], **PRIVATE)
        self.clear.click(told(self._clear), language, **PRIVATE)
        # Taken in a moment, so that a double click asks once and another column can be asked while
        # one answers.
        sent = gr.on(
            [self.send.click, self.question.submit],
            told(self._send),
            [language, self.question, self.target, *settings],
            self._sent,
            concurrency_limit=MOST_PAGES,
            **PRIVATE,
        )
        boxes = [self.question, self._sent]
        sent.then(None, boxes, boxes, js=EMPTIED, **PRIVATE)
        again = self.again.click(
            told(self._again, fills=False),
            [language, self.target, *settings],
            concurrency_limit=MOST_PAGES,
            **PRIVATE,
        )
        for asked in (sent, again):
            asked.then(
                told(self._stay), language, self._sent, concurrency_limit=MOST_PAGES, **CARRYING
            )
        board.click(
            told(self._press_asking),
            [language, *settings],
            self.question,
            concurrency_limit=MOST_PAGES,
            **CARRYING,
        )

    def show(self, language: str, target: str | None) -> Any:
        """Whom one can ask now."""
        columns = self._room.conversation().columns
        choices = [(text(language, "chat.target_all"), ALL)]
        choices += [(column_label(column, language), column.key) for column in columns]
        known = {key for _, key in choices}
        kept = target if target in known else ALL
        return choices_now(choices, sent=target, kept=kept)

    # What happens

    def _send(
        self,
        language: str,
        request: gr.Request,
        question: str,
        target: str | None,
        *entered: Any,
    ) -> str:
        """Ask, and say what was asked."""
        settings = settings_of(*entered)
        self._waiting.waits(request, self._room.talk.ask(question, settings, _keys(target)))
        return question

    def _again(self, language: str, request: gr.Request, target: str | None, *entered: Any) -> None:
        settings = settings_of(*entered)
        self._waiting.waits(request, self._room.talk.regenerate(settings, _keys(target)))

    def _stay(self, language: str, request: gr.Request) -> Iterator[Any]:
        yield from stay(*self._waiting.taken(request))

    def _press_asking(self, language: str, event: gr.EventData, *entered: Any) -> Iterator[Any]:
        action, target = pressed(event)
        if action not in _ASKING:
            return
        said = event._data
        column = said.get("column") if isinstance(said.get("column"), str) else None
        settings = settings_of(*entered)
        keys = _keys(column)
        if action == "regenerate":
            yield from stay(self._room.talk.regenerate(settings, keys))
        else:
            question = said.get("text") if isinstance(said.get("text"), str) else ""
            yield from stay(self._room.talk.resend(target, question, settings, keys))

    def _undo(self, language: str, target: str | None) -> None:
        self._room.talk.undo(_keys(target))

    def _clear(self, language: str) -> None:
        self._room.begin()


def _keys(target: str | None) -> list[str] | None:
    """One column by its key, or all."""
    return [target] if target else None
