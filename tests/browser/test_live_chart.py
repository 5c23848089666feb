"""The live chart in a real browser, over real logs that grow by fifty steps a second."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Open, Opened, wait_until
from tests.fakes.chart_app import LONG, SPIKE, loss_of
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


def start_run(page: Page, button: str = "#new") -> str:
    """Choose a run that has not been looked at before, and wait for its first points."""
    before = page.locator(".mt-chart").get_attribute("data-run")
    page.click(button)
    page.wait_for_function(
        "before => { const { run, points } = document.querySelector('.mt-chart').dataset;"
        " return run !== before && points > 2 }",
        arg=before,
    )
    return page.locator(".mt-chart").get_attribute("data-run") or ""


def curve(page: Page, figure: str, run: str | None = None) -> dict[str, Any]:
    """What Plotly has of a curve: x, y, name, colour, dash, visible."""
    return page.evaluate(
        """([figure, run]) => {
          const { data } = document.querySelector(".mt-chart-plot");
          const one = data.find((t) => t.meta.figure === figure && (!run || t.meta.run === run));
          if (!one) return { x: [], y: [] };
          const { x, y, name, visible, opacity, yaxis, line } = one;
          return { x: Array.from(x), y: Array.from(y), name, visible, opacity, yaxis, ...line };
        }""",
        [figure, run],
    )


def layout(page: Page) -> dict[str, Any]:
    return page.evaluate(
        """() => {
          const { layout } = document.querySelector(".mt-chart-plot");
          return {
            text: layout.font.color,
            range: layout.xaxis.range.map(Number),
            auto: layout.xaxis.autorange,
            loss_range: layout.yaxis.range.map(Number),
            title: layout.xaxis.title.text,
            types: [layout.yaxis.type, layout.yaxis3.type],
            headings: layout.annotations.map((one) => one.text),
            epochs: layout.shapes.map((one) => one.x0),
          };
        }"""
    )


def asked(opened: Opened) -> list[dict[str, Any]]:
    """Each answered question for points, in order, with what the answer brought for each run."""
    found = []
    for request in list(opened.requests):
        if "component_server" in request.url:
            response = request.response()
            if response is not None and response.ok:
                body = json.loads(request.post_data or "")["data"]
                found.append(body | {"answer": response.json()["runs"]})
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
        "!document.querySelector('.mt-chart-plot').layout.xaxis.autorange", timeout=10_000
    )


def choose(page: Page, control: str, value: str) -> None:
    """Use one of the chart's own controls, as a hand would."""
    node = page.locator(f'[data-control="{control}"]')
    if control == "axis":
        node.select_option(value)
    elif control == "log":
        node.check()
    else:
        node.fill(value)


def test_points_arrive_in_order_and_once(opened: Opened) -> None:
    page = opened.page
    start_run(page)
    wait_until(lambda: points(page) >= 100, "100 points are drawn")
    # The evaluations first: while Playwright asks, points go on arriving.
    evaluated, loss = curve(page, "eval_loss")["x"], curve(page, "loss")
    assert loss["x"] == list(range(1, len(loss["x"]) + 1))
    assert loss["y"] == [loss_of(step) for step in loss["x"]]
    assert len(evaluated) >= 10
    assert evaluated == [step for step in loss["x"] if step % 10 == 0][: len(evaluated)]
    assert layout(page)["headings"] == [
        "Training loss", "Validation loss", "Learning rate", "Gradient norm",
        "Tokens per second", "Memory (GB)",
    ]  # fmt: skip
    assert layout(page)["epochs"][:2] == pytest.approx([40, 80])


