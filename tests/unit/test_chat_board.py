"""What the board is told, whatever a browser asks."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from backend.chat.engines import EngineManager
from backend.chat.remotes import Remotes
from backend.chat.room import Room
from backend.chat.settings import Settings
from backend.chat.sources import remote
from backend.workspace import Workspace
from tests.fakes.openai_server import DONE, chunk, serving, status, streams, until
from ui.components.chat_board import news_of
from ui.components.chat_choice import first_choice
from ui.components.formulas import katex_files

GREEDY = Settings.greedy()


@pytest.fixture
def room(workspace: Workspace) -> Room:
    return Room(workspace, EngineManager(workspace), Remotes(workspace.root / "none"))


def test_an_answer_comes_in_pieces_and_then_stands_with_the_others(room: Room) -> None:
    gate = threading.Event()
    script = [
        status(200),
        streams(chunk("<think>hm</think>One.\n\nTwo")),
        until(gate),
        streams(chunk(" <b>three</b>."), chunk(finish="stop"), DONE),
    ]
    with serving(m=script) as server:
        room.present.arrange([remote(server.url, "m").saved()])
        first = news_of(room, {"language": "en"})
        asking = room.talk.ask("Q <i>?", GREEDY)
        (live,) = asking.lives.values()
        limit = time.monotonic() + 10
        while "Two" not in live.reply.text:
            assert time.monotonic() < limit
            time.sleep(0.01)
        key = live.key
        begun = news_of(room, {"stamp": first["stamp"], "language": "en"})
        told = begun["live"][key]
        assert told["question"] == "Q <i>?" and told["reasoning"] == "hm"
        assert told["blocks"] == ["<p>One.</p>\n"] and told["tail"] == "Two"
        assert begun["columns"][0]["turns"] == []
        assert 'data-action="stop"' in begun["columns"][0]["foot"]
        seen = {"stamp": begun["stamp"], "live": {key: told["cursor"]}}
        again = news_of(room, seen)
        assert "columns" not in again and again["live"][key]["text"] == ""
        gate.set()
        asking.wait(10)
        over = news_of(room, seen)
    assert over["live"] == {}
    (turn,) = over["columns"][0]["turns"]
    assert "Two &lt;b&gt;three&lt;/b&gt;." in turn and "Q &lt;i&gt;?" in turn


@pytest.mark.parametrize(
    "asked",
    [None, 3, [], {}, {"live": 3}, {"live": {"k": "x"}}, {"stamp": 5, "language": "xx"},
     {"language": ["en"]}, {"live": {"k": ["t", -1, -1, -1, -1]}}],
)  # fmt: skip
def test_a_browser_may_ask_anything(room: Room, asked: Any) -> None:
    room.present.arrange([remote("http://127.0.0.1:1/v1", "k").saved()])
    assert news_of(room, asked)["columns"][0]["name"] == "k"


def test_without_columns_it_says_what_to_do(room: Room) -> None:
    answer = news_of(room, {"language": "zh"})
    assert answer["columns"] == [] and "加载" in answer["empty"]


def test_gradios_own_katex_is_where_the_script_looks() -> None:
    """It comes with Gradio; with another version of that it may move, and formulas stay text."""
    script, style = katex_files()
    assert script.endswith(".js") and style.endswith(".css")


def test_at_first_a_model_is_chosen(room: Room) -> None:
    known = list(room.loader.sources().values())
    assert first_choice(known) == ["base:medtune/demo"]
    assert first_choice([]) == []
