"""What the pages say of a run in words: nothing of the file format stands there bare."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.chat.conversations import SavedColumn
from backend.training.checkpoints import FINAL, Checkpoint
from backend.training.schema import FIELDS, defaults
from ui.components.chat_columns import column_label
from ui.components.form import choice_words
from ui.components.run_view import checkpoint_words, plan_card


@pytest.mark.parametrize(
    ("method", "words"), [("lora", "LoRA"), ("full", "全参数"), ("freeze", "部分参数（Freeze）")]
)
def test_the_plan_names_the_method_as_the_form_does(method: str, words: str) -> None:
    """It said "lora" and "full", as LLaMA-Factory's file does, in either language."""
    values = {**defaults(), "model": "m", "dataset": "d", "finetuning_type": method}
    assert f">{words}<" in plan_card(values, "zh")


def test_every_choice_of_a_method_has_words() -> None:
    (field,) = (one for one in FIELDS if one.name == "finetuning_type")
    for choice in field.choices:
        assert choice_words(field.name, choice, "zh") != choice
    assert choice_words("precision", "bf16", "zh") == "bf16", "a name of its own"


def test_what_a_run_saved_last_has_a_name_in_chinese() -> None:
    """ "final" is the program's own word, not the name of a folder."""
    found = [Checkpoint("checkpoint-20", 20, Path("x"), True), Checkpoint(FINAL, 30, Path(), True)]
    assert [checkpoint_words(one.name, "zh") for one in found] == ["checkpoint-20", "最终结果"]
    for name, words in ((FINAL, "最终结果"), ("checkpoint-20", "checkpoint-20")):
        column = SavedColumn(f"first/{name}", f"first · {name}", run="first", checkpoint=name)
        assert column_label(column, "zh") == f"first · {words}"
