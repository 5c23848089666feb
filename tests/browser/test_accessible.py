"""Who can't see, hear or point, who has little room, and who has much: the page in each tab."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from backend.workspace import Workspace
from tests.browser.axe import findings
from tests.browser.conftest import VIEWPORT, Open, wait_until
from tests.browser.person import Person
from tests.fakes.full_workspace import CHECKPOINTS, LIVING, LONG, Living, make_full
from tests.fakes.server import Server, serving

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

TABS = ("download", "data", "hyperparameters", "training", "chat")
WINDOWS = {390: 844, 1024: 768, 1440: 900}
"""A phone, the smallest window that is promised, and a usual one."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_full(Workspace.open(tmp_path_factory.mktemp("full") / "workspace"))


@pytest.fixture(scope="module")
def server(workspace: Workspace) -> Iterator[Server]:
    options = ["--no-browser", "--port", "0", "--workspace", workspace.root]
    with serving(["app.py", *options]) as one:
        yield one


@pytest.fixture(scope="module", params=["light", "dark"])
def in_theme(request: pytest.FixtureRequest, browser: Browser, server: Server) -> Iterator[Person]:
    """One page for all that is looked at in a theme."""
    context = browser.new_context(viewport=VIEWPORT, locale="en-US", color_scheme=request.param)
    me = Person(context.new_page())
    me.opens(server.address)
    yield me
    context.close()


IN_LIGHT = pytest.mark.parametrize("in_theme", ["light"], indirect=True)
"""For what does not depend on colours."""


def is_filled(me: Person, tab: str) -> None:
    """Come to a tab and wait until it shows what is in the workspace."""
    me.goes_to(tab)
    match tab:
        case "data":
            if "medical_en" not in me.sees("data-source").locator("input").first.input_value():
                me.chooses("data-source", re.compile("medical_en"))
            expect(me.sees("rows")).to_contain_text("Complex_CoT")
        case "hyperparameters":
            expect(me.sees("config-yaml")).to_contain_text("model_name_or_path")
        case "training":
            expect(me.sees("run-status")).to_contain_text(LONG)
            expect(me.sees("run-checkpoints").locator("tbody tr")).to_have_count(CHECKPOINTS)
        case "chat":
            expect(me.sees("chat-board")).not_to_be_empty()


@pytest.mark.parametrize("tab", TABS)
def test_axe_finds_nothing_grave(in_theme: Person, tab: str) -> None:
    is_filled(in_theme, tab)
    in_theme.opens_all_folds()
    assert findings(in_theme.page) == []


@IN_LIGHT
@pytest.mark.parametrize("tab", TABS)
def test_no_tab_scrolls_sideways(in_theme: Person, tab: str) -> None:
    is_filled(in_theme, tab)
    for width in WINDOWS:
        nothing_sticks_out(in_theme, tab, width)
    in_theme.page.set_viewport_size(VIEWPORT)


def test_in_chinese_it_says_so_and_nothing_sticks_out(open_page: Open, server: Server) -> None:
    me = Person(open_page(server.address, locale="zh-CN").page)
    me.arrives()
    # A screen reader reads it with a Chinese voice, and Han characters have their Chinese shapes.
    expect(me.page.locator("html")).to_have_attribute("lang", "zh-CN")
    for tab in TABS:
        is_filled(me, tab)
        nothing_sticks_out(me, tab, 1024)
    assert findings(me.page) == []


def nothing_sticks_out(me: Person, tab: str, width: int) -> None:
    me.page.set_viewport_size({"width": width, "height": WINDOWS[width]})
    wide = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert me.page.evaluate(wide) <= 0, f"{tab} sticks out of a window of {width} pixels"
    if tab == "training":
        sees_a_run(me, width)
    if tab == "download":
        for node in ("#models .mt-scroll", "#models tbody button[data-action=delete]"):
            assert me.page.locator(node).first.evaluate(WITHIN), f"{node} at {width} pixels"


WITHIN = """node => node.scrollWidth <= node.clientWidth &&
  node.getBoundingClientRect().right <= document.documentElement.clientWidth"""
"""Nothing of it has to be scrolled to, sideways."""


