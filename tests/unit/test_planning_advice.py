"""What is advised before a start, and that doing it settles it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from backend.library.models import DEMO_ID
from backend.planning import advice as module
from backend.planning import disk, plan
from backend.planning.advice import Advice
from backend.planning.plan import Plan, Planner
from backend.text import LANGUAGES
from backend.training.devices import Gpu
from backend.training.presets import list_presets, switched
from backend.training.schema import FIELD, Field, defaults
from backend.workspace import Workspace
from tests.fakes.prepared_datasets import put_prepared, record

GB = 1_000_000_000
ROWS = 400


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "gpus_lately", lambda: ())


@pytest.fixture
def ready(workspace: Workspace) -> Workspace:
    """A dataset of short rows."""
    put_prepared(workspace, "notes", [record(number) for number in range(ROWS)])
    return workspace


def values(**more: Any) -> dict[str, Any]:
    """A form in which there is nothing to mind."""
    chosen = {"model": DEMO_ID, "dataset": "notes", "template": "deepseekr1", "save_steps": 20}
    return {**defaults(), **chosen, **more}


def planned(workspace: Workspace, asked: Mapping[str, Any]) -> Plan:
    return Planner(workspace).plan(asked)


def only(found: Plan) -> Advice:
    (one,) = found.advice
    return one


def gpu(*, free: float = 80 * GB, capability: float = 8.0) -> Gpu:
    return Gpu(0, "GPU-0", "Test T4", int(80 * GB), int(free), capability)


def on_gpu(monkeypatch: pytest.MonkeyPatch, one: Gpu) -> None:
    monkeypatch.setattr(plan, "gpus_lately", lambda: (one,))


def with_field(monkeypatch: pytest.MonkeyPatch, field: Field) -> None:
    """A form that has one field more."""
    monkeypatch.setattr(module, "FIELD", {**FIELD, field.name: field})


def test_there_is_nothing_to_mind_in_sound_values(ready: Workspace) -> None:
    assert planned(ready, values()).advice == ()


def test_nor_in_the_first_preset(workspace: Workspace) -> None:
    """5e-3 is far above the usual rate, and right for a model of 3 million parameters."""
    put_prepared(workspace, "notes", [record(number) for number in range(24)])
    preset = next(one for one in list_presets() if one.name == "quick_demo")
    asked = {**values(), **switched(preset), "dataset": "notes"}
    assert planned(workspace, asked).advice == ()


CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("cutoff", {"cutoff_len": 16}, {"cutoff_len": 64}),
    ("template", {"template": "qwen"}, {"template": "deepseekr1"}),
    ("precision", {"precision": "bf16"}, {"precision": "auto"}),
    ("rate", {"learning_rate": 1e-7}, {"learning_rate": 1e-4}),
    ("rate", {"learning_rate": 1e-7, "finetuning_type": "full"}, {"learning_rate": 1e-5}),
    ("batch", {"gradient_accumulation_steps": 128},
     {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 24}),
    ("batch", {"per_device_train_batch_size": 64, "gradient_accumulation_steps": 4},
     {"per_device_train_batch_size": 24, "gradient_accumulation_steps": 1}),
    ("batch", {"max_samples": 3, "gradient_accumulation_steps": 1, "save_steps": 1},
     {"num_train_epochs": 7.0}),
    ("batch", {"max_steps": 50, "gradient_accumulation_steps": 1000},
     {"per_device_train_batch_size": 1, "gradient_accumulation_steps": 100}),
    ("warmup", {"warmup_steps": 100}, {"warmup_steps": 0.1}),
    ("saving", {"save_steps": 151}, {"save_steps": 38}),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "asked", "changes"), CASES)
def test_each_fault_is_named_and_its_remedy_settles_it(
    ready: Workspace, kind: str, asked: dict[str, Any], changes: dict[str, Any]
) -> None:
    form = values(**asked)
    form["save_steps"] = asked.get("save_steps", 1)
    found = only(planned(ready, form))
    assert (found.kind, dict(found.changes)) == (kind, changes)
    assert found.fix is not None
    after = planned(ready, {**form, **found.changes})
    assert kind not in [one.kind for one in after.advice]


@pytest.mark.parametrize("language", LANGUAGES)
def test_it_is_said_in_both_languages(ready: Workspace, language: str) -> None:
    for _, asked, _ in CASES:
        for one in planned(ready, values(**asked)).advice:
            assert one.problem.sentence(language)
            assert one.fix is None or one.fix.sentence(language)


def test_a_training_without_validation_rows_evaluates_nothing(workspace: Workspace) -> None:
    rows = [record(number) for number in range(ROWS)]
    put_prepared(workspace, "notes", rows, rows[:2])
    found = only(planned(workspace, values(eval_steps=500)))
    assert (found.kind, dict(found.changes)) == ("evaluation", {"eval_steps": 38})
    assert planned(workspace, values(eval_steps=0)).advice == ()


def test_a_rate_is_high_for_models_of_the_usual_size_only(
    ready: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert planned(ready, values(learning_rate=5e-3)).advice == ()
    monkeypatch.setattr(module, "SMALL", 1)
    found = only(planned(ready, values(learning_rate=5e-3)))
    assert found.problem.key == "planning.advice.rate_high"
    assert dict(found.changes) == {"learning_rate": 1e-4}


@pytest.mark.parametrize("template", ["deepseekr1", "deepseek3"])
def test_templates_with_the_same_markers_both_fit(ready: Workspace, template: str) -> None:
    assert planned(ready, values(template=template)).advice == ()


def test_a_cutoff_is_never_longer_than_the_model(workspace: Workspace) -> None:
    long = {**record(1), "output": "word " * 9000}
    put_prepared(workspace, "notes", [long, long, *(record(number) for number in range(50))])
    found = only(planned(workspace, values(gradient_accumulation_steps=1)))
    assert (found.kind, dict(found.changes)) == ("cutoff", {"cutoff_len": 4096})
    (still,) = planned(workspace, values(gradient_accumulation_steps=1, cutoff_len=4096)).advice
    assert still.kind == "cutoff" and still.fix is None


def test_saving_stays_with_evaluating_where_the_best_is_looked_for(
    ready: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """transformers refuses a save interval that is no multiple of the other."""
    cases: list[module.Case] = []
    monkeypatch.setattr(plan, "advice_for", lambda case: cases.append(case) or ())
    planned(ready, values())
    best = {"load_best_model_at_end": True}

    def changes(**asked: Any) -> list[dict[str, Any]]:
        case = replace(cases[0], values={**cases[0].values, **best, **asked})
        return [dict(one.changes) for one in module.advice_for(case)]

    assert changes(save_steps=300, eval_steps=30) == [{"save_steps": 60}]
    assert changes(save_steps=300, eval_steps=150) == [{"save_steps": 150}]
    assert changes(save_steps=60, eval_steps=600) == [{"eval_steps": 2}]
    assert changes(save_steps=400, eval_steps=200) == [{}, {"eval_steps": 2}]


# --- Devices ------------------------------------------------------------------------------------


def test_bf16_needs_a_device_that_has_it(ready: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    on_gpu(monkeypatch, gpu(capability=7.5))
    found = only(planned(ready, values(precision="bf16")))
    assert dict(found.changes) == {"precision": "fp16"}
    assert planned(ready, values(precision="fp16")).advice == ()
    on_gpu(monkeypatch, gpu(capability=8.6))
    assert planned(ready, values(precision="bf16")).advice == ()


def tight(workspace: Workspace, share: float, **asked: Any) -> int:
    """So much of what a training needs."""
    return int(share * planned(workspace, values(**asked)).needed)


def test_too_little_memory_is_met_by_fewer_rows_at_once(
    ready: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The effective batch stays."""
    asked = {"per_device_train_batch_size": 4096, "gradient_accumulation_steps": 1, "max_steps": 99}
    on_gpu(monkeypatch, gpu())
    free = tight(ready, 0.6, **asked)
    on_gpu(monkeypatch, gpu(free=free))
    found = planned(ready, values(**asked)).advice[0]
    assert found.kind == "memory"
    batch, accumulation = found.changes.values()
    assert batch in (2048, 1024, 512) and batch * accumulation == 4096
    after = planned(ready, {**values(**asked), **found.changes})
    assert "memory" not in [one.kind for one in after.advice]


