"""LLaMA-Factory files from elsewhere in the form."""

from __future__ import annotations

from typing import Any

import pytest

from backend.errors import HyperparameterError
from backend.text import LANGUAGES
from backend.training.config import build_config, to_yaml
from backend.training.importing import import_settings
from backend.training.schema import FIELD, defaults, validate
from backend.training.schema.extra import parse_extra
from backend.workspace import Workspace
from tests.fakes.ready_workspace import DATASET, DATASET_WITH_VALIDATION, MODEL, VALUES
from ui.components.config_import import import_view

# LLaMA-Factory's examples/train_lora/qwen3_lora_sft.yaml, with what a person has here.
EXAMPLE = f"""
### model
model_name_or_path: somebody/{MODEL.title()}
trust_remote_code: true

### method
stage: sft
do_train: true
finetuning_type: lora
lora_rank: 8
lora_target: all

### dataset
dataset: {DATASET}
template: qwen3_nothink
cutoff_len: 2048
max_samples: 1000
preprocessing_num_workers: 16
dataloader_num_workers: 4

### output
output_dir: saves/qwen3-4b/lora/sft
logging_steps: 10
save_steps: 500
plot_loss: true
overwrite_output_dir: true
save_only_model: false
report_to: none  # choices: [none, wandb, tensorboard, swanlab, mlflow]

### train
per_device_train_batch_size: 1
gradient_accumulation_steps: 8
learning_rate: 1.0e-4
num_train_epochs: 3.0
lr_scheduler_type: cosine
warmup_ratio: 0.1
bf16: true
ddp_timeout: 180000000
resume_from_checkpoint: null
"""


def test_an_example_of_llamafactorys_fills_the_form(ready: Workspace) -> None:
    imported = import_settings(EXAMPLE, ready)
    assert imported.values.items() >= {
        "model": MODEL, "dataset": DATASET, "template": "qwen3_nothink", "lora_rank": 8,
        "lora_alpha": 16, "max_samples": 1000, "learning_rate": 1e-4, "warmup_steps": 0.1,
        "precision": "bf16", "logging_steps": 10, "save_steps": 500,
    }.items()  # fmt: skip
    assert parse_extra(imported.values["extra"]) == {
        "preprocessing_num_workers": 16,
        "dataloader_num_workers": 4,
    }
    reasons = {name: error.key.rpartition(".")[2] for name, error in imported.refused}
    assert reasons == {"trust_remote_code": "code"}
    assert "output_dir" in imported.taken and len(imported.taken) > 20
    validate({**defaults(), **imported.values})
    for language in LANGUAGES:
        shown = import_view(imported, language)
        assert "<code>trust_remote_code</code>" in shown and "{" not in shown


def test_what_a_file_leaves_out_is_llamafactorys_own_default(ready: Workspace) -> None:
    """The form's own learning rate is twice LLaMA-Factory's: the file would train otherwise."""
    values = import_settings("lora_rank: 32", ready).values
    assert values.items() >= {
        "lora_alpha": 64, "learning_rate": 5e-5, "per_device_train_batch_size": 8,
        "gradient_accumulation_steps": 1, "lr_scheduler_type": "linear", "warmup_steps": 0,
        "logging_steps": 500, "eval_steps": 0, "precision": "fp32", "extra": "",
    }.items()  # fmt: skip
    assert not values.keys() & {"model", "dataset", "template", "run_name", "devices", "processes"}


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"finetuning_type": "freeze", "freeze_extra_modules": "embed_tokens", "optim": "sgd"},
        {"use_rslora": True, "packing": True, "neat_packing": True, "enable_thinking": "mixed"},
        {"enable_thinking": "no_thinking", "adam_beta2": 0.95, "neftune_noise_alpha": 5.0},
        {
            "dataset": DATASET_WITH_VALIDATION, "eval_steps": 3, "load_best_model_at_end": True,
            "metric_for_best_model": "eval_accuracy", "early_stopping_steps": 2,
        },
        {"fsdp": "shard_grad_op", "extra": "tf32: true\nlr_scheduler_kwargs:\n  min_lr: 1.0e-06\n"},
        {"lora_alpha": 3, "max_steps": -1, "num_train_epochs": 1.5, "max_samples": 7},
    ],
)  # fmt: skip
def test_a_runs_own_file_comes_back_as_it_was(ready: Workspace, changes: dict[str, Any]) -> None:
    values = validate({**VALUES, "precision": "fp32", **changes})
    config = build_config(
        values, model_path=ready.models / MODEL, workspace=ready, output_dir=ready.runs / "one"
    )
    imported = import_settings(to_yaml(config), ready)
    assert imported.refused == ()
    back = validate({**defaults(), **imported.values})
    assert parse_extra(back["extra"]) == parse_extra(values["extra"])
    for name in FIELD.keys() - {"extra"}:
        assert back[name] == values[name] or not FIELD[name].applies(values), name


