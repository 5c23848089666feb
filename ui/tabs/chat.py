"""Chat: one question to any mix of models at once, side by side."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import gradio as gr

from backend.chat.room import Room
from backend.chat.room_bench import RoomBench
from backend.services import Services
from ui.components.actions import pressed
from ui.components.chat_board import board_value, build_board
from ui.components.chat_choice import ChatChoice
from ui.components.chat_elsewhere import ChatElsewhere
from ui.components.chat_question import ChatQuestion
from ui.components.chat_saved import ChatSaved
from ui.components.chat_settings import lay_out_settings, settings_of
from ui.components.chat_tools import ChatTools
from ui.components.pulse import Beat, Pulse
from ui.components.slot import slot
from ui.errors import told
from ui.i18n import Words
from ui.wiring import CARRYING, Refresh

BEAT_SECONDS = 0.7


class ChatTab:
    """The tab's parts, and what crosses them.

    Attributes:
        choice: What is chosen to be loaded; what other tabs choose goes there.
    """

    def __init__(self, services: Services, words: Words, language: gr.Radio, *, room: Room) -> None:
        self.room = room
        self.choice = ChatChoice(room, words, language)
        self.elsewhere = ChatElsewhere(room, words, language, choice=self.choice)
        self.board = build_board(room, language=words.language)
        self.reference = slot("chat-reference")
        self.question = ChatQuestion(room, words, language)
        self.settings = lay_out_settings(words)
        self.tools = ChatTools(
            words,
            services.workspace,
            RoomBench(room),
            services.asking,
            question=self.question.question,
            reference=self.reference,
            system=self.settings[0],
            thinking=self.settings[2],
        )
        self.saved = ChatSaved(room, words, language, choice=self.choice)
        self.seen = gr.State(())
        self.question.wire(language, self.board, self.settings)
        self.board.click(
            told(self._press),
            [language, self.choice.columns],
            self.choice.columns,
            **CARRYING,
        )
        questions = self.tools.questions
        self._moving = [self.choice.status, self.saved.list, self.question.target, self.seen]
        sent = [self.question.target, self.saved.words, self.saved.deleting]
        self.pulse = Pulse(self._look, every=BEAT_SECONDS)
        self.pulse.tick(
            self._tick,
            [language, self.seen, *sent, *questions.inputs],
            [*self._moving, *questions.shown],
        )
        self.tools.wire(language, self.pulse, self.settings, settings_of)
        shown = [
            self.board,
            self.choice.columns,
            self.choice.bits,
            *self.elsewhere.shown,
            *self._moving,
        ]
        self.refresh = Refresh(
            self._show,
            [*shown, *self.tools.outputs],
            inputs=[self.choice.columns, self.choice.bits, *sent, *self.tools.inputs],
        )

    def _show(
        self,
        language: str,
        request: gr.Request,
        keys: list[str],
        bits: str,
        target: str | None,
        words: str,
        deleting: str,
        *tools: Any,
    ) -> list[Any]:
        return [
            board_value(language),
            self.choice.show(language, keys, sent=keys),
            self.choice.show_bits(bits),
            *self.elsewhere.show(language),
            self.choice.show_status(language),
            self.saved.show(language, words, deleting),
            self.question.show(language, target),
            self._stamps(),
            *self.tools.show(language, request, *tools),
        ]

    def _look(self, _language: str) -> Beat:
        loading = any(not engine.loading.over for engine in self.room.loader.engines)
        # How long it has been loading is told, so it looks different at each look.
        moment = time.monotonic() if loading else ""
        return Beat(f"{self._stamps()}|{self.tools.sign()}|{moment}")

    def _tick(
        self,
        language: str,
        seen: Sequence[str],
        target: str | None,
        words: str,
        deleting: str,
        *questions: Any,
    ) -> list[Any]:
        """Look whether something has changed, and draw only that; loading moves all the time."""
        now = self._stamps()
        before = seen or ("", "", "")
        loading = any(not engine.loading.over for engine in self.room.loader.engines)
        changed = [new != old for new, old in zip(now, before, strict=True)]
        return [
            self.choice.show_status(language) if changed[0] or loading else gr.skip(),
            self.saved.show(language, words, deleting) if changed[1] else gr.skip(),
            self.question.show(language, target) if changed[2] else gr.skip(),
            now if any(changed) else gr.skip(),
            *(
                self.tools.questions.show(language, *questions)
                if changed[2]
                else [gr.skip()] * len(self.tools.questions.shown)
            ),
        ]

    def _stamps(self) -> tuple[str, str, str]:
        """What changes when the status, the list of conversations, or the columns would."""
        now = self.room.conversation()
        return (
            self.room.stamp(),
            # Of what is on disk: another dashboard may write there.
            f"{self.room.present.listing.stamp()}|{now.id}",
            "|".join(column.key for column in now.columns),
        )

    def _press(self, language: str, event: gr.EventData, keys: list[str]) -> Any:
        """A button of the board that asks nothing."""
        action, target = pressed(event)
        said: Any = event._data if isinstance(event._data, dict) else {}
        column = said.get("column")
        key = column if isinstance(column, str) else ""
        match action:
            case "left" | "right":
                self.room.loader.move(target, -1 if action == "left" else 1)
            case "remove":
                self.room.remove(target)
                keys = [one for one in keys if one != target]
            case "undo":
                self.room.talk.undo([key])
                return gr.skip()
            case "reload":
                self.room.loader.load()
                return gr.skip()
            case _:
                return gr.skip()
        shown = [one.key for one in self.room.conversation().columns]
        chosen = [*shown, *(one for one in keys if one not in shown)]
        return self.choice.show(language, chosen)
