"""The tools beside the conversation: questions, differences, the exact prompt, many questions,
blind rating with its tally. Each is a panel of its own; this lays them out and keeps them up to
date."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from backend.chat.asking_many import AskingMany
from backend.chat.bench import Bench
from backend.chat.settings import Settings
from backend.workspace import Workspace
from ui.components.chat_blind import BlindPanel
from ui.components.chat_difference import DifferencePanel
from ui.components.chat_many import NOT_OPENED, ManyPanel
from ui.components.chat_prompt import PromptPanel
from ui.components.chat_questions import QuestionsPanel
from ui.components.chat_tally import TallyPanel
from ui.components.pulse import Pulse
from ui.errors import told
from ui.i18n import Words
from ui.wiring import PRIVATE

TOOLS = ("questions", "difference", "prompt", "many", "blind")


class ChatTools:
    """The tools' components.

    Attributes:
        inputs, outputs: What ``show`` takes behind the language, and what it fills.

    Args:
        question: The box of the conversation, into which a chosen question is put.
        reference: Where the reference answer of a chosen question is shown.
        system, thinking: The settings that change a prompt.
    """

    def __init__(
        self,
        words: Words,
        workspace: Workspace,
        bench: Bench,
        asking: AskingMany,
        *,
        question: gr.Textbox,
        reference: gr.HTML,
        system: gr.Textbox,
        thinking: gr.Radio,
    ) -> None:
        with gr.Tabs(
            selected=TOOLS[0], overflow_behavior="wrap", elem_id="chat-tools"
        ) as self.frame:
            with self._door(words, "questions") as questions_door:
                self.questions = QuestionsPanel(words, workspace, bench, question, reference)
            with self._door(words, "difference"):
                self.difference = DifferencePanel(words, bench)
            with self._door(words, "prompt"):
                self.prompt = PromptPanel(words, bench, question, system, thinking)
            with self._door(words, "many"):
                self.many = ManyPanel(words, workspace, bench, asking)
            with self._door(words, "blind"):
                self.blind = BlindPanel(words, workspace, bench, asking)
                with words.make(
                    gr.Accordion, {"label": "chat.tally.title"}, open=False, elem_id="chat-tally"
                ):
                    self.tally = TallyPanel(words, workspace)
        self._questions_door = questions_door
        self.seen = gr.State("")
        self.inputs = [
            *self.questions.inputs,
            *(self.many.opened, *self.blind.inputs, self.tally.against),
        ]
        self.outputs = [
            *self.questions.shown,
            *(self.many.list, self.many.table),
            *self.blind.shown,
            *self.tally.shown,
        ]

    def _door(self, words: Words, name: str) -> gr.Tab:
        return words.make(
            gr.Tab, {"label": f"chat.{name}.title"}, id=name, elem_id=f"chat-tool-{name}"
        )

    def wire(
        self,
        language: gr.Radio,
        pulse: Pulse,
        settings: Sequence[Any],
        read: Callable[..., Settings],
    ) -> None:
        """Let the tools do what they do.

        Args:
            pulse: Ticks when ``sign`` has changed.
            settings: The components of the settings; ``read`` makes ``Settings`` of their values.
        """
        for panel in (self.questions, self.difference, self.prompt, self.tally):
            panel.wire(language)
        self.many.wire(language, settings, read)
        voted = self.blind.wire(language, settings, read)
        voted.then(
            told(self.tally.show), [language, self.tally.against], self.tally.shown, **PRIVATE
        )
        self._questions_door.select(
            told(self.questions.show),
            [language, *self.inputs[:3]],
            self.questions.shown,
            **PRIVATE,
        )
        changing = [self.many.list, self.many.table, *self.blind.shown, self.seen]
        pulse.tick(
            self._tick, [language, self.many.opened, *self.blind.inputs, self.seen], changing
        )
        # From a list to its rating: chosen, shown, and the door opened.
        self.many.rate.change(
            told(self.blind.rate), [language, self.many.rate], self.blind.turned, **PRIVATE
        ).then(
            lambda sheet: (gr.Tabs(selected="blind") if sheet else gr.skip(), ""),
            self.many.rate,
            [self.frame, self.many.rate],
            **PRIVATE,
        )

    def show(self, language: str, request: gr.Request, *values: Any) -> list[Any]:
        """All tools as things are on disk now."""
        source, dataset, first, opened, which, row, reveal, against = values
        return [
            *self.questions.show(language, source, dataset, first),
            *self.many.show(language, request, opened),
            *self.blind.show(language, request, which, row, reveal),
            *self.tally.show(language, against),
        ]

    def sign(self) -> str:
        """Changes when a list, its table or its rating would look different."""
        return f"{self.many.stamp(NOT_OPENED)}|{self.blind.sign()}"

    def _tick(
        self,
        language: str,
        request: gr.Request,
        opened: tuple[str, int],
        which: str | None,
        row: int,
        reveal: bool,
        seen: str,
    ) -> list[Any]:
        """Look whether an answer has come, and draw only then."""
        now = f"{self.many.stamp(opened)}|{self.blind.stamp(which, row)}"
        if now == seen:
            return [gr.skip()] * (2 + len(self.blind.shown) + 1)
        return [
            *self.many.show(language, request, opened),
            *self.blind.show(language, request, which, row, reveal),
            now,
        ]