def test_node_zoom_and_legend_survive_fifty_updates(opened: Opened) -> None:
    """gr.Plot is mounted anew at each update: it flickers and forgets where the person looked."""
    page = opened.page
    first = start_run(page)
    page.click("#over")
    wait_until(lambda: points(page) >= 30, "there is something to zoom into")
    wait_until(lambda: page.locator(".mt-chart-run").count() == 2, "two runs are shown")
    mark(page)
    zoom(page)
    page.locator(".mt-chart-run").nth(1).click()
    second = page.locator(".mt-chart-run").nth(1).get_attribute("data-run")
    zoomed = layout(page)
    # Each change of the number of points is one update.
    page.evaluate(
        """() => {
          window.updates = 0;
          new MutationObserver(() => (window.updates += 1)).observe(
            document.querySelector(".mt-chart"), { attributeFilter: ["data-last-step"] });
        }"""
    )
    page.wait_for_function("window.updates >= 50", timeout=200_000)
    now = layout(page)
    # It was zoomed along the steps; the losses' range still follows what comes.
    assert now["range"] == zoomed["range"]
    assert same_node(page)
    assert curve(page, "loss", second)["visible"] is False
    assert curve(page, "loss", first)["visible"] is True
    assert page.locator(".mt-chart-run").nth(1).get_attribute("aria-pressed") == "false"


def test_only_new_points_travel(opened: Opened) -> None:
    page = opened.page
    run = start_run(page)
    wait_until(lambda: points(page) >= 100, "100 points are drawn")
    answers = [one["answer"].get(run) for one in asked(opened) if one["runs"] == [run]]
    known = [answer for answer in answers if answer]
    assert [answer["fresh"] for answer in known] == [True] + [False] * (len(known) - 1)
    steps = [step for answer in known for step in answer["curves"]["loss"]["x"]]
    assert steps == list(range(1, known[-1]["rows"] + 1))


def test_another_run_starts_with_an_unzoomed_chart(opened: Opened) -> None:
    page = opened.page
    start_run(page)
    wait_until(lambda: points(page) >= 60, "the first run is drawn")
    mark(page)
    zoom(page)
    start_run(page)
    steps = curve(page, "loss")["x"]
    assert steps == list(range(1, len(steps) + 1))
    assert layout(page)["auto"] and same_node(page)


def test_runs_over_each_other_differ_by_colour_dash_and_name(opened: Opened) -> None:
    page = opened.page
    first = start_run(page)
    mark(page)
    page.click("#over")
    page.locator(".mt-chart-run").nth(1).wait_for()
    second = page.locator(".mt-chart-run").nth(1).get_attribute("data-run") or ""
    wait_until(lambda: len(curve(page, "smoothed", second)["x"]) > 2, "the second run is drawn")
    one, other = (curve(page, "smoothed", run) for run in (first, second))
    assert one["color"] != other["color"] and one["dash"] != other["dash"]
    assert first in one["name"] and second in other["name"]
    assert page.locator(".mt-chart-run").all_inner_texts() == [first, second]
    # A keyboard hides and shows a run.
    page.locator(".mt-chart-run").nth(0).focus()
    page.keyboard.press("Enter")
    wait_until(lambda: curve(page, "loss", first)["visible"] is False, "the first is hidden")
    page.keyboard.press("Space")
    wait_until(lambda: curve(page, "loss", first)["visible"] is True, "the first is back")
    assert same_node(page)


def test_smoothing_is_chosen_in_place_and_remembered(opened: Opened) -> None:
    page = opened.page
    start_run(page)
    wait_until(lambda: points(page) >= 30, "some points are drawn")
    mark(page)
    loss, smoothed = curve(page, "loss"), curve(page, "smoothed")
    assert loss["opacity"] < 1 and len(smoothed["x"]) > 0
    choose(page, "smoothing", "0.9")
    wait_until(lambda: asked(opened)[-1]["smoothing"] == 0.9, "it is asked for")
    wait_until(lambda: curve(page, "smoothed")["y"][:9] != smoothed["y"][:9], "it is smoother")
    assert page.locator(".mt-chart output").inner_text() == "0.90"
    choose(page, "smoothing", "0")
    wait_until(lambda: curve(page, "smoothed")["x"] == [], "no smoothed curve is left")
    assert curve(page, "loss")["opacity"] == 1
    assert same_node(page)
    choose(page, "smoothing", "0.5")
    page.reload()
    page.locator(".mt-chart .main-svg").first.wait_for(state="attached")
    assert page.locator(".mt-chart output").inner_text() == "0.50"


