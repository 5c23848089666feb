"""From hyperparameters to the one file that LLaMA-Factory reads.

``llamafactory-cli train config.yaml`` outside MedTune does the same training. Knows LLaMA-Factory's
arguments (0.9.5, transformers 5.6) and nothing about runs or processes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from backend.data.meaning.records import Target
from backend.data.registry import find_prepared, validation_name
from backend.library.templates import can_teach_prompts, is_reasoning, template_names
from backend.training import layout
from backend.training.devices import best_precision
from backend.training.schema import FIELD, FIELDS, FieldError
from backend.training.schema.extra import parse_extra
from backend.training.sharding import fsdp_argument
from backend.workspace import Workspace

MANY_ROWS = 5_000
"""From here on several processes tokenise faster than one, in spite of their start."""

# The order and the headings of LLaMA-Factory's own examples.
_SECTIONS: Mapping[str, tuple[str, ...]] = {
    "model": (
        "model_name_or_path", "trust_remote_code", "quantization_bit", "quantization_method",
        "double_quantization", "flash_attn", "disable_gradient_checkpointing",
        "enable_liger_kernel", "use_unsloth",
    ),
    "method": (
        "stage", "do_train", "finetuning_type", "freeze_trainable_layers",
        "freeze_trainable_modules", "freeze_extra_modules", "lora_rank", "lora_alpha",
        "lora_dropout", "lora_target", "use_rslora", "use_dora", "pissa_init", "pissa_convert",
        "loraplus_lr_ratio", "deepspeed", "fsdp",
    ),
    "dataset": (
        "dataset_dir", "dataset", "template", "cutoff_len", "packing", "neat_packing",
        "max_samples", "mask_history", "train_on_prompt", "enable_thinking",
        "preprocessing_num_workers",
    ),
    "train": (
        "per_device_train_batch_size", "gradient_accumulation_steps", "learning_rate",
        "num_train_epochs", "max_steps", "lr_scheduler_type", "warmup_steps", "optim",
        "weight_decay", "max_grad_norm", "adam_beta1", "adam_beta2", "neftune_noise_alpha", "bf16",
        "fp16", "pure_bf16", "seed", "ddp_timeout",
    ),
    "eval": (
        "eval_dataset", "eval_strategy", "eval_steps", "per_device_eval_batch_size",
        "load_best_model_at_end", "metric_for_best_model", "compute_accuracy",
        "early_stopping_steps",
    ),
    "output": (
        "output_dir", "overwrite_output_dir", "logging_steps", "save_steps", "save_total_limit",
        "save_only_model", "plot_loss", "report_to", "disable_tqdm",
        "include_num_input_tokens_seen",
    ),
}  # fmt: skip

_ALWAYS = frozenset({
    "finetuning_type", "freeze_trainable_layers", "lora_rank", "lora_alpha", "lora_dropout",
    "lora_target", "template", "dataset", "cutoff_len", "per_device_train_batch_size",
    "gradient_accumulation_steps", "learning_rate", "num_train_epochs", "lr_scheduler_type",
    "warmup_steps", "seed", "logging_steps", "save_steps",
})  # fmt: skip
"""Fields that stand in the file whenever they have an effect; the others where they differ from
what LLaMA-Factory takes without them."""

_MADE_ELSEWHERE = frozenset(
    {"precision", "eval_steps", "metric_for_best_model", "deepspeed", "fsdp", "enable_thinking"}
)
"""Fields that are another argument, or one with more beside it."""

THINKING: Mapping[str, bool | None] = {"thinking": True, "no_thinking": False, "mixed": None}
"""Choice of ``enable_thinking`` → LLaMA-Factory's value."""


def build_config(
    values: Mapping[str, Any], *, model_path: Path, workspace: Workspace, output_dir: Path
) -> dict[str, Any]:
    """LLaMA-Factory's arguments for a training.

    Args:
        values: As ``schema.validate`` returns them.
        model_path: Folder of the base model.
        output_dir: Folder of the run.

    Raises:
        DataError: the dataset is not prepared.
        HyperparameterError: LLaMA-Factory has no such template or does less with it than is asked
            for, the dataset is one of pairs, the devices lack a precision, or evaluation is asked
            for and the dataset has no validation part.
    """
    prepared = find_prepared(workspace, values["dataset"])
    if prepared.report.target is Target.RANKING:
        raise FieldError("training.errors.pairs", "dataset", dataset=values["dataset"])
    _check_template(values)
    config = _arguments(values) | _fixed(model_path, workspace, output_dir)
    if prepared.report.train_rows >= MANY_ROWS:
        config["preprocessing_num_workers"] = min(os.cpu_count() or 1, 8)
    config |= _precision(values)
    config |= _thinking(values)
    config |= _sharding(values, output_dir)
    if values["eval_steps"]:
        if not prepared.report.validation_rows:
            raise FieldError(
                "training.errors.no_validation", "eval_steps", dataset=values["dataset"]
            )
        config |= _evaluation(values)
    return config | parse_extra(values["extra"])


