"""Values that don't go together, and packages that are not there: said before the start."""

from __future__ import annotations

from typing import Any

import pytest

from backend.text import LANGUAGES, text
from backend.training.schema import FIELD, FIELDS, FieldError, validate, validation
from backend.training.schema.packages import PIP_NAMES
from backend.training.schema.rules import RULES
from ui.components import form
from ui.components.form import field_help

CHOSEN = {"model": "medtune/demo", "dataset": "notes", "template": "deepseekr1"}

# One for each rule: what breaks it, and a change that mends it.
BROKEN: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("mask_history", {"mask_history": True, "train_on_prompt": True}, {"train_on_prompt": False}),
    ("pissa_init", {"pissa_init": True, "quantization_bit": "4"}, {"quantization_bit": "none"}),
    ("pissa_init", {"pissa_init": True, "deepspeed": "3"}, {"deepspeed": "2"}),
    ("pissa_init", {"pissa_init": True, "use_unsloth": True}, {"use_unsloth": False}),
    (
        "use_dora",
        {"use_dora": True, "quantization_bit": "4", "quantization_method": "hqq"},
        {"quantization_method": "bnb"},
    ),
    (
        "quantization_method",
        {"quantization_bit": "4", "quantization_method": "eetq"},
        {"quantization_bit": "8"},
    ),
    (
        "quantization_method",
        {"quantization_bit": "4", "quantization_method": "hqq", "fsdp": "full_shard"},
        {"fsdp": "none"},
    ),
    ("quantization_bit", {"quantization_bit": "8", "deepspeed": "3"}, {"quantization_bit": "4"}),
    (
        "pure_bf16",
        {"finetuning_type": "full", "pure_bf16": True, "deepspeed": "3_offload"},
        {"deepspeed": "2_offload"},
    ),
    (
        "pure_bf16",
        {"finetuning_type": "full", "pure_bf16": True, "precision": "fp16"},
        {"precision": "auto"},
    ),
    ("use_unsloth", {"use_unsloth": True, "deepspeed": "3"}, {"deepspeed": "2"}),
    ("fsdp", {"fsdp": "full_shard", "deepspeed": "2"}, {"deepspeed": "none"}),
    (
        "load_best_model_at_end",
        {"load_best_model_at_end": True, "eval_steps": 30, "save_steps": 100},
        {"eval_steps": 50},
    ),
]


@pytest.fixture
def all_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(validation, "is_installed", lambda _: True)


@pytest.mark.usefixtures("all_installed")
@pytest.mark.parametrize(("field", "values", "mended"), BROKEN)
def test_values_that_do_not_go_together_are_refused(
    field: str, values: dict[str, Any], mended: dict[str, Any]
) -> None:
    with pytest.raises(FieldError) as caught:
        validate({**CHOSEN, **values})
    assert caught.value.field == field
    assert caught.value.key.startswith("training.errors.conflicts.")
    for language in LANGUAGES:
        sentence = caught.value.sentence(language)
        assert text(language, f"fields.{field}.label") in sentence or "EETQ" in sentence
        assert "{" not in sentence
    validate({**CHOSEN, **values, **mended})


@pytest.mark.usefixtures("all_installed")
def test_every_rule_is_broken_once() -> None:
    broken = []
    for _, values, _ in BROKEN:
        effective = validation.in_effect({**{f.name: f.default for f in FIELDS}, **values})
        broken.append([number for number, rule in enumerate(RULES) if rule.broken(effective)])
    assert broken == [[number] for number in range(len(RULES))]


def test_a_rule_counts_only_what_has_an_effect() -> None:
    """A full training hides LoRA's fields: PiSSA beside quantisation there can't be mended."""
    hidden = {"finetuning_type": "full", "pissa_init": True, "quantization_bit": "4"}
    assert validate({**CHOSEN, **hidden})["quantization_bit"] == "4"
    validate({**CHOSEN, "load_best_model_at_end": True, "eval_steps": 0, "save_steps": 7})


NEEDED = [(one.name, value, module) for one in FIELDS for value, module in one.needs.items()]


@pytest.mark.parametrize(("name", "value", "module"), NEEDED)
def test_a_choice_whose_package_is_missing_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, name: str, value: Any, module: str
) -> None:
    monkeypatch.setattr(validation, "is_installed", lambda one: one != module)
    others = {"quantization_bit": "8"} if name == "quantization_method" else {}
    with pytest.raises(FieldError, match=f"python -m pip install {PIP_NAMES[module]}") as caught:
        validate({**CHOSEN, **others, name: value})
    assert caught.value.field == name
    monkeypatch.setattr(validation, "is_installed", lambda _: True)
    assert validate({**CHOSEN, **others, name: value})[name] == value


def test_the_help_says_what_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form, "is_installed", lambda module: module != "flash_attn")
    said = field_help(FIELD["flash_attn"], "zh")
    assert said.endswith("未安装：flash_attn (python -m pip install flash-attn)。")
    assert field_help(FIELD["optim"], "en") == text("en", "fields.optim.help")