@pytest.mark.parametrize(
    ("words", "values"),
    [
        ("eval_strategy: steps\nlogging_steps: 7", {"eval_steps": 7}),
        ("eval_steps: 5", {"eval_steps": 0}),
        ("eval_strategy: no\neval_steps: 5", {"eval_steps": 0}),
        ("quantization_bit: 4", {"quantization_bit": "4"}),
        ("deepspeed: examples/deepspeed/ds_z3_offload_config.json", {"deepspeed": "3_offload"}),
        ("deepspeed: configs/deepspeed_zero2.json", {"deepspeed": "2"}),
        ("deepspeed: null", {"deepspeed": "none"}),
        ("fsdp: [full_shard, auto_wrap, offload]", {"fsdp": "full_shard_offload"}),
        ("lora_target: [q_proj, v_proj]", {"lora_target": "q_proj,v_proj"}),
        ("enable_thinking: null", {"enable_thinking": "mixed"}),
        ("run_name: mine", {"run_name": "mine"}),
        ("fp16: true", {"precision": "fp16"}),
        ("packing: null\nmax_samples: null", {"packing": False, "max_samples": 0}),
        ("learning_rate: 1e-5", {"learning_rate": 1e-5}),
    ],
)
def test_what_a_file_says_in_other_words(
    ready: Workspace, words: str, values: dict[str, Any]
) -> None:
    imported = import_settings(words, ready)
    assert imported.refused == () and imported.values.items() >= values.items()


@pytest.mark.parametrize(
    ("words", "key"),
    [
        ("model_name_or_path: meta-llama/Llama-3.1-8B", "model_elsewhere"),
        ("dataset: alpaca_en_demo", "dataset_elsewhere"),
        ("dataset: notes,other", "dataset_elsewhere"),
        ("eval_dataset: mine", "validation"),
        ("template: nobody", "template_unknown"),
        ("lora_rank: many", "field_number"),
        ("finetuning_type: oft", "field_choice"),
        ("packing: 'yes'", "field_bool"),
        ("eval_strategy: epoch", "eval_by_steps"),
        ("deepspeed: mine.json", "deepspeed_elsewhere"),
        ("fsdp: hybrid_shard", "field_choice"),
        ("stage: dpo", "stage"),
        ("learning_rte: 1", "unknown"),
        ("val_size: 0.1", "validation"),
    ],
)
def test_what_is_not_taken_is_named_with_the_reason(ready: Workspace, words: str, key: str) -> None:
    imported = import_settings(words, ready)
    ((_, error),) = imported.refused
    assert error.key.rpartition(".")[2] == key
    assert all(error.sentence(language) for language in LANGUAGES)


@pytest.mark.parametrize("words", ["", "# nothing", "a: [", "- one"])
def test_what_is_no_file_of_settings_is_refused_whole(ready: Workspace, words: str) -> None:
    with pytest.raises(HyperparameterError):
        import_settings(words, ready)