def sees_a_run(me: Person, width: int) -> None:
    """State, progress, curve and log of a run lie within the window's width, and its health has
    the edge that says how bad it is."""
    edge = "node => [getComputedStyle(node).borderLeftWidth, getComputedStyle(node).borderTopWidth]"
    finding = me.page.locator("#run-verdict .mt-finding").first
    assert finding.evaluate(edge) == ["3px", "1px"]
    me.page.locator("#run-room-log-button").click()
    for place in ("#activity", "#run-status", "#run-verdict", ".mt-chart-plot", ".mt-log-lines"):
        box = me.page.locator(place).first.bounding_box()
        assert box is not None, f"{place} can't be seen"
        assert box["x"] >= 0 and box["x"] + box["width"] <= width, place
        assert box["width"] > min(width, 360) * 0.8 or place == "#activity", place


KEYED = """() => {
  const node = document.activeElement;
  const rings = [node, node.closest(".wrap, label, .tab-container") ?? node];
  const ringed = rings.some((one) => {
    const { outlineStyle, outlineWidth, boxShadow } = getComputedStyle(one);
    return (outlineStyle !== "none" && parseFloat(outlineWidth) >= 1) || boxShadow !== "none";
  });
  const name = node.dataset.action ?? node.dataset.control ?? node.className ?? "";
  return [`${node.tagName} ${node.id} ${name}`, ringed];
}"""


@IN_LIGHT
def test_the_tab_key_reaches_all_of_a_run_and_shows_where_it_is(in_theme: Person) -> None:
    is_filled(in_theme, "training")
    in_theme.page.locator("#run-room-checkpoints-button").click()
    reached: list[str] = []
    in_theme.page.locator("#tab-training-button").focus()
    for _ in range(40):
        in_theme.page.keyboard.press("Tab")
        name, ringed = in_theme.page.evaluate(KEYED)
        assert ringed, f"it can't be seen that the keyboard is at {name}"
        reached.append(name)
    said = "\n".join(reached)
    for widget in ("run-start", "axis", "smoothing", "log", "mt-chart-mark", "resume", "delete"):
        assert widget in said, f"the Tab key never came to {widget}:\n{said}"


@IN_LIGHT
def test_the_keyboard_scrolls_code(in_theme: Person) -> None:
    is_filled(in_theme, "hyperparameters")
    code = in_theme.sees("config-yaml").locator(".cm-scroller")
    code.focus()
    expect(code).to_be_focused()
    in_theme.page.keyboard.press("PageDown")
    wait_until(lambda: code.evaluate("node => node.scrollTop > 0"), "the configuration scrolls")


def test_a_run_is_heard_a_few_times_and_not_at_each_step(
    open_page: Open, server: Server, workspace: Workspace
) -> None:
    trainer = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        run = Living(workspace, trainer=trainer.pid)
        run.reaches(3)
        me = Person(open_page(server.address).page)
        me.arrives()
        me.goes_to("training")
        status = me.sees("run-status").locator(".mt-run")
        expect(status).to_have_attribute("data-step", "3")
        me.listens()
        # What is there when the page is first listened to is no news to it.
        me.page.wait_for_timeout(1100)
        for step in (12, 13, 17, 26):
            run.reaches(step)
            expect(status).to_have_attribute("data-step", str(step))
            expect(me.sees("activity")).to_contain_text(f"{step} %")
            me.page.wait_for_timeout(1100)
        expect(status.get_by_role("progressbar")).to_have_attribute("value", "26")
        run.finishes()
        expect(status).to_have_attribute("data-state", "finished")
        ended = f"{LIVING}: Finished"
        wait_until(lambda: ended in me.hears(), "its end is heard")
        said = [line for line in me.hears() if line.startswith(LIVING)]
        assert said == [f"{LIVING}: 10 %", f"{LIVING}: 20 %", ended]
        regions = me.page.locator("#run-status [role=status], #activity [role=status]")
        assert regions.count() == 0, "what changes with each step is no live region"
    finally:
        trainer.kill()
        trainer.wait()
        shutil.rmtree(workspace.runs / LIVING)


@IN_LIGHT
def test_nothing_moves_for_who_asked_for_that(in_theme: Person) -> None:
    in_theme.page.emulate_media(reduced_motion="reduce")
    longest = in_theme.page.evaluate(
        """() => Math.max(...[...document.querySelectorAll("body *")].flatMap((node) => {
          const { transitionDuration, animationDuration } = getComputedStyle(node);
          return `${transitionDuration},${animationDuration}`.split(",").map(parseFloat);
        }))"""
    )
    in_theme.page.emulate_media(reduced_motion="no-preference")
    assert longest <= 0.001
