"""What moves on the open tab moves, and nothing is asked behind a closed one."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Request, Route, expect

from backend.files import write_json
from backend.text import text
from backend.training import layout
from backend.workspace import Workspace
from tests.browser.bad_line import JOIN
from tests.browser.conftest import Open
from tests.browser.person import PATIENCE, Person
from tests.fakes.server import serving

pytestmark = pytest.mark.browser

# As a browser does when another tab of it comes to the front.
HIDE = """hidden => {
  const state = hidden ? "hidden" : "visible";
  Object.defineProperty(document, "visibilityState", { get: () => state, configurable: true });
  document.dispatchEvent(new Event("visibilitychange"));
}"""


def test_only_what_is_seen_asks_and_nothing_is_drawn_that_did_not_change(
    tmp_path: Path, open_page: Open
) -> None:
    """A page was reloaded, its Download tab asked a busy server for what it shows, and the person
    went on to Training. Download's answer came last and took the clock from Training, whose run
    then seemed to stand still for ever. In Chinese, Training stayed English: it had been drawn
    before the page knew its language."""
    options = ["app.py", "--no-browser", "--port", "0", "--workspace", tmp_path]
    with serving(options) as server:
        me = Person(open_page(server.address, locale="zh-CN").page)
        me.arrives()
        pulses = pulses_of(me.page, server.address)
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
        assert held
        hears(me.page, pulses["training"])
        hears(me.page, pulses["training"])
        expect(me.sees("run-status")).to_contain_text(said("training.empty"))
        expect(me.sees("run-plan")).to_contain_text(said("training.plan_missing"))
        me.page.wait_for_timeout(2000)  # the last answers of what was held up
        seen: list[Request] = []
        me.page.on("request", lambda request: seen.append(request))
        me.page.wait_for_timeout(4000)
        assert {asker(one) for one in seen} - {-1} == {pulses["header"], pulses["training"]}
        assert not [one for one in seen if "/queue/join" in one.url]

        me.page.evaluate(HIDE, True)
        me.page.wait_for_timeout(500)
        seen.clear()
        me.page.wait_for_timeout(3000)
        # The title and the notification are for who looks elsewhere.
        assert {asker(one) for one in seen} == {pulses["header"]}
        me.page.evaluate(HIDE, False)
        hears(me.page, pulses["training"])
        opens_the_next_stream(me.page, pulses["training"])
        me.leaves()


def test_a_list_that_is_open_when_a_choice_of_it_goes_can_still_be_chosen_from(
    tmp_path: Path, open_page: Open
) -> None:
    """Gradio's script looked for the words of the choice that had gone, and the list was dead."""
    runs = Workspace.open(tmp_path).runs
    for hour, name in enumerate(("one", "two", "three")):
        created = f"2026-01-01T0{hour}:00:00+00:00"
        write_json(runs / name / layout.RUN, {"created": created, "values": {}})
    with serving(["app.py", "--no-browser", "--port", "0", "--workspace", tmp_path]) as server:
        me = Person(open_page(server.address).page)
        me.arrives()
        me.goes_to("training")
        expect(me.sees("run-status")).to_contain_text("three")
        me.page.locator("#run-choice input").first.click()
        choices = me.sees("run-choice").get_by_role("option")
        expect(choices).to_have_count(3)
        shutil.rmtree(runs / "one")
        expect(choices).to_have_count(2)
        choices.filter(has_text="two").click()
        expect(me.sees("run-status")).to_contain_text("two")
        me.leaves()


def opens_the_next_stream(page: Page, pulse: int) -> None:
    """Where an answer is said to lie on the server, an event is made, whatever else waits."""

    def waits(route: Route) -> None:
        route.fulfill(json={**route.fetch().json(), "waiting": True})

    def is_of_pulse(request: Request) -> bool:
        return bool((request.post_data_json or {}).get("trigger_id") == pulse)

    page.route("**/component_server/*", waits)
    with page.expect_request(lambda one: "/queue/join" in one.url and is_of_pulse(one)):
        pass
    page.unroute("**/component_server/*")


def said(key: str) -> str:
    """As it is read: words in square brackets are a link's."""
    return text("zh", key).replace("[", "").replace("]", "")


def pulses_of(page: Page, address: str) -> dict[str, int]:
    """Which component asks, by tab; those of the Training tab's rooms come before its own."""
    config: Any = page.request.get(f"{address.rstrip('/')}/config").json()
    asking = [
        one["id"]
        for one in config["components"]
        if "beat" in (one["props"].get("server_fns") or [])
    ]
    names = ("header", "download", "data", "hyperparameters", "table", "log", "training", "chat")
    assert len(asking) == len(names)
    return dict(zip(names, asking, strict=True))


def hears(page: Page, pulse: int) -> None:
    """Wait until it asks again."""
    page.wait_for_event("request", lambda request: asker(request) == pulse, timeout=PATIENCE)


def asker(request: Request) -> int:
    if "/component_server" not in request.url:
        return -1
    return int((request.post_data_json or {}).get("component_id", -1))
