"""What moves on the open tab moves, and nothing ticks behind a closed one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.browser.conftest import Open
from tests.browser.person import PATIENCE, Person
from tests.fakes.server import serving

pytestmark = pytest.mark.browser

JOIN = "**/queue/join*"


def test_the_open_tab_moves_though_an_earlier_one_is_answered_later(
    tmp_path: Path, open_page: Open
) -> None:
    """A page was reloaded, its Download tab asked a busy server for what it shows, and the person
    went on to Training. Download's answer came last and took the clock from Training, whose run
    then seemed to stand still for ever."""
    options = ["app.py", "--no-browser", "--port", "0", "--workspace", tmp_path]
    with serving(options) as server:
        me = Person(open_page(server.address).page)
        me.arrives()
        ticks = ticks_of(me.page, server.address)
        held: list[Route] = []
        busy = True
        me.page.route(JOIN, lambda route: held.append(route) if busy else route.continue_())
        me.page.reload()
        expect(me.page.locator("#tabs")).to_be_visible(timeout=PATIENCE)
        me.page.wait_for_timeout(1000)
        busy = False
        me.goes_to("training")
        me.page.wait_for_timeout(1000)
        for route in held:
            route.continue_()
        me.page.wait_for_timeout(2000)
        hears(me.page, ticks["training"])
        hears(me.page, ticks["training"])
        seen: list[int] = []
        me.page.on("request", lambda request: seen.append(index_of(request)))
        me.page.wait_for_timeout(2500)
        assert held
        assert ticks["training"] in seen
        closed = {ticks[name] for name in ("download", "data", "hyperparameters", "chat")}
        assert not closed & set(seen)
        me.leaves()


def ticks_of(page: Page, address: str) -> dict[str, int]:
    """Which of Gradio's functions a tick calls, by tab."""
    config: Any = page.request.get(f"{address.rstrip('/')}/config").json()
    ticking = [
        one["id"]
        for one in config["dependencies"]
        if any(event == "tick" for _, event in one["targets"])
    ]
    names = ("header", "download", "data", "hyperparameters", "training", "chat")
    assert len(ticking) == len(names)
    return dict(zip(names, ticking, strict=True))


def hears(page: Page, tick: int) -> None:
    """Wait for the next tick."""
    page.wait_for_event("request", lambda request: index_of(request) == tick, timeout=PATIENCE)


def index_of(request: Request) -> int:
    if "/queue/join" not in request.url:
        return -1
    return int((request.post_data_json or {}).get("fn_index", -1))
