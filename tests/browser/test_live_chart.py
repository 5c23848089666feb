"""The live chart in a real browser, fed by a fake that logs fifty points a second."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Open, Opened, wait_until
from tests.fakes.server import Server, serving

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chart_app() -> Iterator[Server]:
    with serving(["-m", "tests.fakes.chart_app"]) as server:
        yield server


@pytest.fixture
def opened(chart_app: Server, open_page: Open) -> Opened:
    """The chart's page before any run is chosen, drawn and empty."""
    opened = open_page(chart_app.address)
    opened.page.locator(".mt-chart .main-svg").first.wait_for(state="attached")
    return opened


def points(page: Page) -> int:
    return int(page.locator(".mt-chart").get_attribute("data-points") or 0)


def start_run(page: Page) -> str:
    """Choose a run that has not been looked at before, and wait for its first points."""
    before = page.locator(".mt-chart").get_attribute("data-run")
    page.click("#new")
    page.wait_for_function(
        "before => { const { run, points } = document.querySelector('.mt-chart').dataset;"
        " return run !== before && points > 2 }",
        arg=before,
    )
    return page.locator(".mt-chart").get_attribute("data-run") or ""


def drawn(page: Page) -> dict[str, Any]:
    """What Plotly has: steps of the loss, names, colours, and whether it is zoomed."""
    return page.evaluate(
        """() => {
          const { data, layout } = document.querySelector(".mt-chart-plot");
          return {
            steps: Array.from(data[0].x),
            evaluated: Array.from(data[1].x),
            names: data.map((trace) => trace.name),
            colours: data.map((trace) => trace.line?.color ?? trace.marker.color),
            text: layout.font.color,
            range: layout.xaxis.range.map(Number),
            auto: layout.xaxis.autorange,
          };
        }"""
    )


def asked(opened: Opened) -> list[dict[str, Any]]:
    """Each answered question for points, in order, with what the answer brought."""
    found = []
    for request in list(opened.requests):
        if "component_server" in request.url:
            response = request.response()
            if response is not None and response.ok:
                body = json.loads(request.post_data or "")["data"]
                answer = response.json()
                found.append(body | {"answered": len(answer["points"]), "reset": answer["reset"]})
    return found


def mark(page: Page) -> None:
    """Remember the plot's node, to see later whether it is still the same."""
    page.evaluate("window.markedPlot = document.querySelector('.mt-chart-plot .main-svg')")


def same_node(page: Page) -> bool:
    return bool(
        page.evaluate("window.markedPlot === document.querySelector('.mt-chart-plot .main-svg')")
    )


def zoom(page: Page) -> None:
    """Drag over the middle third of the loss."""
    box = page.locator(".mt-chart .nsewdrag").first.bounding_box()
    assert box is not None
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 3, middle)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 2 / 3, middle, steps=5)
    page.mouse.up()
    page.wait_for_function(
        "!document.querySelector('.mt-chart-plot').layout.xaxis.autorange", timeout=5000
    )


def test_points_arrive_in_order_and_once(opened: Opened) -> None:
    start_run(opened.page)
    wait_until(lambda: points(opened.page) >= 60, "60 points are drawn")
    now = drawn(opened.page)
    assert now["steps"] == list(range(1, len(now["steps"]) + 1))
    assert now["evaluated"] == [step for step in now["steps"] if step % 10 == 0]
    last = opened.page.locator(".mt-chart").get_attribute("data-last-step")
    assert int(last or 0) >= 60


def test_node_zoom_and_legend_survive_fifty_updates(opened: Opened) -> None:
    """gr.Plot is mounted anew at each update: it flickers and forgets where the person looked."""
    page = opened.page
    start_run(page)
    wait_until(lambda: points(page) >= 30, "there is something to zoom into")
    mark(page)
    zoom(page)
    page.evaluate("Plotly.restyle(document.querySelector('.mt-chart-plot'), {visible: false}, [2])")
    zoomed, updates = drawn(page)["range"], len(asked(opened))
    wait_until(lambda: len(asked(opened)) >= updates + 50, "50 updates later", seconds=60)
    assert same_node(page)
    assert drawn(page)["range"] == zoomed
    assert page.evaluate("document.querySelector('.mt-chart-plot').data[2].visible") is False


def test_only_new_points_travel(opened: Opened) -> None:
    run = start_run(opened.page)
    wait_until(lambda: points(opened.page) >= 100, "100 points are drawn")
    questions = [question for question in asked(opened) if question["run"] == run]
    for question, following in zip(questions, questions[1:], strict=False):
        assert following["offset"] == question["offset"] + question["answered"]
    assert (
        sum(question["answered"] for question in questions)
        == questions[-1]["offset"] + (questions[-1]["answered"])
    )