def test_a_logarithmic_scale_keeps_zoom_and_spikes(opened: Opened) -> None:
    page = opened.page
    start_run(page, "#long")
    mark(page)
    zoom(page)
    before = layout(page)
    choose(page, "log", "on")
    page.wait_for_function(
        "document.querySelector('.mt-chart-plot').layout.yaxis.type === 'log'", timeout=10_000
    )
    wait_until(lambda: asked(opened)[-1]["log"] is True, "it is asked for")
    now = layout(page)
    assert now["types"] == ["log", "linear"] and now["range"] == before["range"]
    assert 50.0 in curve(page, "loss")["y"] and same_node(page)


def test_x_can_be_tokens_or_minutes(opened: Opened) -> None:
    page = opened.page
    start_run(page)
    wait_until(lambda: points(page) >= 50, "some points are drawn")
    mark(page)
    zoom(page)
    choose(page, "axis", "tokens")
    wait_until(lambda: curve(page, "loss")["x"][:2] == [512, 1024], "x is tokens")
    now = layout(page)
    assert now["title"] == "Tokens read" and now["auto"], "a window of steps is none of tokens"
    choose(page, "axis", "time")
    wait_until(lambda: curve(page, "loss")["x"][:2] == pytest.approx([0.1, 0.2]), "x is minutes")
    before = len(curve(page, "loss")["x"])
    wait_until(lambda: len(curve(page, "loss")["x"]) > before, "new points go on in minutes")
    assert same_node(page)


def test_a_long_run_comes_thinned_out_and_finer_when_zoomed_in(opened: Opened) -> None:
    page = opened.page
    start_run(page, "#long")
    assert points(page) == LONG
    mark(page)
    whole = curve(page, "loss")
    assert len(whole["x"]) <= 2000 and SPIKE in whole["x"]
    zoom(page)
    begin, end = layout(page)["range"]

    def inside() -> int:
        return len([x for x in curve(page, "loss")["x"] if begin <= x <= end])

    coarse = len([x for x in whole["x"] if begin <= x <= end])
    wait_until(lambda: inside() > 1.5 * coarse, "finer points have come")
    assert len(curve(page, "loss")["x"]) <= 2000
    assert layout(page)["range"] == [begin, end] and same_node(page)
    page.locator('[data-control="reset"]').click()
    wait_until(lambda: layout(page)["auto"] is True, "all is shown again")
    wait_until(lambda: inside() <= coarse, "the points are those of the whole")
    assert not page.locator('[data-control="reset"]').is_visible()


def test_a_click_on_a_checkpoint_names_it(opened: Opened) -> None:
    page = opened.page
    run = start_run(page)
    wait_until(lambda: points(page) >= 30, "steps 10 and 20 are drawn")
    page.click("#end")
    page.click("#mark")
    wait_until(lambda: len(curve(page, "checkpoints")["x"]) == 2, "two checkpoints are marked")
    marks = curve(page, "checkpoints")
    assert marks["x"] == [10, 20]
    where = page.evaluate(
        """([x, y]) => {
          const plot = document.querySelector(".mt-chart-plot");
          const { xaxis, yaxis } = plot._fullLayout;
          const box = plot.getBoundingClientRect();
          return [box.left + xaxis._offset + xaxis.d2p(x), box.top + yaxis._offset + yaxis.d2p(y)];
        }""",
        [marks["x"][1], marks["y"][1]],
    )
    page.mouse.move(where[0] + 1, where[1] + 1, steps=3)
    page.mouse.click(where[0] + 1, where[1] + 1)
    clicked = page.locator("#clicked textarea, #clicked input").first
    wait_until(lambda: clicked.input_value() == f"checkpoint-20 of {run}", "the event names it")


def test_a_keyboard_reaches_a_checkpoint(opened: Opened) -> None:
    """The markers were for a mouse alone."""
    page = opened.page
    run = start_run(page)
    wait_until(lambda: points(page) >= 30, "steps 10 and 20 are drawn")
    page.click("#mark")
    marks = page.locator(".mt-chart-mark")
    wait_until(lambda: marks.count() == 2, "each marker has its button")
    page.focus('[data-control="log"]')
    focused = page.locator(":focus")
    for _ in range(4):  # past the legend
        page.keyboard.press("Tab")
        if focused.evaluate("node => node.className") == "mt-chart-mark":
            break
    assert focused.get_attribute("aria-label") == f"Open checkpoint-20 of {run} in Chat"
    page.keyboard.press("ArrowLeft")
    before = points(page)
    wait_until(lambda: points(page) > before + 20, "points arrive meanwhile")
    assert focused.get_attribute("aria-label") == f"Open checkpoint-10 of {run} in Chat"
    page.keyboard.press("Enter")
    clicked = page.locator("#clicked textarea, #clicked input").first
    wait_until(lambda: clicked.input_value() == f"checkpoint-10 of {run}", "the event names it")
    page.click("#end")


