"""A conversation as a file for others: Markdown to read, JSON to go on with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Literal

import orjson

from backend.chat.conversations import VERSION, Conversation, SavedColumn, SavedMessage
from backend.text import text

Form = Literal["md", "json"]


def exported(conversation: Conversation, form: Form, language: str) -> str:
    """The content of the file; the JSON is the one that the workspace keeps."""
    if form == "json":
        content = {"version": VERSION, **asdict(conversation)}
        return orjson.dumps(content, option=orjson.OPT_INDENT_2).decode()
    return "\n".join(_lines(conversation, language))


def _lines(conversation: Conversation, language: str) -> Iterator[str]:
    yield f"# {conversation.title or conversation.id}"
    yield ""
    yield conversation.created
    for column in [*conversation.columns, *conversation.removed]:
        yield ""
        yield f"## {column.label}"
        yield ""
        yield " · ".join(_facts(column))
        for message in column.messages:
            yield from _said(message, language)
    yield ""


def _facts(column: SavedColumn) -> Iterator[str]:
    yield column.kind
    if column.model:
        yield column.model
    if column.step is not None:
        yield f"step {column.step}"
    if column.evaluation_loss is not None:
        yield f"eval_loss {column.evaluation_loss:.4g}"
    if column.template:
        yield column.template
    if column.fingerprint:
        yield f"`{column.fingerprint}`"
    if column.address:
        yield column.address


def _said(message: SavedMessage, language: str) -> Iterator[str]:
    role = "question" if message.role == "user" else "answer"
    yield ""
    yield f"### {text(language, f'chat.export.{role}')}"
    yield ""
    if message.reasoning:
        yield f"<details><summary>{text(language, 'chat.reasoning')}</summary>"
        yield ""
        yield _literal(message.reasoning)
        yield ""
        yield "</details>"
        yield ""
    if message.role == "user":
        yield _literal(message.content)
    elif message.text:
        yield message.text
    if failure := message.stats.get("error"):
        yield f"> ⚠ {text(language, failure['key'], **failure['params'])}"
    if message.settings:
        shown = {name: value for name, value in message.settings.items() if value not in (None, "")}
        yield ""
        yield f"`{orjson.dumps(shown).decode()}`"


def _literal(words: str) -> str:
    """Text whose tags are read as text and not as tags."""
    return words.replace("&", "&amp;").replace("<", "&lt;")