def test_another_run_starts_with_an_empty_unzoomed_chart(opened: Opened) -> None:
    page = opened.page
    start_run(page)
    wait_until(lambda: points(page) >= 60, "the first run is drawn")
    mark(page)
    zoom(page)
    start_run(page)
    now = drawn(page)
    assert now["steps"] == list(range(1, len(now["steps"]) + 1))
    assert now["auto"]
    assert same_node(page)


def test_words_change_in_place(opened: Opened) -> None:
    page = opened.page
    start_run(page)
    mark(page)
    zoom(page)
    page.click("#chinese")
    page.wait_for_function(
        "document.querySelector('.mt-chart-plot').data[0].name === '训练损失'", timeout=5000
    )
    assert drawn(page)["names"] == ["训练损失", "验证损失", "学习率"]
    assert not drawn(page)["auto"]
    assert same_node(page)


def test_an_ended_run_is_read_to_its_end_and_then_left_alone(opened: Opened) -> None:
    page = opened.page
    start_run(page)
    page.click("#end")
    wait_until(lambda: asked(opened)[-1]["answered"] == 0, "an answer brings nothing new")
    page.wait_for_timeout(300)
    questions = len(asked(opened))
    page.wait_for_timeout(1000)
    assert len(asked(opened)) == questions
    assert points(page) == asked(opened)[-1]["offset"]


def test_it_rests_while_another_tab_is_shown_and_then_catches_up(opened: Opened) -> None:
    page = opened.page
    start_run(page)
    mark(page)
    page.get_by_role("tab", name="Other").click()
    page.locator(".mt-chart").wait_for(state="hidden")
    page.wait_for_timeout(300)
    questions, before = len(asked(opened)), points(page)
    page.wait_for_timeout(1000)
    assert len(asked(opened)) == questions
    page.get_by_role("tab", name="Chart").click()
    wait_until(lambda: points(page) >= before + 40, "what was logged meanwhile is drawn", seconds=3)
    assert same_node(page)
    steps = drawn(page)["steps"]
    assert steps == list(range(1, len(steps) + 1))


def test_a_replaced_log_starts_over(opened: Opened) -> None:
    page = opened.page
    start_run(page)
    wait_until(lambda: points(page) >= 60, "the log is drawn")
    page.click("#replace")
    wait_until(lambda: any(question["reset"] for question in asked(opened)), "it starts over")
    wait_until(lambda: points(page) >= 10, "the new points are drawn")
    steps = drawn(page)["steps"]
    assert steps == list(range(1, len(steps) + 1))


def test_a_server_that_fails_is_said_and_asked_again(opened: Opened) -> None:
    page = opened.page
    start_run(page)
    note = page.locator(".mt-chart-error")
    assert not note.is_visible()
    page.click("#fail")
    note.wait_for(state="visible")
    assert note.inner_text() == "No answer"
    page.click("#mend")
    note.wait_for(state="hidden")
    steps = drawn(page)["steps"]
    assert steps == list(range(1, len(steps) + 1))
    # The browser itself reports each failed request on the console.
    assert all("500" in error for error in opened.errors)
    opened.errors.clear()


def test_a_plot_that_does_not_load_is_tried_again(opened: Opened) -> None:
    page = opened.page
    page.route("**/plotly.min.js", lambda route: route.abort())
    page.reload()
    page.locator(".mt-chart-error").wait_for(state="visible")
    page.unroute("**/plotly.min.js")
    page.locator(".mt-chart .main-svg").first.wait_for(state="attached")
    page.locator(".mt-chart-error").wait_for(state="hidden")
    start_run(page)
    opened.errors.clear()


def test_it_follows_a_change_of_theme(opened: Opened) -> None:
    page = opened.page
    start_run(page)
    mark(page)
    light = drawn(page)
    page.evaluate("document.body.classList.toggle('dark')")
    page.wait_for_function(
        "light => document.querySelector('.mt-chart-plot').layout.font.color !== light",
        arg=light["text"],
        timeout=5000,
    )
    dark = drawn(page)
    assert all(a != b for a, b in zip(light["colours"][:2], dark["colours"][:2], strict=True))
    assert same_node(page)


def test_nothing_moves_when_points_arrive_and_the_plot_fills_its_place(opened: Opened) -> None:
    page = opened.page
    page.click("#silent")
    page.locator(".mt-chart-empty", has_text="Nothing yet").wait_for(state="visible")
    below = page.locator("#below").bounding_box()
    start_run(page)
    page.locator(".mt-chart-empty").wait_for(state="hidden")
    assert page.locator("#below").bounding_box() == below
    for width in (1024, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(
            "() => { const plot = document.querySelector('.mt-chart-plot');"
            " return plot.querySelector('.main-svg').clientWidth === plot.clientWidth }",
            timeout=5000,
        )
