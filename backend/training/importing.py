"""A LLaMA-Factory file from elsewhere as hyperparameters of the form.

What the form has a field for fills it; where the file has nothing, the field gets what
LLaMA-Factory would take, so that the form trains as the file would. Other arguments become free
ones. What MedTune sets itself to the same end is passed over; what it does not take is named with
the reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.data.registry import list_prepared, validation_name
from backend.errors import HyperparameterError, MedTuneError
from backend.library.models import list_models
from backend.library.templates import template_names
from backend.training.arguments import arguments
from backend.training.config import THINKING
from backend.training.schema import FIELD, FIELDS, FieldError
from backend.training.schema.extra import check_extra, written
from backend.training.schema.reading import read_settings
from backend.training.schema.validation import clean_value
from backend.training.sharding import fsdp_choice
from backend.workspace import Workspace

_SAME: Mapping[str, tuple[Any, ...]] = {
    "stage": ("sft",),
    "do_train": (True,),
    "report_to": (None, ["none"]),
    "save_strategy": ("steps",),
    "disable_tqdm": (True,),
    "overwrite_output_dir": (True,),
    "include_num_input_tokens_seen": (True, "all"),
    "do_eval": (True,),
}
"""Arguments that a run has anyway, or that change nothing in it, with these values."""

_PASSED = frozenset(
    {"output_dir", "dataset_dir", "ddp_timeout", "per_device_eval_batch_size", "plot_loss"}
)
"""Arguments of which each run has its own; and the picture of a curve that MedTune draws live."""

_OURS = frozenset({"model", "dataset", "template", "run_name", "devices", "processes", "extra"})
"""Fields that an absent argument leaves as they are in the form."""


@dataclass(frozen=True)
class Imported:
    """What came of a file.

    Attributes:
        values: Field → value, for ``Form.updates``; fields that are not there stay as they are.
        taken: Arguments of the file that the form now has, as fields or free arguments.
        refused: Arguments that it has not, each with the reason.
    """

    values: Mapping[str, Any]
    taken: tuple[str, ...]
    refused: tuple[tuple[str, MedTuneError], ...]


def import_settings(words: str, workspace: Workspace) -> Imported:
    """The hyperparameters in a LLaMA-Factory file.

    Raises:
        HyperparameterError: the text is no such file.
    """
    given = read_settings(words)
    if not given:
        raise HyperparameterError("training.errors.yaml_no_settings")
    values: dict[str, Any] = {
        field.name: field.absent for field in FIELDS if field.name not in _OURS
    }
    rank = given.get("lora_rank", FIELD["lora_rank"].absent)
    values["lora_alpha"] = 2 * rank if isinstance(rank, int) else FIELD["lora_alpha"].default
    extra: dict[str, Any] = {}
    refused: list[tuple[str, MedTuneError]] = []
    for name, value in given.items():
        try:
            found = _field_values(name, value, workspace)
            if found is None:
                check_extra(name, value)
                extra[name] = value
            else:
                values |= {one: clean_value(FIELD[one], what) for one, what in found.items()}
        except MedTuneError as error:
            if not _says_nothing(name, value):
                refused.append((name, error))
    values["extra"] = written(extra)
    values["eval_steps"] = _evaluated_every(given, values)
    lost = {name for name, _ in refused}
    return Imported(values, tuple(name for name in given if name not in lost), tuple(refused))


def fields_of(given: Mapping[str, Any], workspace: Workspace) -> dict[str, Any]:
    """LLaMA-Factory's arguments, or fields of the form by their names, as values for the form.

    Nothing is added: what is not given is not there.

    Raises:
        HyperparameterError: one of them can't be set, with the reason.
    """
    values: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for name, value in given.items():
        found = _field_values(name, value, workspace) if name not in _PASSED else None
        if found is None and name in FIELD:
            found = {name: value}
        if found is None:
            check_extra(name, value)
            extra[name] = value
        else:
            values |= {one: clean_value(FIELD[one], what) for one, what in found.items()}
    return {**values, "extra": written(extra)} if extra else values


def _says_nothing(name: str, value: Any) -> bool:
    """Whether an argument has the value that LLaMA-Factory would take without it."""
    argument = arguments().get(name)
    return argument is not None and value == argument.default


def _evaluated_every(given: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    """Steps between evaluations: none without a strategy, those of the log where none are named
    (transformers/training_args.py)."""
    strategy = given.get("eval_strategy", given.get("evaluation_strategy"))
    return values["eval_steps"] or values["logging_steps"] if strategy == "steps" else 0


def _field_values(name: str, value: Any, workspace: Workspace) -> dict[str, Any] | None:
    """What an argument sets in the form; None where it is for the free ones.

    Raises:
        FieldError: it can't be set so.
    """
    if name in _PASSED or (name in _SAME and value in _SAME[name]):
        return {}
    if name in ("model_name_or_path", "dataset", "eval_dataset", "template"):
        return _chosen(name, value, workspace)
    if name in _MEANINGS:
        return _MEANINGS[name](value)
    if name in FIELD and FIELD[name].absent is not None:
        return {name: FIELD[name].absent if value is None else _sent(name, value)}
    return {"run_name": value} if name == "run_name" else None


def _sent(name: str, value: Any) -> Any:
    """A value as the form would send it."""
    if isinstance(value, list) and FIELD[name].kind == "text":
        return ",".join(map(str, value))
    return str(value) if FIELD[name].kind == "choice" else value


def _chosen(name: str, given: Any, workspace: Workspace) -> dict[str, Any]:
    value = str(given)  # a list can't be looked up
    if name == "model_name_or_path":
        return {"model": _model(value, workspace)}
    if name == "template":
        if value not in template_names():
            raise FieldError("training.errors.template_unknown", name, name=value[:80])
        return {name: value}
    prepared = {one.name for one in list_prepared(workspace)}
    if name == "eval_dataset":
        if value not in {validation_name(one) for one in prepared}:
            raise FieldError("training.errors.extra.validation", "dataset", name=name)
        return {}
    if value not in prepared:
        raise FieldError("training.errors.dataset_elsewhere", name, name=value[:80])
    return {name: value}


def _model(named: str, workspace: Workspace) -> str:
    """The id of the model that a file means: by its folder here, its id or its last name."""
    models = list_models(workspace)
    for model in models:
        if named == model.id or Path(named) in (model.path, model.path.resolve()):
            return model.id
    last = named.rstrip("/\\").replace("\\", "/").rpartition("/")[2].lower()
    same = [model.id for model in models if model.id.rpartition("/")[2].lower() == last]
    if len(same) == 1:
        return same[0]
    raise FieldError("training.errors.model_elsewhere", "model", name=named[:80])


def _precision(name: str) -> Callable[[Any], dict[str, Any]]:
    return lambda value: {"precision": name} if value else {}


def _thinking(value: Any) -> dict[str, Any]:
    chosen = next((choice for choice, meant in THINKING.items() if meant == value), str(value))
    return {"enable_thinking": chosen}


def _strategy(value: Any) -> dict[str, Any]:
    if value in ("no", False, "steps"):  # YAML's "no" without quotes is a truth value
        return {}
    raise FieldError("training.errors.eval_by_steps", "eval_steps", value=str(value)[:80])


def _metric(value: Any) -> dict[str, Any]:
    name = str(value or "eval_loss")
    return {"metric_for_best_model": name if name.startswith("eval_") else f"eval_{name}"}


def _deepspeed(value: Any) -> dict[str, Any]:
    """By the names of LLaMA-Factory's examples, such as ``ds_z3_offload_config.json``."""
    if not value:
        return {"deepspeed": "none"}
    named = re.search(r"z(?:ero)?_?([023])(_offload)?", str(value).lower())
    if named is None:
        raise FieldError("training.errors.deepspeed_elsewhere", "deepspeed", name=str(value)[:80])
    return {"deepspeed": named[1] + (named[2] or "")}


def _fsdp(value: Any) -> dict[str, Any]:
    words = " ".join(map(str, value)) if isinstance(value, list) else str(value or "")
    return {"fsdp": fsdp_choice(words) or words}


_MEANINGS: Mapping[str, Callable[[Any], dict[str, Any]]] = {
    "bf16": _precision("bf16"),
    "fp16": _precision("fp16"),
    "enable_thinking": _thinking,
    "eval_strategy": _strategy,
    "evaluation_strategy": _strategy,
    "metric_for_best_model": _metric,
    "compute_accuracy": lambda value: {"metric_for_best_model": "eval_accuracy"} if value else {},
    "deepspeed": _deepspeed,
    "fsdp": _fsdp,
    "warmup_ratio": lambda value: {"warmup_steps": value or 0},
    "quantization_bit": lambda value: {"quantization_bit": str(value) if value else "none"},
    "lora_alpha": lambda value: {"lora_alpha": value} if value is not None else {},
    "use_liger_kernel": lambda value: {"enable_liger_kernel": value},
    "gradient_checkpointing": lambda value: {},
}
"""Arguments that are another field, or mean it in other words."""