def to_yaml(config: Mapping[str, Any]) -> str:
    """The file's text: grouped and in a stable order, whatever the mapping's own order."""
    parts = []
    placed = {name for names in _SECTIONS.values() for name in names}
    others = tuple(sorted(name for name in config if name not in placed))
    for title, names in {**_SECTIONS, "other": others}.items():
        part = {name: config[name] for name in names if name in config}
        if part:
            body = yaml.dump(part, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=1000)
            parts.append(f"### {title}\n{body}")
    return "\n".join(parts)


def read_config(path: Path) -> dict[str, Any]:
    """A file that ``to_yaml`` wrote; empty where it is absent or no mapping."""
    try:
        config = yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER)
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return {}
    return config if isinstance(config, dict) else {}


def _fixed(model_path: Path, workspace: Workspace, output_dir: Path) -> dict[str, Any]:
    return {
        "model_name_or_path": str(model_path.resolve()),
        "trust_remote_code": False,
        "stage": "sft",
        "do_train": True,
        "dataset_dir": str(workspace.datasets),
        "output_dir": str(output_dir),
        # The run's folder exists before the training and has no checkpoint: without this argument
        # LLaMA-Factory would resume from the last checkpoint when the file is run once more.
        "overwrite_output_dir": True,
        # A checkpoint holds optimiser, schedule and random state too, so that it can be resumed.
        "save_only_model": False,
        "plot_loss": False,
        "report_to": "none",
        # Progress comes from trainer_log.jsonl; a bar drawn ten times a second would fill the log.
        "disable_tqdm": True,
        # Without it trainer_log.jsonl has no tokens per second.
        "include_num_input_tokens_seen": True,
        # Several devices wait for the first one to tokenise; the default gives up after 30 minutes.
        "ddp_timeout": 180_000_000,
    }


def _arguments(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that are LLaMA-Factory's arguments as they are."""
    written = {}
    for field in FIELDS:
        value = values[field.name]
        if field.name in _ALWAYS:
            wanted = True
        else:
            ours = field.absent is None or field.name in _MADE_ELSEWHERE
            wanted = not ours and value != field.absent
        if wanted and field.applies(values):
            written[field.name] = int(value) if field.name == "quantization_bit" else value
    return written


def _check_template(values: Mapping[str, Any]) -> None:
    name = values["template"]
    if name not in template_names():
        raise FieldError("training.errors.template_unknown", "template", name=name)
    if values["train_on_prompt"] and not can_teach_prompts(name):
        raise FieldError("training.errors.template_prompts", "train_on_prompt", name=name)
    if values["enable_thinking"] != "thinking" and not is_reasoning(name):
        raise FieldError("training.errors.template_thinking", "enable_thinking", name=name)


def _precision(values: Mapping[str, Any]) -> dict[str, Any]:
    best = best_precision(values["devices"])
    if values["pure_bf16"] and FIELD["pure_bf16"].applies(values):
        if best != "bf16":
            raise FieldError("training.errors.no_bf16", "pure_bf16")
        return {}
    precision = best if values["precision"] == "auto" else values["precision"]
    return {} if precision == "fp32" else {precision: True}


def _thinking(values: Mapping[str, Any]) -> dict[str, Any]:
    choice = values["enable_thinking"]
    return {} if choice == "thinking" else {"enable_thinking": THINKING[choice]}


def _sharding(values: Mapping[str, Any], output_dir: Path) -> dict[str, Any]:
    if values["deepspeed"] != "none":
        return {"deepspeed": str(output_dir / layout.DEEPSPEED)}
    return {} if values["fsdp"] == "none" else {"fsdp": fsdp_argument(values["fsdp"])}


def _evaluation(values: Mapping[str, Any]) -> dict[str, Any]:
    config = {
        "eval_dataset": validation_name(values["dataset"]),
        "eval_strategy": "steps",
        "eval_steps": values["eval_steps"],
        "per_device_eval_batch_size": values["per_device_train_batch_size"],
    }
    metric = values["metric_for_best_model"]
    if metric == "eval_accuracy":
        config["compute_accuracy"] = True
    # Early stopping looks at a metric also where the best model is not loaded at the end.
    if values["load_best_model_at_end"] or values["early_stopping_steps"]:
        config["metric_for_best_model"] = metric
    return config


_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Dumper(yaml.SafeDumper):
    """Writes what PyYAML (YAML 1.1) and OmegaConf (LLaMA-Factory's reader) read the same way."""


def _string(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    # "1e5" is text to PyYAML and a number to OmegaConf: what may look like a number is quoted.
    plain = re.match(r"[A-Za-z/]", value) and not re.match(r"(?i)(nan|inf)\b", value)
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=None if plain else '"')


_Dumper.add_representer(str, _string)
