"""The hyperparameters: one typed table that makes the form, the validation and the YAML.

A name is LLaMA-Factory's own argument, except ``model``, ``precision`` and ``run_name``, which
``config.py`` turns into arguments, and ``devices`` and ``processes``, which are the supervisor's.
Knows nothing about what models and datasets there are.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from backend.errors import HyperparameterError
from backend.text import text

Kind = Literal["text", "int", "float", "choice", "bool", "model", "dataset", "template"]
Group = Literal["what", "method", "lora", "data", "schedule", "precision", "saving", "devices"]
GROUPS: tuple[Group, ...] = (
    "what", "method", "lora", "data", "schedule", "precision", "saving", "devices"
)  # fmt: skip


class FieldError(HyperparameterError):
    """A field of the form has a value that can't be used; ``field`` is its name."""

    def __init__(self, key: str, field: str, **params: object) -> None:
        super().__init__(key, **params)
        self.field = field

    def sentence(self, language: str) -> str:
        # The form shows labels, not arguments, and each language has its own.
        label = text(language, f"fields.{self.field}.label")
        return text(language, self.key, label=label, **self.params)


@dataclass(frozen=True)
class Field:
    """One hyperparameter.

    Attributes:
        name: LLaMA-Factory's argument, or one of ours.
        minimum, maximum: Both allowed themselves; for numbers only.
        basic: Shown at once; the others are folded away by group.
        required: An empty value is refused.
        only: Other fields and the values of theirs with which this one has an effect.
    """

    name: str
    kind: Kind
    group: Group
    default: Any = None
    minimum: float | None = None
    maximum: float | None = None
    choices: tuple[str, ...] = ()
    basic: bool = True
    required: bool = False
    only: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)

    def applies(self, values: Mapping[str, Any]) -> bool:
        """Whether the field has an effect with these values of the others."""
        return all(values.get(name) in allowed for name, allowed in self.only.items())


_LORA = {"finetuning_type": ("lora",)}
_SCHEDULES = ("linear", "cosine", "cosine_with_restarts", "constant", "constant_with_warmup")

# Defaults: a LoRA that learns from a few hundred reasoning rows. Rank 8 and alpha 16 (twice the
# rank) are LLaMA-Factory's; 1e-4 with 10 % warm-up and a cosine is what its LoRA examples use.
FIELDS: tuple[Field, ...] = (
    Field("model", "model", "what", required=True),
    Field("dataset", "dataset", "what", required=True),
    Field("template", "template", "what", required=True),
    Field("run_name", "text", "what", default=""),
    Field(
        "finetuning_type", "choice", "method", default="lora", choices=("lora", "full", "freeze")
    ),
    Field(
        "freeze_trainable_layers", "int", "method", default=2, minimum=1, maximum=1000,
        only={"finetuning_type": ("freeze",)},
    ),
    Field("lora_rank", "int", "lora", default=8, minimum=1, maximum=1024, only=_LORA),
    Field("lora_alpha", "int", "lora", default=16, minimum=1, maximum=4096, only=_LORA),
    Field(
        "lora_dropout", "float", "lora", default=0.0, minimum=0.0, maximum=0.9,
        basic=False, only=_LORA,
    ),
    Field("lora_target", "text", "lora", default="all", basic=False, required=True, only=_LORA),
    Field("learning_rate", "float", "schedule", default=1e-4, minimum=1e-9, maximum=1.0),
    Field(
        "num_train_epochs", "float", "schedule", default=3.0, minimum=0.01, maximum=10_000,
        only={"max_steps": (-1,)},
    ),
    Field("max_steps", "int", "schedule", default=-1, minimum=-1, maximum=10**9, basic=False),
    Field(
        "per_device_train_batch_size", "int", "schedule", default=1, minimum=1, maximum=4096
    ),
    Field("gradient_accumulation_steps", "int", "schedule", default=8, minimum=1, maximum=4096),
    Field(
        "lr_scheduler_type", "choice", "schedule", default="cosine", choices=_SCHEDULES,
        basic=False,
    ),
    # transformers 5 takes a share of all steps (below 1) or a number of steps under this one name;
    # its ``warmup_ratio`` is deprecated.
    Field(
        "warmup_steps", "float", "schedule", default=0.1, minimum=0.0, maximum=10**6, basic=False,
        only={"lr_scheduler_type": tuple(name for name in _SCHEDULES if name != "constant")},
    ),
    Field("seed", "int", "schedule", default=42, minimum=0, maximum=2**32 - 1, basic=False),
    Field("cutoff_len", "int", "data", default=2048, minimum=16, maximum=1_048_576),
    Field("packing", "bool", "data", default=False, basic=False),
    Field("max_samples", "int", "data", default=0, minimum=0, maximum=10**9, basic=False),
    Field(
        "precision", "choice", "precision", default="auto",
        choices=("auto", "bf16", "fp16", "fp32"), basic=False,
    ),
    Field("logging_steps", "int", "saving", default=1, minimum=1, maximum=10**6, basic=False),
    Field("save_steps", "int", "saving", default=100, minimum=1, maximum=10**9),
    Field("eval_steps", "int", "saving", default=0, minimum=0, maximum=10**9, basic=False),
    # Not LLaMA-Factory's: which GPUs the supervisor gives to the trainer, and how many processes.
    Field("devices", "text", "devices", default="", basic=False),
    Field("processes", "int", "devices", default=1, minimum=1, maximum=64, basic=False),
)  # fmt: skip

