"""Hyperparameters: what is accepted, what is refused and in which words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backend.errors import HyperparameterError
from backend.text import LANGUAGES, catalogue
from backend.training.presets import apply, list_presets, switched
from backend.training.schema import (
    FIELD,
    FIELDS,
    GROUPS,
    FieldError,
    defaults,
    effective_batch_size,
    validate,
    validation,
)

CHOSEN = {"model": "medtune/demo", "dataset": "notes", "template": "deepseekr1"}


def test_defaults_are_valid_once_model_dataset_and_template_are_chosen() -> None:
    assert validate({**defaults(), **CHOSEN}) == {**defaults(), **CHOSEN}
    assert validate(CHOSEN) == {**defaults(), **CHOSEN}


@pytest.mark.parametrize("name", CHOSEN)
def test_model_dataset_and_template_are_required(name: str) -> None:
    with pytest.raises(FieldError) as caught:
        validate({**CHOSEN, name: " "})
    assert caught.value.field == name


@pytest.mark.parametrize(
    ("name", "given", "clean"),
    [
        ("learning_rate", "1e-4", 1e-4),
        ("lora_rank", 16.0, 16),
        ("lora_rank", "16", 16),
        ("num_train_epochs", 2, 2.0),
        ("max_steps", 0, -1),
        ("run_name", None, ""),
        ("run_name", " first ", "first"),
        ("lora_target", "q_proj, v_proj", "q_proj,v_proj"),
    ],
)
def test_values_are_typed(name: str, given: Any, clean: Any) -> None:
    value = validate({**CHOSEN, name: given})[name]
    assert value == clean and type(value) is type(clean)


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("learning_rate", 0, "range"),
        ("learning_rate", 2, "range"),
        ("learning_rate", None, "number"),
        ("learning_rate", "fast", "number"),
        ("learning_rate", float("nan"), "number"),
        ("learning_rate", True, "number"),
        ("lora_rank", 0, "range"),
        ("lora_rank", 7.5, "whole"),
        ("lora_rank", 10**400, "number"),
        ("lora_target", "all; rm", "modules"),
        ("lora_target", "", "required"),
        ("seed", -1, "range"),
        ("packing", "yes", "bool"),
        ("precision", "int4", "choice"),
        ("finetuning_type", ["lora"], "choice"),
    ],
)
def test_unusable_values_are_refused_by_name(name: str, value: Any, key: str) -> None:
    with pytest.raises(FieldError) as caught:
        validate({**CHOSEN, name: value})
    assert caught.value.field == name
    assert caught.value.key == f"training.errors.field_{key}"
    for language in LANGUAGES:
        assert catalogue(language)[f"fields.{name}.label"] in caught.value.sentence(language)


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(HyperparameterError, match="lora_rnk"):
        validate({**CHOSEN, "lora_rnk": 8})


def test_a_hidden_field_is_not_complained_about() -> None:
    """The form hides LoRA's fields for full fine-tuning: a bad rank there can't be mended."""
    clean = validate({**CHOSEN, "finetuning_type": "full", "lora_rank": -3})
    assert clean["lora_rank"] == FIELD["lora_rank"].default


def test_fields_apply_by_the_values_of_others() -> None:
    assert FIELD["lora_rank"].applies({"finetuning_type": "lora"})
    assert not FIELD["lora_rank"].applies({"finetuning_type": "full"})
    assert not FIELD["num_train_epochs"].applies({"max_steps": 20})
    assert not FIELD["warmup_steps"].applies({"lr_scheduler_type": "constant"})


def test_effective_batch_size_counts_accumulation_and_devices() -> None:
    values = {"per_device_train_batch_size": "2", "gradient_accumulation_steps": 8.0}
    assert effective_batch_size(values) == 16
    assert effective_batch_size(values, devices=4) == 64
    with pytest.raises(HyperparameterError):
        effective_batch_size({"per_device_train_batch_size": 0})


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from(sorted(FIELD)),
        st.none()
        | st.text()
        | st.floats()
        | st.booleans()
        | st.integers()
        | st.lists(st.integers()),
    )
)
def test_any_form_is_cleaned_or_refused_with_a_sentence(entered: dict[str, Any]) -> None:
    try:
        clean = validate({**CHOSEN, **entered})
    except HyperparameterError as error:
        assert all(error.sentence(language) for language in LANGUAGES)
    else:
        assert validate(clean) == clean


def test_each_field_has_words_and_a_group() -> None:
    words = catalogue("en")
    for field in FIELDS:
        assert field.group in GROUPS
        assert f"fields.{field.name}.label" in words and f"fields.{field.name}.help" in words
        if field.kind in ("int", "float"):
            assert field.minimum is not None and field.maximum is not None


def test_a_preset_leaves_nothing_of_the_one_before() -> None:
    """Quick demo's 24 rows stayed with the next preset, which trained on 24 of thousands."""
    presets = {preset.name: preset for preset in list_presets()}
    values = {**defaults(), **CHOSEN, "run_name": "mine", **switched(presets["quick_demo"])}
    assert values["max_samples"] == 24
    values |= {"model": "other", "template": "qwen3", **switched(presets["tutorial"])}
    assert values["max_samples"] == defaults()["max_samples"]
    expected = {**apply(presets["tutorial"], defaults()), **CHOSEN, "run_name": "mine"}
    assert values == {**expected, "model": "other", "template": "qwen3"}


def test_presets_are_valid_and_have_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "is_installed", lambda _: True)
    assert {"r1_1p5b_lora_8gb", "tutorial"} <= {preset.name for preset in list_presets()}
    orders = [preset.order for preset in list_presets()]
    assert orders == sorted(orders) and len(set(orders)) == len(orders)
    for preset in list_presets():
        values = validate({**CHOSEN, **apply(preset, defaults()), **CHOSEN})
        assert values.items() >= {k: v for k, v in preset.values.items() if k not in CHOSEN}.items()
        assert f"presets.{preset.name}.label" in catalogue("zh")


def test_huatuogpt_o1s_first_stage_is_the_papers() -> None:
    (preset,) = (one for one in list_presets() if one.name == "huatuogpt_o1_stage1")
    assert preset.values.items() >= {
        "finetuning_type": "full", "learning_rate": 5e-6, "num_train_epochs": 3.0,
    }.items()  # fmt: skip
    assert effective_batch_size(preset.values) == 128
