"""What LLaMA-Factory refuses, or takes without effect, when two fields meet.

Each rule is LLaMA-Factory's own (0.9.5), said before the start and in the form's words; where it
stands in the sources is written beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backend.training.schema.field import FieldError

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Rule:
    """Two fields whose values don't go together.

    Attributes:
        field: The one that the sentence is about.
        other: The one that it names beside.
        sentence: The last part of ``training.errors.conflicts.…``.
        broken: Whether these values break the rule; a field without effect has its default there.
    """

    field: str
    other: str
    sentence: str
    broken: Callable[[Values], bool]


def check_rules(values: Values) -> None:
    """Refuse values of which two don't go together.

    Args:
        values: As they take effect: fields that have none hold their default.

    Raises:
        FieldError: the first rule that is broken.
    """
    for rule in RULES:
        if rule.broken(values):
            shown = {"value": values[rule.field], "other_value": values[rule.other]}
            raise FieldError(
                f"training.errors.conflicts.{rule.sentence}", rule.field, other=rule.other, **shown
            )


def _quantised(values: Values) -> bool:
    return bool(values["quantization_bit"] != "none")


def _shards_weights(values: Values) -> bool:
    """DeepSpeed's stage 3 or FSDP."""
    return str(values["deepspeed"]).startswith("3") or values["fsdp"] != "none"


def _saves_between(values: Values) -> bool:
    return bool(values["save_steps"] % values["eval_steps"]) if values["eval_steps"] else False


RULES: tuple[Rule, ...] = (
    # hparams/data_args.py
    Rule(
        "mask_history", "train_on_prompt", "not_both",
        lambda values: values["mask_history"] and values["train_on_prompt"],
    ),
    # hparams/parser.py, _verify_model_args
    Rule(
        "pissa_init", "quantization_bit", "not_both",
        lambda values: values["pissa_init"] and _quantised(values),
    ),
    # hparams/parser.py
    Rule(
        "pissa_init", "deepspeed", "not_stage_3",
        lambda values: values["pissa_init"] and values["deepspeed"].startswith("3"),
    ),
    # model/adapter.py hands the adapter to Unsloth before it looks at PiSSA, which is then dropped.
    Rule(
        "pissa_init", "use_unsloth", "not_both",
        lambda values: values["pissa_init"] and values["use_unsloth"],
    ),
    # model/adapter.py
    Rule(
        "use_dora", "quantization_method", "dora_method",
        lambda values: values["use_dora"]
        and _quantised(values) and values["quantization_method"] != "bnb",
    ),
    # model/model_utils/quantization.py
    Rule(
        "quantization_method", "quantization_bit", "eetq_bits",
        lambda values: values["quantization_bit"] == "4"
        and values["quantization_method"] == "eetq",
    ),
    Rule(
        "quantization_method", "deepspeed", "not_sharded",
        lambda values: _quantised(values)
        and values["quantization_method"] != "bnb" and _shards_weights(values),
    ),
    Rule(
        "quantization_bit", "deepspeed", "sharded_bits",
        lambda values: values["quantization_bit"] == "8" and _shards_weights(values),
    ),
    # hparams/parser.py
    Rule(
        "pure_bf16", "deepspeed", "not_stage_3",
        lambda values: values["pure_bf16"] and values["deepspeed"].startswith("3"),
    ),
    # pure_bf16 is a precision of its own; autocast to another one would undo it.
    Rule(
        "pure_bf16", "precision", "precision",
        lambda values: values["pure_bf16"] and values["precision"] in ("fp16", "fp32"),
    ),
    # hparams/parser.py
    Rule(
        "use_unsloth", "deepspeed", "not_stage_3",
        lambda values: values["use_unsloth"] and values["deepspeed"].startswith("3"),
    ),
    # accelerate takes one of them.
    Rule(
        "fsdp", "deepspeed", "not_both",
        lambda values: values["fsdp"] != "none" and values["deepspeed"] != "none",
    ),
    # transformers/training_args.py, _validate_args
    Rule(
        "load_best_model_at_end", "eval_steps", "save_between",
        lambda values: values["load_best_model_at_end"] and _saves_between(values),
    ),
)  # fmt: skip
