"""The table of runs: figures from the logs, read again only when a log has changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backend.training import layout, overview
from backend.training.notes import write_note
from backend.training.overview import Figures, Overview, differences
from backend.training.runs import Run, list_runs
from backend.workspace import Workspace


def make_run(workspace: Workspace, name: str, lines: list[dict[str, Any]], **values: Any) -> Path:
    folder = workspace.runs / name
    folder.mkdir()
    created = f"2026-01-0{len(list(workspace.runs.iterdir()))}T00:00:00+00:00"
    record = {"id": name, "created": created, "values": {"model": "m", "dataset": "d", **values}}
    (folder / layout.RUN).write_text(json.dumps(record), encoding="utf-8")
    (folder / layout.EXIT).write_text('{"code": 0, "reason": "finished"}', encoding="utf-8")
    write_log(folder, lines)
    return folder


def write_log(folder: Path, lines: list[dict[str, Any]]) -> None:
    said = "".join(json.dumps({"total_steps": 9, **line}) + "\n" for line in lines)
    (folder / layout.TRAINER_LOG).write_text(said, encoding="utf-8")


def step(number: int, loss: float, **more: Any) -> dict[str, Any]:
    return {"current_steps": number, "loss": loss, "lr": 1e-4, "total_tokens": 10 * number, **more}


def evaluation(number: int, loss: float) -> dict[str, Any]:
    return {"current_steps": number, "eval_loss": loss}


def names(table: Overview, runs: list[Run], **asked: Any) -> list[str]:
    return [row.run.id for row in table.rows(runs, **asked)]


@pytest.fixture
def runs(workspace: Workspace) -> list[Run]:
    make_run(workspace, "first", [step(1, 2.0), step(2, 1.0), evaluation(2, 1.5)], dataset="zeta")
    make_run(workspace, "second", [step(1, 3.0), evaluation(1, 0.9), evaluation(1, 1.1)])
    make_run(workspace, "third", [], finetuning_type="full")
    return list_runs(workspace)


def test_figures_are_those_of_the_log(runs: list[Run]) -> None:
    rows = {row.run.id: row.figures for row in Overview().rows(runs)}
    assert (rows["first"].best, rows["first"].last, rows["first"].tokens) == (1.5, 1.0, 20)
    assert rows["second"].best == pytest.approx(1.1), "evaluated twice at a step: the later counts"
    assert rows["third"] == Figures()


def test_what_lacks_a_figure_comes_last_in_every_order(runs: list[Run]) -> None:
    table = Overview()
    assert names(table, runs) == ["third", "second", "first"]
    assert names(table, runs, order="best") == ["second", "first", "third"]
    assert names(table, runs, order="last") == ["first", "second", "third"]
    assert names(table, runs, order="tokens") == ["first", "second", "third"]
    assert names(table, runs, order="dataset") == ["third", "second", "first"]


def test_words_are_found_in_any_of_its_words_and_all_must_be(runs: list[Run]) -> None:
    write_note(next(run for run in runs if run.id == "second").folder, "Baseline", "")
    table = Overview()
    assert names(table, runs, words="BASEline") == ["second"]
    assert names(table, runs, words="zeta finished") == ["first"]
    assert names(table, runs, words="full") == ["third"]
    assert names(table, runs, words="zeta full") == []


def test_a_log_is_read_again_only_when_it_has_changed(
    runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []
    real = overview._read
    monkeypatch.setattr(overview, "_read", lambda path: (read.append(path.name), real(path))[1])
    table = Overview()
    for _ in range(3):
        table.rows(runs)
    assert sorted(read) == ["first", "second", "third"]
    folder = next(run for run in runs if run.id == "first").folder
    write_log(folder, [step(1, 2.0), step(2, 1.0), step(3, 0.25)])
    assert next(row for row in table.rows(runs) if row.run.id == "first").figures.last == 0.25
    assert sorted(read) == ["first", "first", "second", "third"]


def test_only_what_differs_is_compared() -> None:
    first = {"run_name": "a", "lora_rank": 8, "seed": 1}
    second = {"run_name": "b", "lora_rank": 16, "seed": 1, "packing": True}
    assert differences(first, second) == [("lora_rank", 8, 16), ("packing", None, True)]
