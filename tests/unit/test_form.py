"""The form made of the schema: what is shown for which values."""

from __future__ import annotations

from typing import Any

import gradio as gr

from backend.training.schema import FIELDS, defaults
from ui.components.form import Form, build_form
from ui.i18n import Words


def make_form(**values: Any) -> Form:
    with gr.Blocks(analytics_enabled=False):
        return build_form(Words("en"), {**defaults(), **values})


def shown_sections(form: Form, **values: Any) -> set[str]:
    """The first field of each title and fold that is shown."""
    updates = form.visibility({**defaults(), **values})
    assert len(updates) == len(form.shown)
    sections = zip(updates[len(form.inputs) :], form.sections, strict=True)
    return {names[0] for update, (_, names) in sections if update["visible"]}


def test_a_fold_with_nothing_in_it_is_not_shown() -> None:
    """For a full training the folds of LoRA and QLoRA were empty boxes."""
    form = make_form()
    lora = {"lora_rank", "lora_dropout", "quantization_bit"}
    assert shown_sections(form) >= lora
    assert not shown_sections(form, finetuning_type="full") & lora
    assert "pure_bf16" not in shown_sections(form, finetuning_type="freeze")
    assert "freeze_trainable_modules" in shown_sections(form, finetuning_type="freeze")
    full = make_form(finetuning_type="full")
    hidden = {names[0] for section, names in full.sections if not section.visible}
    assert lora <= hidden


def test_every_field_has_a_component_in_the_schemas_order() -> None:
    form = make_form()
    assert list(form.components) == [field.name for field in FIELDS]
    placed = [name for _, names in form.sections for name in names]
    assert {field.name for field in FIELDS if not field.basic} <= set(placed)
