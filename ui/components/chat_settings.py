"""How columns answer: the sampling settings of the next question."""

from __future__ import annotations

import math
from typing import Any, get_args

import gradio as gr

from backend.chat.settings import Settings, Thinking
from backend.text import text
from ui.i18n import Words

FIRST: dict[str, float] = {
    "temperature": 0.6,
    "top_p": 0.95,
    "top_k": 0,
    "repetition_penalty": 1.0,
    "max_tokens": 512,
    "seed": 0,
}
"""DeepSeek's recommendation for the R1 distills; greedy is on until someone wants another."""


def lay_out_settings(words: Words) -> list[Any]:
    """The settings, folded; their values go to ``settings_of`` in this order."""
    with words.make(
        gr.Accordion, {"label": "chat.settings.title"}, open=False, elem_id="chat-settings"
    ):
        system = words.make(
            gr.Textbox,
            {"label": "chat.settings.system", "info": "chat.settings.system_help"},
            lines=1,
            max_lines=6,
            elem_id="chat-system",
        )
        with gr.Row():
            greedy = words.make(
                gr.Checkbox, {"label": "chat.settings.greedy"}, value=True, elem_id="chat-greedy"
            )
            thinking = words.make(
                gr.Radio,
                {
                    "label": "chat.settings.thinking",
                    "info": "chat.settings.thinking_help",
                    "choices": _ways,
                },
                value="trained",
                elem_id="chat-thinking",
            )
        with gr.Row():
            numbers = [
                words.make(
                    gr.Number,
                    {"label": f"chat.settings.{name}"},
                    value=value,
                    min_width=110,
                    elem_id=f"chat-{name}",
                )
                for name, value in FIRST.items()
            ]
    return [system, greedy, thinking, *numbers]


def settings_of(
    system: str,
    greedy: bool,
    thinking: Thinking,
    temperature: float | None,
    top_p: float | None,
    top_k: float | None,
    repetition_penalty: float | None,
    max_tokens: float | None,
    seed: float | None,
) -> Settings:
    """The page's settings as one value; an emptied field is refused by its name.

    Raises:
        EngineError: one is out of its range.
    """
    said = (system or "").strip()
    if greedy:
        return Settings.greedy(
            max_tokens=_whole(max_tokens),
            repetition_penalty=_given(repetition_penalty),
            system=said,
            thinking=thinking,
        )
    return Settings(
        temperature=_given(temperature),
        top_p=_given(top_p),
        top_k=_whole(top_k),
        repetition_penalty=_given(repetition_penalty),
        max_tokens=_whole(max_tokens),
        seed=_whole(seed),
        system=said,
        thinking=thinking,
    )


def _ways(language: str) -> list[tuple[str, str]]:
    return [(text(language, f"chat.thinking.{way}"), way) for way in get_args(Thinking)]


def _whole(number: float | None) -> Any:
    """A page's number as an int where it is one; ``Settings`` refuses what is none."""
    return int(number) if number is not None and float(number).is_integer() else _given(number)


def _given(number: float | None) -> Any:
    # None would mean "no seed" to Settings; an emptied field means nothing.
    return math.nan if number is None else number
