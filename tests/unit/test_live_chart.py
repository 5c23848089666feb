"""What the live chart's server side does with questions that no chart would ask."""

from __future__ import annotations

from typing import Any

import gradio as gr
import pytest

from ui.components.live_chart import build_live_chart, plotly_script


@pytest.fixture
def questions() -> list[tuple[str, int]]:
    return []


@pytest.fixture
def points(questions: list[tuple[str, int]]) -> Any:
    """The function that the page calls, over a reader that notes what it is asked."""

    def read(run: str, offset: int) -> dict[str, Any]:
        questions.append((run, offset))
        return {"offset": 7, "reset": False, "points": [{"step": 1, "loss": 2.0}]}

    with gr.Blocks(analytics_enabled=False):
        chart = build_live_chart(read)
    return chart.component.points


def test_a_question_is_passed_on(points: Any, questions: list[tuple[str, int]]) -> None:
    assert points({"run": "first", "offset": 3})["offset"] == 7
    assert questions == [("first", 3)]


@pytest.mark.parametrize("offset", [-1, True, 1.5, "3", None, [], {}])
def test_an_offset_that_is_none_means_the_beginning(
    points: Any, questions: list[tuple[str, int]], offset: object
) -> None:
    points({"run": "first", "offset": offset})
    assert questions == [("first", 0)]


@pytest.mark.parametrize("asked", [None, "first", 3, ["first", 0], {}, {"run": None}, {"run": ""}])
def test_a_question_about_no_run_is_answered_without_points(
    points: Any, questions: list[tuple[str, int]], asked: object
) -> None:
    assert points(asked) == {"offset": 0, "reset": True, "points": []}
    assert questions == []


def test_plotlys_script_is_there() -> None:
    assert plotly_script().is_file()
