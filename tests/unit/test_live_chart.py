"""What the live chart's server side does with questions that no chart would ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from backend.training.chart import Seen, View
from backend.training.curves import Curves, read_curves
from backend.training.layout import TRAINER_LOG
from ui.components.live_chart import (
    MOST_RUNS,
    Shown,
    build_live_chart,
    checkpoint_of,
    live_chart_value,
    plotly_script,
)
from ui.components.live_chart_question import question_of


@pytest.fixture
def asked() -> list[str]:
    return []


@pytest.fixture
def points(asked: list[str], tmp_path: Path) -> Any:
    """The function that the page calls, over a reader that notes which runs it is asked for."""
    line = {"current_steps": 1, "loss": 2.0}
    (tmp_path / TRAINER_LOG).write_text(json.dumps(line) + "\n", encoding="utf-8")

    def read(run: str) -> Curves | None:
        asked.append(run)
        return read_curves(tmp_path) if run == "first" else None

    with gr.Blocks(analytics_enabled=False):
        chart = build_live_chart(read)
    return chart.component.points


def test_a_run_is_answered_once(points: Any, asked: list[str]) -> None:
    answer = points({"runs": ["first", "gone"], "axis": "step"})["runs"]
    assert list(answer) == ["first"] and asked == ["first", "gone"]
    assert answer["first"]["curves"]["loss"] == {"x": [1.0], "y": [2.0]}
    seen = [answer["first"][name] for name in ("generation", "rows", "evaluations")]
    assert points({"runs": ["first"], "since": {"first": seen}}) == {"runs": {}}


@pytest.mark.parametrize("nonsense", [None, "first", 3, [], {}, {"runs": None}, {"runs": "first"}])
def test_a_question_about_no_run_is_answered_without_points(
    points: Any, asked: list[str], nonsense: object
) -> None:
    assert points(nonsense) == {"runs": {}}
    assert asked == []


def test_no_question_is_about_more_runs_than_a_chart_has(points: Any, asked: list[str]) -> None:
    points({"runs": [f"run-{number}" for number in range(1000)] + [3, None, ""]})
    assert len(asked) == MOST_RUNS


@pytest.mark.parametrize(
    "told",
    [
        {"axis": "epochs", "range": "all", "smoothing": "much", "log": 1},
        {"axis": ["step"], "range": [2, 1], "smoothing": True, "log": "true"},
        {"axis": None, "range": [1], "smoothing": float("nan"), "since": [1]},
        {"range": [float("-inf"), 3], "smoothing": 10**400, "since": {"a": ["x", True, 0]}},
        {"range": [1, 2, 3], "smoothing": -4, "since": {"a": ["x", -1, 0]}},
    ],
)
def test_what_makes_no_sense_is_as_if_not_said(told: dict[str, Any]) -> None:
    question = question_of({"runs": ["a"], **told}, most_runs=8)
    assert question.view == View() and question.runs == {"a": None}


def test_a_question_is_understood() -> None:
    told = {
        "runs": ["a", "b"],
        "axis": "tokens",
        "range": [1, 2.5],
        "smoothing": 4,
        "log": True,
        "since": {"b": ["x", 3, 1]},
    }
    question = question_of(told, most_runs=8)
    assert question.runs == {"a": None, "b": Seen("x", 3, 1)}
    assert question.view == View("tokens", (1.0, 2.5), 0.99, True, 2)


def test_the_value_names_runs_checkpoints_and_words() -> None:
    shown = [Shown("a"), Shown("b", True, [("checkpoint-3", 3)])]
    value = live_chart_value(shown, "zh")
    assert value["runs"] == ["a", "b"] and value["active"]
    assert value["checkpoints"] == {"a": [], "b": [["checkpoint-3", 3]]}
    assert value["labels"]["loss"] == "训练损失"
    assert len(live_chart_value([Shown(str(n)) for n in range(20)], "en")["runs"]) == MOST_RUNS


@pytest.mark.parametrize("data", [None, 3, {}, {"run": "a"}, {"run": "a", "checkpoint": ["x"]}])
def test_a_click_that_names_no_checkpoint_is_none(data: object) -> None:
    assert checkpoint_of(gr.EventData(None, data)) is None


def test_a_click_names_run_and_checkpoint() -> None:
    told = {"run": "a", "checkpoint": "checkpoint-3"}
    assert checkpoint_of(gr.EventData(None, told)) == ("a", "checkpoint-3")


def test_plotlys_script_is_there() -> None:
    assert plotly_script().is_file()
