"""What a column's model is given to read: the exact prompt, as text and as tokens."""

from __future__ import annotations

from typing import Any

import gradio as gr

from backend.chat.bench import Bench, Prompt
from backend.chat.settings import Thinking
from backend.text import text
from ui.components.choices import choices_now
from ui.components.marking import visible
from ui.components.slot import slot
from ui.components.token_view import DRAWN, spaced
from ui.errors import told
from ui.html import Safe, count, element, empty, join, safe
from ui.i18n import Words
from ui.wiring import PRIVATE


class PromptPanel:
    """The panel's components.

    Args:
        question: The box in which the next question is typed.
        system, thinking: The settings that change a prompt.
    """

    def __init__(
        self,
        words: Words,
        bench: Bench,
        question: gr.Textbox,
        system: gr.Textbox,
        thinking: gr.Radio,
    ) -> None:
        self._bench = bench
        self._question = question
        self._system, self._thinking = system, thinking
        with gr.Row(elem_classes="mt-pager"):
            self.column = words.make(
                gr.Dropdown,
                {"label": "chat.prompt.column"},
                choices=[],
                value=None,
                scale=3,
                elem_id="prompt-column",
            )
            self.way = words.make(
                gr.Radio,
                {"label": "chat.prompt.way", "choices": _ways},
                value="text",
                scale=2,
                elem_id="prompt-way",
            )
            self.show = words.make(gr.Button, {"value": "chat.prompt.show"}, elem_id="prompt-show")
        self.view = words.make(slot, {"value": _empty}, elem_id="prompt")

    def wire(self, language: gr.Radio) -> None:
        settings = [self._system, self._thinking]
        inputs = [language, self.column, self.way, self._question, *settings]
        for event in (self.show.click, self.column.input, self.way.input):
            event(told(self._show), inputs, [self.column, self.view], **PRIVATE)

    def _show(
        self,
        language: str,
        key: str | None,
        way: str,
        typed: str,
        system: str,
        thinking: Thinking,
    ) -> list[Any]:
        columns = {one.key: one for one in self._bench.shown()}
        chosen = key if key in columns else next(iter(columns), None)
        choices = [(one.label, one.key) for one in columns.values()]
        update = choices_now(choices, sent=key, kept=chosen)
        if chosen is None:
            return [update, _empty(language)]
        prompt = self._bench.prompt(
            chosen, typed if (typed or "").strip() else "", (system or "").strip(), thinking
        )
        if prompt is None:
            words = text(language, "chat.prompt.unknown", name=columns[chosen].label)
            return [update, element("p", words, cls="mt-notice")]
        return [update, prompt_view(prompt, language, as_tokens=way == "tokens")]


def _ways(language: str) -> list[tuple[str, str]]:
    return [(text(language, f"chat.prompt.ways.{way}"), way) for way in ("text", "tokens")]


def _empty(language: str) -> Safe:
    return empty(language, "chat.prompt.empty")


def prompt_view(prompt: Prompt, language: str, *, as_tokens: bool) -> Safe:
    """A prompt with its length, as text or with the bounds and ids of its tokens."""
    about = text(
        language,
        "chat.prompt.tokens",
        count=count(len(prompt.tokens)),
        template=prompt.template or "–",
    )
    whose = text(language, "chat.prompt.last" if prompt.sent else "chat.prompt.next")
    name = text(language, "chat.prompt.text_of", name=prompt.column.label)
    body = _tokens(prompt, language) if as_tokens else safe(visible(prompt.text))
    place: dict[str, Any] = {"tabindex": 0, "role": "group", "aria_label": name}
    shown = element("div", body, cls="mt-tokens" if as_tokens else "mt-prompt", **place)
    return element("div", element("p", f"{about} · {whose}", cls="mt-quiet"), shown)


def _tokens(prompt: Prompt, language: str) -> Safe:
    tokens, half = prompt.tokens, DRAWN // 2
    if len(tokens) <= DRAWN:
        return join(_token(*one) for one in tokens)
    hidden = text(language, "chat.prompt.middle", count=count(len(tokens) - DRAWN))
    return join(
        [
            *(_token(*one) for one in tokens[:half]),
            element("div", hidden, cls="mt-token-fold"),
            *(_token(*one) for one in tokens[-half:]),
        ]
    )


def _token(number: int, content: str) -> Safe:
    shown = spaced(content) if content else safe(f"#{number}")
    return element("span", shown, cls="mt-token", title=number)
