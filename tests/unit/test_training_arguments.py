"""The arguments of the installed LLaMA-Factory, read as text, and the form's fields among them."""

from __future__ import annotations

from typing import Any

import pytest

from backend.training.arguments import UNKNOWN, arguments
from backend.training.config import THINKING
from backend.training.schema import FIELDS

OURS = {"model", "run_name", "precision", "devices", "processes", "extra"}
NOTHING = (0, 0.0, "", "none", "eval_loss", False)
"""How the form says what LLaMA-Factory calls None."""


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_each_field_is_an_argument_with_the_default_that_is_said_of_it(field: Any) -> None:
    """A default that a new version changes would be left out of the file and train otherwise."""
    if field.name in OURS:
        assert field.name not in arguments() or field.name == "run_name"
        return
    argument = arguments()[field.name]
    absent = THINKING.get(field.absent, field.absent) if field.choices else field.absent
    if argument.default is not UNKNOWN:
        assert absent == argument.default or (
            argument.default is None and absent in NOTHING + (None,)
        )
    for choice in field.choices:
        if argument.choices:
            assert choice in argument.choices


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("tf32", True, "yes"),
        ("learning_rate", 1, "fast"),
        ("num_train_epochs", 2.5, True),
        ("lora_rank", 8, 8.5),
        ("rope_scaling", "yarn", "long"),
        ("rope_scaling", None, 3),
        ("lr_scheduler_kwargs", {"min_lr": 1e-6}, [1]),
        ("save_strategy", "epoch", None),
        ("quantization_type", "fp4", "int4"),
    ],
)
def test_values_are_told_apart_by_type(name: str, good: Any, bad: Any) -> None:
    assert arguments()[name].accepts(good)
    assert not arguments()[name].accepts(bad)


def test_what_llamafactory_derives_itself_is_no_argument() -> None:
    assert not arguments().keys() & {"compute_dtype", "device_map", "block_diag_attn"}
    assert arguments().keys() >= {"fp8", "model_name_or_path", "learning_rate", "top_p"}
