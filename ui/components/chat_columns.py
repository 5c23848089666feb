"""Chat columns: who answers, the conversation so far, and the figures of the last answer."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from backend.chat.columns import BASE
from backend.chat.conversations import Conversation, SavedMessage
from backend.chat.engines import Engine, Reply, Settings
from backend.chat.room import MOST_COLUMNS, saved_reply
from backend.text import text
from ui.components.run_view import checkpoint_words
from ui.components.slot import slot
from ui.html import Safe, element, figure
from ui.i18n import Words


@dataclass(frozen=True)
class ColumnView:
    """The components of one column."""

    box: gr.Column
    head: gr.HTML
    chat: gr.Chatbot
    stats: gr.HTML


def build_columns(words: Words) -> tuple[ColumnView, ...]:
    with gr.Row(elem_id="columns", equal_height=True):
        return tuple(_build_column(words, number) for number in range(1, MOST_COLUMNS + 1))


def _build_column(words: Words, number: int) -> ColumnView:
    with gr.Column(visible=False, min_width=220, elem_id=f"column-{number}") as box:
        head = slot(f"column-{number}-head")
        chat = words.make(
            gr.Chatbot,
            {"placeholder": "chat.placeholder"},
            show_label=False,
            height=340,
            layout="bubble",
            feedback_options=None,
            buttons=["copy"],
            group_consecutive_messages=False,
            elem_id=f"column-{number}-chat",
        )
        stats = slot(f"column-{number}-stats")
    return ColumnView(box, head, chat, stats)


def column_head(engine: Engine, key: str, template: str, language: str) -> Safe:
    """Name, template and the fingerprint of the weights that answer."""
    error = engine.column_errors.get(key)
    proof = engine.fingerprint(key) or "…"
    detail = (
        element("div", error.sentence(language), cls="mt-bad")
        if error
        else element("div", template, " · ", element("code", proof), cls="mt-quiet")
    )
    return element(
        "div", element("strong", column_label(key, language)), detail, cls="mt-column-head"
    )


def column_label(key: str, language: str) -> str:
    if key == BASE:
        return text(language, "chat.base_column")
    run, _, checkpoint = key.rpartition("/")
    return " · ".join([run, checkpoint_words(checkpoint, language)])


_MARKUP = re.compile(r"<(?=[A-Za-z/!?])|&(?=#?\w+;)|!(?=\[)")
_SHOWN = {"<": "&lt;", "&": "&amp;", "!": "&#33;"}


def literal(words: str) -> str:
    """Markdown in which HTML is what was written, not what a browser makes of it.

    A tag in a question or an answer is part of the text: shown, neither obeyed nor left out. An
    image would be fetched, perhaps from afar, and tell someone that it was looked at: it becomes a
    link.
    """
    return _MARKUP.sub(lambda found: _SHOWN[found[0]], words)


def bubbles(messages: Sequence[SavedMessage], language: str) -> list[dict[str, Any]]:
    """A column's messages as the chatbot shows them."""
    shown: list[dict[str, Any]] = []
    for message in messages:
        if message.role == "user":
            shown.append({"role": "user", "content": literal(message.content)})
        else:
            shown += _answer(message, language, pending=False)
    return shown


def pending(question: str, reply: Reply, language: str) -> list[dict[str, Any]]:
    """A question and what has come of its answer so far."""
    message = saved_reply(reply, {})
    return [
        {"role": "user", "content": literal(question)},
        *_answer(message, language, pending=not reply.over),
    ]


def _answer(message: SavedMessage, language: str, *, pending: bool) -> list[dict[str, Any]]:
    """Reasoning, folded once it is over, then the answer; a failure in its own words."""
    shown: list[dict[str, Any]] = []
    closed = message.stats.get("reasoning_closed")
    if message.reasoning or closed is False:
        running = pending and not closed
        title = "chat.reasoning" if closed or running else "chat.reasoning_open"
        metadata: dict[str, Any] = {
            "title": text(language, title),
            "status": "pending" if running else "done",
        }
        seconds = message.stats.get("reasoning_seconds")
        if seconds is not None:
            metadata["duration"] = round(seconds, 1)
        content = literal(message.reasoning)
        shown.append({"role": "assistant", "content": content, "metadata": metadata})
    if message.text:
        shown.append({"role": "assistant", "content": literal(message.text)})
    failure = message.stats.get("error")
    if failure:
        words = text(language, failure["key"], **failure["params"])
        shown.append({"role": "assistant", "content": f"⚠ {literal(words)}"})
    return shown


def stats_line(messages: Sequence[SavedMessage], language: str) -> Safe:
    """Tokens, speed and why it ended, of the last answer."""
    last = messages[-1] if messages and messages[-1].role == "assistant" else None
    if last is None or "reason" not in last.stats:
        return element("div", "", cls="mt-stats")
    return element(
        "div",
        text(
            language,
            "chat.stats",
            tokens=last.stats["tokens"],
            rate=figure(last.stats["tokens_per_second"], 3),
            first=figure(last.stats["first_token_seconds"], 2),
            reason=text(language, f"chat.reasons.{last.stats['reason']}"),
        ),
        cls="mt-stats",
    )


def settings_of(
    greedy: bool,
    temperature: float | None,
    top_p: float | None,
    max_tokens: float | None,
    seed: float | None,
) -> Settings:
    """The page's settings as one value; an emptied field is refused by its name.

    Raises:
        EngineError: one is out of its range.
    """
    if greedy:
        return Settings.greedy(max_tokens=_whole(max_tokens))
    return Settings(
        temperature=_given(temperature),
        top_p=_given(top_p),
        max_tokens=_whole(max_tokens),
        seed=_whole(seed),
    )


def _whole(number: float | None) -> Any:
    """A page's number as an int where it is one; ``Settings`` refuses what is none."""
    return int(number) if number is not None and float(number).is_integer() else _given(number)


def _given(number: float | None) -> Any:
    # None would mean "no seed" to Settings; an emptied field means nothing.
    return math.nan if number is None else number


def column_updates(
    engine: Engine | None, conversation: Conversation | None, language: str
) -> list[Any]:
    """Box, head, chat and figures of every column."""
    columns = conversation.columns if engine and conversation else []
    updates: list[Any] = []
    for column in columns:
        assert engine is not None
        updates += [
            gr.update(visible=True),
            column_head(engine, column.key, column.template, language),
            bubbles(column.messages, language),
            stats_line(column.messages, language),
        ]
    hidden = MOST_COLUMNS - len(columns)
    return updates + [gr.update(visible=False), "", [], ""] * hidden


def streamed(
    conversation: Conversation, question: str, replies: Mapping[str, Reply], language: str
) -> list[Any]:
    """Chat and figures of every column while the answers come."""
    updates: list[Any] = []
    for column in conversation.columns:
        reply = replies[column.key]
        so_far = [saved_reply(reply, {})] if reply.over else []
        updates += [
            bubbles(column.messages, language) + pending(question, reply, language),
            stats_line(so_far, language),
        ]
    return updates + [gr.skip()] * 2 * (MOST_COLUMNS - len(conversation.columns))
