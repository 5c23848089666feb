"""What can be done about a failed run, as changes of its hyperparameters.

Knows the schema's field names and what is installed; what a remedy's action does is the page's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from backend.problems import Problem
from backend.training.checkpoints import FINAL
from backend.training.failure_table import Kind
from backend.training.schema.packages import is_installed

if TYPE_CHECKING:
    from backend.training.runs import Run

Action = Literal["resume", "run_again", "hyperparameters", "download", "data"]

_BATCH, _ACCUMULATION, _CUTOFF = (
    "per_device_train_batch_size",
    "gradient_accumulation_steps",
    "cutoff_len",
)
LEAST_CUTOFF = 256
"""Below this many tokens hardly a reasoning answer is left whole."""


@dataclass(frozen=True)
class Remedy:
    """Something that a person can have done by a press.

    Attributes:
        action: ``resume`` from the newest whole checkpoint and ``run_again`` from the start, both
            with ``changes``; the others lead to a tab.
        changes: Schema fields and their new values.
    """

    action: Action
    label: Problem
    changes: Mapping[str, Any] = field(default_factory=dict)


def remedies_for(kind: Kind, values: Mapping[str, Any], run: Run) -> tuple[Remedy, ...]:
    """What can be done about a failure of that kind, the best first."""
    checkpoint = _newest_whole(run)
    makers: Mapping[Kind, Callable[[], tuple[Remedy, ...]]] = {
        "gpu_memory": lambda: _smaller(values, checkpoint),
        "memory": lambda: (*_smaller(values, checkpoint), *_again(checkpoint)),
        "not_a_number": lambda: (*_slower(values), *_again(checkpoint)),
        "package": lambda: (_look("hyperparameters"), *_again(checkpoint)),
        "argument": lambda: (_look("hyperparameters"),),
        "weights": lambda: (_look("download"), *_again(checkpoint)),
        "tokenizer": lambda: (_look("hyperparameters"), _look("download")),
        "data": lambda: (_look("data"),),
    }
    make = makers.get(kind)
    return make() if make else _again(checkpoint)


def _newest_whole(run: Run) -> str | None:
    """The checkpoint from which a run can go on."""
    whole = [one.name for one in run.checkpoints() if one.complete and one.name != FINAL]
    return whole[-1] if whole else None


def _again(checkpoint: str | None) -> tuple[Remedy, ...]:
    if checkpoint is None:
        return (Remedy("run_again", Problem("training.failures.remedies.run_again")),)
    label = Problem("training.failures.remedies.resume", {"checkpoint": checkpoint})
    return (Remedy("resume", label),)


def _smaller(values: Mapping[str, Any], checkpoint: str | None) -> tuple[Remedy, ...]:
    """Less memory a step: fewer rows at once, else shorter ones; or a quantised base."""
    batch, accumulation = (_whole(values, name) for name in (_BATCH, _ACCUMULATION))
    cutoff = _whole(values, _CUTOFF)
    found = []
    if batch > 1:
        # The effective batch stays, so that steps and schedule mean the same.
        found.append(_halve_batch(batch, max(1, accumulation), checkpoint))
    elif cutoff >= 2 * LEAST_CUTOFF:
        label = Problem("training.failures.remedies.halve_cutoff", {"cutoff": cutoff // 2})
        found.append(_changed(label, {_CUTOFF: cutoff // 2}, checkpoint))
    # Runs of earlier versions have no such value.
    whole = values.get("quantization_bit", "none") == "none"
    if values.get("finetuning_type") == "lora" and whole and is_installed("bitsandbytes"):
        label = Problem("training.failures.remedies.qlora")
        # Not by resuming: the adapter so far belongs to the base in full precision.
        found.append(Remedy("run_again", label, {"quantization_bit": "4"}))
    return tuple(found) or (_look("hyperparameters"),)


def _halve_batch(batch: int, accumulation: int, checkpoint: str | None) -> Remedy:
    # An odd batch is rounded down and the accumulation up: rather a row more than less.
    smaller = batch // 2
    more = -(-batch * accumulation // smaller)
    params: dict[str, str | int] = {"batch": smaller, "accumulation": more}
    label = Problem("training.failures.remedies.halve_batch", params)
    return _changed(label, {_BATCH: smaller, _ACCUMULATION: more}, checkpoint)


def _changed(label: Problem, changes: Mapping[str, Any], checkpoint: str | None) -> Remedy:
    """With changed values: on from a checkpoint where there is one."""
    if checkpoint is None:
        return Remedy("run_again", label, changes)
    key = f"{label.key}_resume"
    return Remedy("resume", Problem(key, {**label.params, "checkpoint": checkpoint}), changes)


def _slower(values: Mapping[str, Any]) -> tuple[Remedy, ...]:
    """A tenth of the learning rate. From the start: the newest checkpoint may be spoilt already."""
    rate = values.get("learning_rate")
    if isinstance(rate, bool) or not isinstance(rate, int | float) or not 0 < rate < 1e6:
        return (_look("hyperparameters"),)
    label = Problem("training.failures.remedies.lower_rate", {"rate": f"{rate / 10:.3g}"})
    return (Remedy("run_again", label, {"learning_rate": float(f"{rate / 10:.6g}")}),)


def _look(action: Literal["hyperparameters", "download", "data"]) -> Remedy:
    return Remedy(action, Problem(f"training.failures.remedies.{action}"))


def _whole(values: Mapping[str, Any], name: str) -> int:
    value = values.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
