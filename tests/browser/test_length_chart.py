"""The length chart in a real browser: its line is dragged and moved by keys, its figures follow."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Locator, Page

from tests.browser.conftest import Open, Opened, wait_until
from tests.fakes.server import Server, serving

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def length_app() -> Iterator[Server]:
    with serving(["-m", "tests.fakes.length_app"]) as server:
        yield server


@pytest.fixture
def opened(length_app: Server, open_page: Open) -> Opened:
    """The chart with its hundred rows, drawn."""
    opened = open_page(length_app.address)
    opened.page.locator(".mt-lengths-plot .main-svg").first.wait_for(state="attached")
    fill(opened.page)
    return opened


def fill(page: Page) -> None:
    page.click("#fill")
    page.wait_for_function("document.querySelector('.mt-lengths').dataset.rows === '100'")


def line(page: Page) -> Locator:
    return page.get_by_role("slider", name="Cutoff length")


def figure(page: Page, name: str) -> str:
    return page.locator(f"[data-figure={name}]").inner_text()


def heard(page: Page) -> list[str]:
    return page.locator("#heard textarea").input_value().split()


def middle(page: Page, selector: str) -> tuple[float, float]:
    box = page.locator(selector).first.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


def place_of(page: Page, tokens: int) -> float:
    """Where Plotly itself has that number of tokens on the page."""
    return float(
        page.evaluate(
            """tokens => {
              const plot = document.querySelector(".mt-lengths-plot");
              const axis = plot._fullLayout.xaxis;
              return plot.getBoundingClientRect().left + axis._offset + axis.l2p(tokens);
            }""",
            tokens,
        )
    )


def fits(page: Page) -> None:
    """Wait until the plot fills its place and the line stands where its axis has 512 tokens."""
    page.wait_for_function(
        "() => { const plot = document.querySelector('.mt-lengths-plot');"
        " return plot.clientWidth > 400 &&"
        " plot.querySelector('.main-svg').clientWidth === plot.clientWidth }",
        timeout=5000,
    )
    wait_until(
        lambda: abs(middle(page, ".mt-cut")[0] - place_of(page, 512)) < 1.5,
        "the line is where the axis says",
        seconds=5,
    )


def test_it_fills_its_column_also_after_a_change_while_it_was_hidden(
    length_app: Server, open_page: Open
) -> None:
    page = open_page(length_app.address).page
    page.locator(".mt-lengths-plot .main-svg").first.wait_for(state="attached")
    page.get_by_role("tab", name="Other").click()
    page.locator(".mt-lengths").wait_for(state="hidden")
    page.set_viewport_size({"width": 1024, "height": 900})
    fill(page)
    page.get_by_role("tab", name="Lengths").click()
    fits(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    fits(page)


def test_figures_follow_a_drag_and_the_server_hears_once(opened: Opened) -> None:
    page = opened.page
    assert figure(page, "answers") == "49 of 100 (49 %)"
    assert figure(page, "smallest") == "1,000"
    x, y = middle(page, ".mt-cut")
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(place_of(page, 700), y + 60, steps=4)
    cutoff = int(figure(page, "cutoff"))
    assert abs(cutoff - 700) < 5
    assert figure(page, "answers") == f"{100 - cutoff // 10} of 100 ({100 - cutoff // 10} %)"
    page.wait_for_timeout(200)
    assert heard(page) == []
    page.mouse.move(place_of(page, 300), y, steps=4)
    assert figure(page, "reasonings") == f"{100 - int(figure(page, 'cutoff')) // 5} of 100 (40 %)"
    page.mouse.up()
    wait_until(lambda: heard(page) == [figure(page, "cutoff")], "it is told")


def press_at_once(page: Page, *keys: str) -> None:
    """Press keys with no time between them, however slow the machine is."""
    line(page).evaluate(
        """(node, keys) => {
          for (const key of keys) node.dispatchEvent(new KeyboardEvent("keydown", { key }));
        }""",
        list(keys),
    )


def test_keys_move_the_line_and_are_told_when_they_rest(opened: Opened) -> None:
    page = opened.page
    step = 2  # of an axis of a thousand tokens
    press_at_once(page, "ArrowRight", "ArrowUp", "PageUp", "ArrowLeft", "PageDown", "ArrowDown")
    assert figure(page, "cutoff") == "512"
    press_at_once(page, "ArrowRight", "PageUp")
    assert figure(page, "cutoff") == str(512 + 17 * step)
    press_at_once(page, "End")
    assert figure(page, "answers") == "0 of 100 (0 %)"
    press_at_once(page, "Home")
    assert line(page).get_attribute("aria-valuenow") == "16"
    assert "99 of 100" in (line(page).get_attribute("aria-valuetext") or "")
    wait_until(lambda: heard(page)[-1:] == ["16"], "the last is told")
    assert len(heard(page)) < 4  # and not each on the way
    line(page).focus()
    page.keyboard.press("ArrowRight")
    wait_until(lambda: heard(page)[-1:] == [str(16 + step)], "a real key is told as well")


def test_a_button_sets_what_cuts_nothing(opened: Opened) -> None:
    page = opened.page
    button = page.get_by_role("button", name="Set to 1,000")
    button.click()
    assert figure(page, "answers") == "0 of 100 (0 %)"
    assert button.is_disabled()
    wait_until(lambda: heard(page)[-1:] == ["1000"], "it is told")


def test_a_new_value_changes_words_and_line_in_place(opened: Opened) -> None:
    page = opened.page
    page.evaluate("window.marked = document.querySelector('.mt-lengths-plot .main-svg')")
    line(page).focus()
    page.keyboard.press("End")
    page.click("#chinese")
    page.get_by_role("slider", name="截断长度").wait_for()
    # The language alone does not take back what the person chose.
    assert figure(page, "answers").startswith("100 行中的 0 行")
    page.click("#answer")
    line(page).wait_for()
    assert figure(page, "cutoff") == "800"
    names = page.evaluate(
        "document.querySelector('.mt-lengths-plot').data.map((trace) => trace.name)"
    )
    assert names == ["Prompt", "Reasoning", "Answer"]
    assert page.evaluate("window.marked === document.querySelector('.mt-lengths-plot .main-svg')")
    page.click("#empty")
    page.locator(".mt-lengths-empty").wait_for(state="visible")
    assert not line(page).is_visible()


def test_it_follows_a_change_of_theme(opened: Opened) -> None:
    page = opened.page
    colours = "document.querySelector('.mt-lengths-plot').data.map((trace) => trace.marker.color)"
    light = page.evaluate(colours)
    page.evaluate("document.body.classList.toggle('dark')")
    page.wait_for_function(f"light => String({colours}) !== String(light)", arg=light, timeout=5000)


def test_the_line_works_where_the_bars_cannot_be_drawn(opened: Opened) -> None:
    page = opened.page
    page.route("**/plotly.min.js", lambda route: route.abort())
    page.reload()
    page.locator(".mt-lengths").wait_for()
    fill(page)
    page.locator(".mt-lengths-broken").wait_for(state="visible")
    line(page).focus()
    page.keyboard.press("End")
    assert figure(page, "answers") == "0 of 100 (0 %)"
    opened.errors.clear()
