"""From what a form or a file gives to values that can be trained with, or to a sentence."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from typing import Any

from backend.errors import HyperparameterError
from backend.training.schema.extra import parse_extra, written
from backend.training.schema.field import Field, FieldError, Kind
from backend.training.schema.packages import command, is_installed
from backend.training.schema.rules import check_rules
from backend.training.schema.table import FIELD, FIELDS


def defaults() -> dict[str, Any]:
    """A value for every field; None for the model, the dataset and the template."""
    return {field.name: field.default for field in FIELDS}


def validate(values: Mapping[str, Any]) -> dict[str, Any]:
    """The values cleaned and typed, one for every field; absent ones get their default.

    Numbers may be text ("1e-4"), as forms and YAML files give them. A field that has no effect with
    the others' values takes its default when its own is unusable: the form hides it.

    Raises:
        HyperparameterError: a value is missing or out of range, two don't go together, one needs a
            package that is not installed, or no field has that name.
    """
    for name in values:
        if name not in FIELD:
            raise HyperparameterError("training.errors.field_unknown", name=str(name)[:80])
    clean: dict[str, Any] = {}
    problems: dict[str, HyperparameterError] = {}
    for known in FIELDS:
        try:
            clean[known.name] = clean_value(known, values.get(known.name, known.default))
        except HyperparameterError as error:
            clean[known.name], problems[known.name] = known.default, error
    for name, problem in problems.items():
        if FIELD[name].applies(clean):
            raise problem
    effective = in_effect(clean)
    check_rules(effective)
    _check_packages(effective)
    return clean


def clean_value(field: Field, value: Any) -> Any:
    """One value, typed.

    Raises:
        FieldError: it can't be used.
    """
    return _CLEAN[field.kind](field, value)


def in_effect(values: Mapping[str, Any]) -> dict[str, Any]:
    """Clean values with the default in place of each that has no effect with the others."""
    return {
        field.name: values[field.name] if field.applies(values) else field.default
        for field in FIELDS
    }


def effective_batch_size(values: Mapping[str, Any], devices: int = 1) -> int:
    """Rows that one optimiser step learns from: batch size x accumulation x devices.

    Raises:
        HyperparameterError: the batch size or the accumulation is no positive whole number.
    """
    batch, accumulation = (
        clean_value(FIELD[name], values.get(name, FIELD[name].default))
        for name in ("per_device_train_batch_size", "gradient_accumulation_steps")
    )
    return int(batch * accumulation * devices)


def _check_packages(values: Mapping[str, Any]) -> None:
    for field in FIELDS:
        module = field.needs.get(values[field.name])
        # The method of quantisation has a value also where nothing is quantised.
        if module and field.applies(values) and not is_installed(module):
            raise FieldError(
                "training.errors.package_missing",
                field.name, value=values[field.name], package=module, command=command(module),
            )  # fmt: skip


def _clean_text(field: Field, value: Any) -> str:
    words = "" if value is None else str(value).strip()
    if field.required and not words:
        raise FieldError("training.errors.field_required", field.name)
    if words and field.name in ("lora_target", "freeze_trainable_modules", "freeze_extra_modules"):
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


def _clean_extra(_field: Field, value: Any) -> str:
    return written(parse_extra("" if value is None else str(value)))


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
    "extra": _clean_extra,
    "choice": _clean_choice,
    "bool": _clean_bool,
    "int": _clean_int,
    "float": _clean_number,
}
