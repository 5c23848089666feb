"""An answer of a sheet as it is read: reasoning folded, then the answer, or why there is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.chat.sheets import Answer
from backend.text import text
from ui.components.marking import visible
from ui.components.pieces import in_pieces
from ui.html import Safe, count, element, join
from ui.markdown import markdown


def answer_parts(reasoning: str, words: str, stats: Mapping[str, Any], language: str) -> Safe:
    """Reasoning and answer; a failure in its own words."""
    pieces: list[Safe] = []
    if reasoning.strip():
        summary = element("summary", text(language, "chat.many.reasoning"))
        body = element("div", in_pieces(visible(reasoning.strip())), cls="mt-field-value mt-quiet")
        pieces.append(element("details", summary, body))
    if words.strip():
        # A long one scrolls by itself, so the keyboard must be able to reach it.
        shown = markdown(visible(words.strip()))
        pieces.append(element("div", shown, cls="mt-answer", tabindex=0))
    failure = stats.get("error")
    if failure:
        said = text(language, failure["key"], **failure["params"])
        pieces.append(element("p", said, cls="mt-bad"))
    return join(pieces)


def answer_stats(answer: Answer, language: str) -> Safe:
    """How long an answer is and why it ended; nothing of one that failed."""
    reason = answer.stats.get("reason")
    if reason is None:
        return Safe("")
    said = text(
        language,
        "chat.many.stats",
        tokens=count(answer.stats.get("tokens")),
        reason=text(language, f"chat.reasons.{reason}"),
    )
    return element("p", said, cls="mt-quiet mt-small")
