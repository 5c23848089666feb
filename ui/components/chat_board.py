"""The board of columns: one component whose script asks for what it has not shown yet.

While answers come, Gradio would send each of them whole at each update and have it parsed again.
Here the script (``assets/js/chat_board*.js``) asks several times a second and is told what is new:
characters of the reasoning, finished blocks of the answer as HTML, the rest as text. All else is
sent when the room's stamp says that something has changed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from backend.chat.room import Room
from backend.chat.under_way import Cursor, LiveAnswer
from backend.text import LANGUAGES, text
from ui.components.chat_columns import column_foot, column_head, column_label, live_words, turns
from ui.components.formulas import formula_script
from ui.html import empty
from ui.markdown import markdown

_WORDS = ("send_all", "send_here", "cancel", "answering", "answered")
STOP_ALL = "() => document.querySelector('.mt-board').dispatchEvent(new Event('medtune-stop'))"
"""What a button elsewhere on the page runs to stop every answer."""

_TEMPLATE = '<div class="mt-board" role="group" data-busy=""></div>'


def build_board(room: Room, *, language: str = "en") -> gr.HTML:
    """Place the board where the surrounding blocks are."""

    def news(asked: Any) -> dict[str, Any]:
        return news_of(room, asked)

    def stop(key: Any) -> None:
        room.talk.stop(key if isinstance(key, str) and key else None)

    return gr.HTML(
        value=board_value(language),
        html_template=_TEMPLATE,
        js_on_load=formula_script("chat_live.js", "chat_board.js"),
        apply_default_css=False,
        server_functions=[news, stop],
        elem_id="chat-board",
    )


def board_value(language: str) -> dict[str, Any]:
    """The words of the board; a new value makes the script ask for all of it in that language."""
    labels = {name: text(language, f"chat.board.{name}") for name in _WORDS}
    return {"language": language, "labels": labels}


def news_of(room: Room, asked: Any) -> dict[str, Any]:
    """What a page lacks.

    Args:
        asked: From a browser, so it may be anything: ``{"stamp", "language", "live": {key:
            [turn, epoch, reasoning, text, blocks]}}``.
    """
    question = asked if isinstance(asked, Mapping) else {}
    spoken = question.get("language")
    language = spoken if spoken in LANGUAGES else LANGUAGES[0]
    # Before what it stands for: a change in between is then told twice and not lost.
    stamp = room.stamp()
    lives = room.talk.live()
    seen = question.get("live")
    seen = seen if isinstance(seen, Mapping) else {}
    answer: dict[str, Any] = {
        "stamp": stamp,
        "live": {key: _live(one, seen.get(key), language) for key, one in lives.items()},
    }
    if question.get("stamp") != stamp:
        answer["columns"] = _columns(room, lives, language)
        answer["empty"] = empty(language, "chat.empty", "#chat-columns")
    return answer


def _columns(room: Room, lives: Mapping[str, LiveAnswer], language: str) -> list[dict[str, Any]]:
    states = room.loader.states()
    columns = room.conversation().columns
    names = {column.key: column_label(column, language) for column in columns}
    shown = []
    for column in columns:
        state, live = states.get(column.key), lives.get(column.key)
        if state is None:  # another page has just changed the columns: the next look tells
            continue
        twins = [names[key] for key in state.twins if key in names]
        failure = room.talk.failures.get(column.key)
        shown.append(
            {
                "key": column.key,
                "name": names[column.key],
                "head": column_head(column, state, language, twins=twins, failure=failure),
                "turns": turns(column.messages, language, before=live.cut if live else None),
                "foot": column_foot(
                    live=live is not None, said=bool(column.messages), language=language
                ),
                "state": state.state,
            }
        )
    return shown


def _live(live: LiveAnswer, seen: Any, language: str) -> dict[str, Any]:
    news = live.news(_cursor(live, seen))
    title, stats = live_words(live, language)
    after = news.cursor
    told: dict[str, Any] = {
        "cursor": [live.turn, after.epoch, after.reasoning, after.text, after.blocks],
        "afresh": news.afresh,
        "reasoning": news.reasoning,
        "blocks": [markdown(block) for block in news.blocks],
        "tail": news.tail,
        "text": news.text,
        "title": title,
        "stats": stats,
    }
    if news.afresh:
        told["question"] = live.question
    return told


def _cursor(live: LiveAnswer, seen: Any) -> Cursor:
    """How much the page has of this very answer; nothing where it speaks of another one."""
    match seen:
        case [str(turn), int(epoch), int(reasoning), int(written), int(blocks)] if (
            turn == live.turn and min(reasoning, written, blocks) >= 0
        ):
            return Cursor(epoch, reasoning, written, blocks)
    return Cursor()
