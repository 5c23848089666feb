"""Arguments that LLaMA-Factory knows and the form does not, given by name.

Each must be one of the installed version's, have its type, and be none that a field stands for,
that MedTune sets itself, or that reaches out of the run: folders, files, hubs, other code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

from backend.training.arguments import Argument, arguments
from backend.training.schema.field import FieldError
from backend.training.schema.reading import read_settings
from backend.training.schema.table import FIELD

NAME = "extra"

FIELD_OF: Mapping[str, str] = {
    "model_name_or_path": "model",
    "bf16": "precision",
    "fp16": "precision",
    "eval_strategy": "eval_steps",
    "eval_dataset": "eval_steps",
    "compute_accuracy": "metric_for_best_model",
    "warmup_ratio": "warmup_steps",
    "use_liger_kernel": "enable_liger_kernel",
    "gradient_checkpointing": "disable_gradient_checkpointing",
}
"""Arguments that a field of another name makes."""

REASONS: Mapping[str, tuple[str, ...]] = {
    # Read or written outside of the run's folder, or loaded from there.
    "folder": (
        r"output_dir|dataset_dir|media_dir|cache_dir|logging_dir|offload_folder|tokenized_path"
        r"|profiler_output_dir|adapter_name_or_path|adapter_folder|new_special_tokens_config"
        r"|(?:ref|reward)_model(?:_adapters)?|hyper_parallel_args|kt_\w+",
    ),
    "code": ("trust_remote_code",),
    "network": (
        r"report_to|project|push_to_hub|hub_\w+|\w+_hub_token|use_swanlab|swanlab_\w+|trackio_\w+",
    ),
    # How MedTune follows a run, stops it and lets it go on.
    "run": (
        r"disable_tqdm|logging_strategy|include_num_input_tokens_seen|overwrite_output_dir"
        r"|save_only_model|resume_from_checkpoint|log_level\w*|enable_jit_checkpoint",
    ),
    "launch": (r"local_rank|ray_\w+|master_\w+|use_mca|use_hyper_parallel|parallelism_config",),
    "stage": (r"stage|do_train|do_predict|predict_with_generate|train_from_scratch",),
    "validation": ("val_size",),
    "elsewhere": (r"vllm_\w+|sglang_\w+|export_\w+|infer_\w+",),
}
"""Why an argument is refused → which are, as expressions."""

_PATH_IF_TEXT = frozenset({"fsdp_config", "accelerator_config"})
"""Arguments that are settings, or, as a text, the path of a file with them."""

_ORDER: tuple[type, ...] = (bool, int, float, dict, list, str)


def parse_extra(words: str) -> dict[str, Any]:
    """Argument → value, from one ``name: value`` a line.

    Raises:
        HyperparameterError: the text can't be read, or an argument can't be given so.
    """
    given = read_settings(words)
    for name, value in given.items():
        check_extra(name, value)
    return given


def check_extra(name: str, value: Any) -> None:
    """Refuse an argument that can't be given by name.

    Raises:
        FieldError: with the reason.
    """
    shown = str(name)[:80]
    if name in FIELD or name in FIELD_OF:
        other = FIELD_OF.get(name, name)
        raise FieldError("training.errors.extra.field", NAME, name=shown, other=other)
    for reason, expressions in REASONS.items():
        if any(re.fullmatch(one, name) for one in expressions):
            raise FieldError(f"training.errors.extra.{reason}", NAME, name=shown)
    argument = arguments().get(name)
    if argument is None:
        raise FieldError("training.errors.extra.unknown", NAME, name=shown)
    if name in _PATH_IF_TEXT and isinstance(value, str):
        raise FieldError("training.errors.extra.folder", NAME, name=shown)
    if not argument.accepts(value):
        raise _wrong_type(argument, value)
    # OmegaConf would put the value of another argument, or of the environment, in its place.
    if "${" in str(value):
        raise FieldError("training.errors.extra.variable", NAME, name=shown)


def written(given: Mapping[str, Any]) -> str:
    """The text for such arguments; empty for none."""
    return yaml.safe_dump(dict(given), sort_keys=False, allow_unicode=True) if given else ""


def _wrong_type(argument: Argument, value: Any) -> FieldError:
    params: dict[str, object] = {"name": argument.name, "value": str(value)[:80]}
    if argument.choices:
        choices = ", ".join(argument.choices)
        return FieldError("training.errors.extra.choice", NAME, choices=choices, **params)
    kind = next((one.__name__ for one in _ORDER if one in argument.kinds), "str")
    return FieldError(f"training.errors.extra.kinds.{kind}", NAME, **params)
