"""Several values for a few fields: one set of hyperparameters for each combination."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from backend.errors import HyperparameterError, MedTuneError
from backend.training.schema import FIELD, FIELDS, FieldError, validate
from backend.training.schema.validation import clean_value

MOST_FIELDS = 3
MOST_RUNS = 50
"""A day of runs of half an hour; more is rather a slip of the finger."""

SWEPT = tuple(
    field.name
    for field in FIELDS
    if field.kind in ("int", "float", "choice", "bool") and field.group not in ("what", "devices")
)
"""Fields that can have several values."""


@dataclass(frozen=True)
class SweepRun:
    """One run of a sweep.

    Attributes:
        changes: The swept fields and their values in it.
        values: All of its hyperparameters.
        problem: Why it can't be trained with; None if it can.
    """

    changes: Mapping[str, Any]
    values: Mapping[str, Any]
    problem: MedTuneError | None


def plan_sweep(
    values: Mapping[str, Any], axes: Sequence[tuple[str | None, str]]
) -> tuple[SweepRun, ...]:
    """The runs of a sweep; the last field's values change first.

    Args:
        values: Of the form.
        axes: A field and its values as a person writes them, such as ``1e-4, 2e-4``; a pair that
            lacks either is passed over.

    Raises:
        HyperparameterError: a value is none for its field, a field comes twice, or the runs would
            be too many. Combinations that can't be trained with are among the runs, with the
            reason.
    """
    given = {}
    for name, words in axes[:MOST_FIELDS]:
        if not name or not words.strip():
            continue
        if name in given:
            raise FieldError("training.errors.sweep_twice", name)
        given[name] = parse_values(name, words)
    if not given:
        return ()
    count = 1
    for several in given.values():
        count *= len(several)
    if count > MOST_RUNS:
        raise HyperparameterError("training.errors.sweep_many", count=count, limit=MOST_RUNS)
    base = str(values.get("run_name") or "").strip()
    runs = []
    for number, chosen in enumerate(product(*given.values()), start=1):
        changes = dict(zip(given, chosen, strict=True))
        name = f"{base}-{number}" if base else ""
        runs.append(_run(changes, {**values, **changes, "run_name": name}))
    return tuple(runs)


def parse_values(name: str, words: str) -> list[Any]:
    """The values of a field in a text, with commas, semicolons or blanks between, each once.

    Raises:
        FieldError: one is none for the field, or there is no such field to sweep.
    """
    if name not in SWEPT:
        raise HyperparameterError("training.errors.field_unknown", name=name[:80])
    field = FIELD[name]
    parts = [part for part in re.split(r"[,;，；、\s]+", words) if part]
    if field.kind == "bool":
        return list(dict.fromkeys(_truth(name, part) for part in parts))
    return list(dict.fromkeys(clean_value(field, part) for part in parts))


def _truth(name: str, word: str) -> bool:
    truths = {"true": True, "on": True, "yes": True, "false": False, "off": False, "no": False}
    if word.lower() not in truths:
        raise FieldError("training.errors.field_bool", name, value=word[:80])
    return truths[word.lower()]


def _run(changes: Mapping[str, Any], values: Mapping[str, Any]) -> SweepRun:
    try:
        clean = validate(values)
        idle = next((name for name in changes if not FIELD[name].applies(clean)), None)
        if idle is not None:
            raise FieldError("training.errors.sweep_idle", idle)
    except MedTuneError as error:
        return SweepRun(changes, values, error)
    return SweepRun(changes, values, None)