def test_then_by_a_quantised_base_where_the_form_has_that(
    ready: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    on_gpu(monkeypatch, gpu())
    needed = planned(ready, values()).needed
    on_gpu(monkeypatch, gpu(free=needed - 1_000_000))
    assert only(planned(ready, values())).fix is None, "nothing left to do"
    with_field(monkeypatch, Field("quantization_bit", "choice", "method", choices=("none", "4")))
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    assert only(planned(ready, values())).fix is None, "it is not installed"
    monkeypatch.setattr(module, "find_spec", lambda name: name)
    assert dict(only(planned(ready, values())).changes) == {"quantization_bit": "4"}


def test_then_by_shorter_rows(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    long = [{**record(number), "output": "word " * 1500} for number in range(60)]
    put_prepared(workspace, "notes", long)
    on_gpu(monkeypatch, gpu())
    asked = {"gradient_accumulation_steps": 1}
    free = planned(workspace, values(**asked)).needed - 30_000_000
    on_gpu(monkeypatch, gpu(free=free))
    found = planned(workspace, values(**asked)).advice[0]
    assert found.kind == "memory" and set(found.changes) == {"cutoff_len"}
    after = planned(workspace, {**values(**asked), **found.changes})
    assert "memory" not in [one.kind for one in after.advice]


def test_a_full_disk_is_met_by_fewer_checkpoints(
    ready: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual = planned(ready, values(save_steps=1)).saved
    assert usual is not None and usual.count == 150 and usual.fits
    full(monkeypatch, lambda: int((usual.last + 10.5 * usual.each) / disk.SPARE))
    fields = {name: one for name, one in FIELD.items() if name != "save_total_limit"}
    monkeypatch.setattr(module, "FIELD", fields)
    found = only(planned(ready, values(save_steps=1)))
    assert (found.kind, dict(found.changes)) == ("disk", {"save_steps": 15})
    assert planned(ready, values(save_steps=15)).advice == ()
    with_field(monkeypatch, Field("save_total_limit", "int", "saving", default=0))
    assert dict(only(planned(ready, values(save_steps=1))).changes) == {"save_total_limit": 9}


@pytest.mark.parametrize(
    ("asked", "each"),
    [
        ({"finetuning_type": "lora"}, 1_663_232),
        ({"finetuning_type": "full", "learning_rate": 1e-5}, 37_820_266),
        ({"finetuning_type": "freeze", "learning_rate": 1e-5}, 25_363_508),
    ],
)
def test_a_checkpoint_is_as_large_as_real_ones_were(
    ready: Workspace, asked: dict[str, Any], each: int
) -> None:
    """Of the demo model on a CPU; schedule, random state and a few texts come on top."""
    saved = planned(ready, values(**asked)).saved
    assert saved is not None and 0.95 < saved.each / each <= 1


def test_a_disk_without_room_for_one_is_told(
    ready: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    full(monkeypatch, lambda: 1000)
    found = planned(ready, values()).advice[0]
    assert found.kind == "disk" and found.fix is None


def full(monkeypatch: pytest.MonkeyPatch, free: Callable[[], int]) -> None:
    usage = type("Usage", (), {"free": free()})
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda path: usage)
