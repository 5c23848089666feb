"""Several values for a few fields: which runs come of it, and that all of them are queued."""

from __future__ import annotations

from typing import Any

import pytest

from backend.errors import HyperparameterError, MedTuneError
from backend.training.runs import RunState, list_runs
from backend.training.schema import FIELD
from backend.training.sweep import MOST_RUNS, SWEPT, parse_values, plan_sweep
from backend.workspace import Workspace
from tests.fakes.ready_workspace import VALUES
from tests.fakes.trainers import Make
from ui.components.sweep_panel import sweep_view


def changes(*axes: tuple[str | None, str], **values: Any) -> list[dict[str, Any]]:
    return [dict(run.changes) for run in plan_sweep({**VALUES, **values}, axes)]


def test_each_combination_is_a_run() -> None:
    planned = changes(("learning_rate", "1e-4, 2e-4"), (None, ""), ("lora_rank", "8 16"))
    assert planned == [
        {"learning_rate": rate, "lora_rank": rank} for rate in (1e-4, 2e-4) for rank in (8, 16)
    ]
    assert changes() == changes(("seed", " ")) == []


@pytest.mark.parametrize(
    ("name", "words", "values"),
    [
        ("lora_rank", "8;16，32、8", [8, 16, 32]),
        ("learning_rate", "1e-4", [1e-4]),
        ("use_rslora", "on off true", [True, False]),
        ("lr_scheduler_type", "cosine, linear", ["cosine", "linear"]),
        ("quantization_bit", "none 4", ["none", "4"]),
    ],
)
def test_values_are_typed_and_each_counts_once(name: str, words: str, values: list[Any]) -> None:
    assert parse_values(name, words) == values


@pytest.mark.parametrize(
    ("axes", "key"),
    [
        ([("lora_rank", "8, many")], "field_number"),
        ([("lora_rank", "0")], "field_range"),
        ([("lr_scheduler_type", "steep")], "field_choice"),
        ([("use_dora", "perhaps")], "field_bool"),
        ([("seed", "1"), ("seed", "2")], "sweep_twice"),
        ([("model", "a")], "field_unknown"),
        ([("seed", " ".join(map(str, range(MOST_RUNS + 1))))], "sweep_many"),
    ],
)
def test_what_is_no_sweep_is_refused(axes: list[tuple[str | None, str]], key: str) -> None:
    with pytest.raises(HyperparameterError) as caught:
        plan_sweep(VALUES, axes)
    assert caught.value.key == f"training.errors.{key}"


def test_a_combination_that_can_not_be_trained_with_is_among_them_with_the_reason() -> None:
    runs = plan_sweep(
        {**VALUES, "mask_history": True}, [("train_on_prompt", "off on"), ("seed", "1")]
    )
    assert runs[0].problem is None and runs[1].problem is not None
    shown = sweep_view(runs, "en")
    assert "2 runs" in shown and "can&#x27;t be used together" in shown
    (idle,) = plan_sweep({**VALUES, "finetuning_type": "full"}, [("lora_rank", "8")])
    assert isinstance(idle.problem, MedTuneError) and "no effect" in str(idle.problem)


def test_runs_are_numbered_behind_a_name_that_was_given() -> None:
    runs = plan_sweep({**VALUES, "run_name": "try"}, [("seed", "1 2")])
    assert [run.values["run_name"] for run in runs] == ["try-1", "try-2"]


def test_fields_that_can_have_several_values() -> None:
    assert {"learning_rate", "lora_rank", "packing", "optim", "seed"} <= set(SWEPT)
    assert not {"model", "run_name", "devices", "processes", "extra", "deepspeed"} & set(SWEPT)
    assert set(SWEPT) <= set(FIELD)


def test_all_runs_are_queued_once_and_the_first_starts(ready: Workspace, make: Make) -> None:
    trainers = make("--step-seconds", "5")
    several = [run.values for run in plan_sweep(VALUES, [("seed", "1 2 3")])]
    started = trainers.start_all(several)
    assert [run.values["seed"] for run in started] == [1, 2, 3]
    again = trainers.start_all(several)
    assert {run.id for run in again} == {run.id for run in started}, "a double click"
    runs = list_runs(ready)
    assert len(runs) == 3
    assert sorted(run.state is RunState.QUEUED for run in runs) == [False, True, True]
    assert [run.values["seed"] for run in trainers.queue()] == [2, 3]


def test_none_is_queued_where_one_can_not_be(ready: Workspace, make: Make) -> None:
    trainers = make()
    several = [run.values for run in plan_sweep({**VALUES, "run_name": "x"}, [("seed", "1 2")])]
    trainers.start({**VALUES, "run_name": "x-2"})
    with pytest.raises(MedTuneError, match="x-2"):
        trainers.start_all(several)
    assert [run.id for run in list_runs(ready)] == ["x-2"]