FIELD: Mapping[str, Field] = {field.name: field for field in FIELDS}


def defaults() -> dict[str, Any]:
    """A value for every field; None for the model, the dataset and the template."""
    return {field.name: field.default for field in FIELDS}


def validate(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values cleaned and typed, one for every field; absent ones get their default.

    Numbers may be text ("1e-4"), as forms and YAML files give them. A field that has no effect with
    the others' values takes its default when its own is unusable: the form hides it.

    Raises:
        HyperparameterError: a value is missing or out of range, or no field has that name.
    """
    for name in values:
        if name not in FIELD:
            raise HyperparameterError("training.errors.field_unknown", name=str(name)[:80])
    clean: dict[str, Any] = {}
    problems: dict[str, FieldError] = {}
    for known in FIELDS:
        try:
            clean[known.name] = _CLEAN[known.kind](known, values.get(known.name, known.default))
        except FieldError as error:
            clean[known.name], problems[known.name] = known.default, error
    for name, problem in problems.items():
        if FIELD[name].applies(clean):
            raise problem
    return clean


def effective_batch_size(values: Mapping[str, Any], devices: int = 1) -> int:
    """Rows that one optimiser step learns from: batch size x accumulation x devices.

    Raises:
        HyperparameterError: the batch size or the accumulation is no positive whole number.
    """
    batch, accumulation = (
        _CLEAN["int"](FIELD[name], values.get(name, FIELD[name].default))
        for name in ("per_device_train_batch_size", "gradient_accumulation_steps")
    )
    return int(batch * accumulation * devices)


def _clean_text(field: Field, value: Any) -> str:
    words = "" if value is None else str(value).strip()
    if field.required and not words:
        raise FieldError("training.errors.field_required", field.name)
    if field.name == "lora_target":
        return _clean_modules(field, words)
    if field.name == "devices":
        return _clean_devices(field, words)
    return words


def _clean_devices(field: Field, words: str) -> str:
    """Numbers of GPUs, as in ``0,1``, each once; empty for automatic."""
    parts = [part.strip() for part in words.split(",")] if words else []
    if not all(re.fullmatch(r"\d{1,3}", part, re.ASCII) for part in parts):
        raise FieldError("training.errors.field_devices", field.name, value=words[:80])
    return ",".join(dict.fromkeys(str(int(part)) for part in parts))


def _clean_modules(field: Field, words: str) -> str:
    """Names of layers, as in ``q_proj,v_proj``, or ``all``."""
    names = [name.strip() for name in words.split(",")]
    if not all(re.fullmatch(r"[A-Za-z_][\w.]*", name, re.ASCII) for name in names):
        raise FieldError("training.errors.field_modules", field.name, value=words[:80])
    return ",".join(names)


def _clean_choice(field: Field, value: Any) -> str:
    if value not in field.choices:
        raise FieldError(
            "training.errors.field_choice",
            field.name, value=str(value)[:80], choices=", ".join(field.choices),
        )  # fmt: skip
    return str(value)


def _clean_bool(field: Field, value: Any) -> bool:
    if not isinstance(value, bool):
        raise FieldError("training.errors.field_bool", field.name, value=str(value)[:80])
    return value


def _clean_number(field: Field, value: Any) -> float:
    try:
        # True is 1 to Python, and a fault to the person who reads the form.
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise FieldError("training.errors.field_number", field.name, value=_shown(value))
    low = -math.inf if field.minimum is None else field.minimum
    high = math.inf if field.maximum is None else field.maximum
    if not low <= number <= high:
        raise FieldError(
            "training.errors.field_range",
            field.name, value=_shown(value), minimum=f"{low:.10g}", maximum=f"{high:.10g}",
        )  # fmt: skip
    return number


def _clean_int(field: Field, value: Any) -> int:
    number = _clean_number(field, value)
    if number != int(number):
        raise FieldError("training.errors.field_whole", field.name, value=_shown(value))
    # LLaMA-Factory trains by epochs for every number of steps below 1; -1 is how it writes that.
    return -1 if field.name == "max_steps" and number < 1 else int(number)


def _shown(value: Any) -> str:
    return "" if value is None else str(value)[:80]


_CLEAN: Mapping[Kind, Callable[[Field, Any], Any]] = {
    "text": _clean_text,
    "model": _clean_text,
    "dataset": _clean_text,
    "template": _clean_text,
    "choice": _clean_choice,
    "bool": _clean_bool,
    "int": _clean_int,
    "float": _clean_number,
}