def test_words_change_in_place(opened: Opened) -> None:
    page = opened.page
    start_run(page)
    mark(page)
    zoom(page)
    zoomed = layout(page)["range"]
    page.click("#chinese")
    wait_until(lambda: curve(page, "loss")["name"] == "训练损失", "the curve has its Chinese name")
    assert layout(page)["headings"][:3] == ["训练损失", "验证损失", "学习率"]
    assert page.get_by_label("对数坐标").count() == 1
    assert layout(page)["range"] == zoomed and same_node(page)


def test_an_ended_run_is_read_to_its_end_and_then_left_alone(opened: Opened) -> None:
    page = opened.page
    start_run(page)
    page.click("#end")
    wait_until(lambda: asked(opened)[-1]["answer"] == {}, "an answer brings nothing new")
    page.wait_for_timeout(500)
    questions, drawn = len(asked(opened)), points(page)
    page.wait_for_timeout(1000)
    assert len(asked(opened)) == questions and points(page) == drawn


def test_it_rests_while_another_tab_is_shown_and_then_catches_up(opened: Opened) -> None:
    page = opened.page
    start_run(page)
    mark(page)
    page.get_by_role("tab", name="Other").click()
    page.locator(".mt-chart").wait_for(state="hidden")
    page.wait_for_timeout(500)
    questions, before = len(asked(opened)), points(page)
    page.wait_for_timeout(1000)
    assert len(asked(opened)) == questions
    page.get_by_role("tab", name="Chart").click()
    wait_until(lambda: points(page) >= before + 40, "what was logged meanwhile is drawn")
    assert same_node(page)
    steps = curve(page, "loss")["x"]
    assert steps == list(range(1, len(steps) + 1))


def test_a_replaced_log_starts_over(opened: Opened) -> None:
    page = opened.page
    run = start_run(page)
    wait_until(lambda: points(page) >= 60, "the log is drawn")
    generation = asked(opened)[-1]["since"][run][0]
    page.click("#replace")
    wait_until(
        lambda: asked(opened)[-1]["since"].get(run, [generation])[0] != generation,
        "the new log is followed",
    )
    wait_until(lambda: points(page) >= 10, "the new points are drawn")
    steps = curve(page, "loss")["x"]
    assert steps == list(range(1, len(steps) + 1))


def test_a_server_that_fails_is_said_and_asked_again(opened: Opened) -> None:
    page = opened.page
    start_run(page)
    note = page.locator(".mt-chart-error")
    assert not note.is_visible()
    page.click("#fail")
    note.wait_for(state="visible")
    assert note.inner_text() == "The points can't be read just now. Trying again."
    page.click("#mend")
    note.wait_for(state="hidden")
    steps = curve(page, "loss")["x"]
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
    light, colour = layout(page), curve(page, "smoothed")["color"]
    page.evaluate("document.body.classList.toggle('dark')")
    wait_until(lambda: layout(page)["text"] != light["text"], "the words have another colour")
    assert curve(page, "smoothed")["color"] != colour
    assert same_node(page)


def test_nothing_moves_when_points_arrive_and_the_plot_fills_its_place(opened: Opened) -> None:
    page = opened.page
    page.click("#silent")
    empty = "The loss appears here with the first logged step."
    page.locator(".mt-chart-empty", has_text=empty).wait_for(state="visible")
    below = page.locator("#below").bounding_box()
    start_run(page)
    page.locator(".mt-chart-empty").wait_for(state="hidden")
    assert page.locator("#below").bounding_box() == below
    for width in (1024, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        page.wait_for_function(
            "() => { const plot = document.querySelector('.mt-chart-plot');"
            " return plot.querySelector('.main-svg').clientWidth === plot.clientWidth }",
            timeout=10_000,
        )
