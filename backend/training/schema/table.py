"""The table of hyperparameters, in the order of the form.

Names and what LLaMA-Factory takes for an absent argument are those of llamafactory 0.9.5 and
transformers 5.6; a test compares them with the installed sources. ``default`` differs from it where
a LoRA on a few hundred reasoning rows wants something else.
"""

from __future__ import annotations

from collections.abc import Mapping

from backend.training.schema.field import Field, Group

GROUPS: tuple[Group, ...] = (
    "what", "method", "lora", "qlora", "schedule", "optimizer", "data", "precision",
    "acceleration", "evaluation", "saving", "devices", "extra",
)  # fmt: skip

_LORA = {"finetuning_type": ("lora",)}
_FREEZE = {"finetuning_type": ("freeze",)}
_QUANTISED = {**_LORA, "quantization_bit": ("8", "4")}
_EVALUATED = {"eval_steps": (0,)}
_SCHEDULES = (
    "linear", "cosine", "cosine_with_restarts", "constant", "constant_with_warmup", "polynomial",
    "inverse_sqrt", "warmup_stable_decay",
)  # fmt: skip
_EIGHT_BIT = ("adamw_8bit", "paged_adamw_8bit", "paged_adamw_32bit", "lion_8bit")
_OPTIMISERS = ("adamw_torch_fused", "adamw_torch", "adafactor", "sgd", *_EIGHT_BIT)
_WITH_BETAS = tuple(name for name in _OPTIMISERS if name.startswith(("adamw", "paged", "lion")))
_STAGES = ("none", "0", "2", "2_offload", "3", "3_offload")

# Defaults: a LoRA that learns from a few hundred reasoning rows. Rank 8 and alpha 16 (twice the
# rank) are LLaMA-Factory's; 1e-4 with 10 % warm-up and a cosine is what its LoRA examples use.
FIELDS: tuple[Field, ...] = (
    Field("model", "model", "what", required=True),
    Field("dataset", "dataset", "what", required=True),
    Field("template", "template", "what", required=True),
    Field("run_name", "text", "what", default=""),
    Field(
        "finetuning_type", "choice", "method", default="lora", absent="lora",
        choices=("lora", "full", "freeze"),
    ),
    Field(
        "freeze_trainable_layers", "int", "method", default=2, absent=2, minimum=1, maximum=1000,
        only=_FREEZE,
    ),
    Field(
        "freeze_trainable_modules", "text", "method", default="all", absent="all", required=True,
        basic=False, only=_FREEZE,
    ),
    Field(
        "freeze_extra_modules", "text", "method", default="", absent="", basic=False, only=_FREEZE
    ),
    Field(
        "pure_bf16", "bool", "method", default=False, absent=False, basic=False,
        only={"finetuning_type": ("full", "freeze")},
    ),
    Field("lora_rank", "int", "lora", default=8, absent=8, minimum=1, maximum=1024, only=_LORA),
    Field("lora_alpha", "int", "lora", default=16, minimum=1, maximum=4096, only=_LORA),
    Field(
        "lora_dropout", "float", "lora", default=0.0, absent=0.0, minimum=0.0, maximum=0.9,
        basic=False, only=_LORA,
    ),
    Field(
        "lora_target", "text", "lora", default="all", absent="all", basic=False, required=True,
        only=_LORA,
    ),
    Field("use_rslora", "bool", "lora", default=False, absent=False, basic=False, only=_LORA),
    Field("use_dora", "bool", "lora", default=False, absent=False, basic=False, only=_LORA),
    Field("pissa_init", "bool", "lora", default=False, absent=False, basic=False, only=_LORA),
    Field(
        "pissa_convert", "bool", "lora", default=False, absent=False, basic=False,
        only={**_LORA, "pissa_init": (True,)},
    ),
    Field(
        "loraplus_lr_ratio", "float", "lora", default=0.0, absent=0.0, minimum=0.0, maximum=1000,
        basic=False, only=_LORA,
    ),
    Field(
        "quantization_bit", "choice", "qlora", default="none", absent="none",
        choices=("none", "8", "4"), basic=False, only=_LORA,
    ),
    Field(
        "quantization_method", "choice", "qlora", default="bnb", absent="bnb",
        choices=("bnb", "hqq", "eetq"), basic=False, only=_QUANTISED,
        needs={"bnb": "bitsandbytes", "hqq": "hqq", "eetq": "eetq"},
    ),
    Field(
        "double_quantization", "bool", "qlora", default=True, absent=True, basic=False,
        only={**_LORA, "quantization_bit": ("4",), "quantization_method": ("bnb",)},
    ),
    Field(
        "learning_rate", "float", "schedule", default=1e-4, absent=5e-5, minimum=1e-9, maximum=1.0
    ),
    Field(
        "num_train_epochs", "float", "schedule", default=3.0, absent=3.0, minimum=0.01,
        maximum=10_000, only={"max_steps": (-1,)},
    ),
    Field(
        "max_steps", "int", "schedule", default=-1, absent=-1, minimum=-1, maximum=10**9,
        basic=False,
    ),
    Field(
        "per_device_train_batch_size", "int", "schedule", default=1, absent=8, minimum=1,
        maximum=4096,
    ),
    Field(
        "gradient_accumulation_steps", "int", "schedule", default=8, absent=1, minimum=1,
        maximum=4096,
    ),
    Field(
        "lr_scheduler_type", "choice", "schedule", default="cosine", absent="linear",
        choices=_SCHEDULES, basic=False,
    ),
    # transformers 5 takes a share of all steps (below 1) or a number of steps under this one name;
    # its ``warmup_ratio`` is deprecated.
    Field(
        "warmup_steps", "float", "schedule", default=0.1, absent=0, minimum=0.0, maximum=10**6,
        basic=False, unless={"lr_scheduler_type": ("constant",)},
    ),
    Field(
        "seed", "int", "schedule", default=42, absent=42, minimum=0, maximum=2**32 - 1, basic=False
    ),
    Field(
        "optim", "choice", "optimizer", default="adamw_torch_fused", absent="adamw_torch_fused",
        choices=_OPTIMISERS, basic=False, needs=dict.fromkeys(_EIGHT_BIT, "bitsandbytes"),
    ),
    Field(
        "weight_decay", "float", "optimizer", default=0.0, absent=0.0, minimum=0.0, maximum=1.0,
        basic=False,
    ),
    Field(
        "max_grad_norm", "float", "optimizer", default=1.0, absent=1.0, minimum=0.0, maximum=1000,
        basic=False,
    ),
    Field(
        "adam_beta1", "float", "optimizer", default=0.9, absent=0.9, minimum=0.0, maximum=0.9999,
        basic=False, only={"optim": _WITH_BETAS},
    ),
    Field(
        "adam_beta2", "float", "optimizer", default=0.999, absent=0.999, minimum=0.0,
        maximum=0.99999, basic=False, only={"optim": _WITH_BETAS},
    ),
    Field(
        "neftune_noise_alpha", "float", "optimizer", default=0.0, absent=0.0, minimum=0.0,
        maximum=100, basic=False,
    ),
    Field(
        "cutoff_len", "int", "data", default=2048, absent=2048, minimum=16, maximum=1_048_576
    ),
    Field("packing", "bool", "data", default=False, absent=False, basic=False),
    Field(
        "neat_packing", "bool", "data", default=False, absent=False, basic=False,
        only={"packing": (True,)},
    ),
    Field(
        "max_samples", "int", "data", default=0, absent=0, minimum=0, maximum=10**9, basic=False
    ),
    Field("mask_history", "bool", "data", default=False, absent=False, basic=False),
    Field("train_on_prompt", "bool", "data", default=False, absent=False, basic=False),
    Field(
        "enable_thinking", "choice", "data", default="thinking", absent="thinking",
        choices=("thinking", "no_thinking", "mixed"), basic=False,
    ),
    Field(
        "precision", "choice", "precision", default="auto", absent="fp32",
        choices=("auto", "bf16", "fp16", "fp32"), basic=False,
    ),
    Field(
        "flash_attn", "choice", "precision", default="auto", absent="auto",
        choices=("auto", "sdpa", "fa2", "disabled"), basic=False, needs={"fa2": "flash_attn"},
    ),
    Field(
        "disable_gradient_checkpointing", "bool", "precision", default=False, absent=False,
        basic=False,
    ),
    Field(
        "enable_liger_kernel", "bool", "acceleration", default=False, absent=False, basic=False,
        needs={True: "liger_kernel"},
    ),
    Field(
        "use_unsloth", "bool", "acceleration", default=False, absent=False, basic=False,
        only=_LORA, needs={True: "unsloth"},
    ),
    Field(
        "eval_steps", "int", "evaluation", default=0, absent=0, minimum=0, maximum=10**9,
        basic=False,
    ),
    Field(
        "load_best_model_at_end", "bool", "evaluation", default=False, absent=False, basic=False,
        unless=_EVALUATED,
    ),
    Field(
        "metric_for_best_model", "choice", "evaluation", default="eval_loss", absent="eval_loss",
        choices=("eval_loss", "eval_accuracy"), basic=False, unless=_EVALUATED,
    ),
    Field(
        "early_stopping_steps", "int", "evaluation", default=0, absent=0, minimum=0, maximum=10**6,
        basic=False, unless=_EVALUATED,
    ),
    Field(
        "logging_steps", "int", "saving", default=1, absent=500, minimum=1, maximum=10**6,
        basic=False,
    ),
    Field("save_steps", "int", "saving", default=100, absent=500, minimum=1, maximum=10**9),
    Field(
        "save_total_limit", "int", "saving", default=0, absent=0, minimum=0, maximum=10_000,
        basic=False,
    ),
    # Not LLaMA-Factory's: which GPUs the supervisor gives to the trainer, and how many processes.
    Field("devices", "text", "devices", default="", basic=False),
    Field("processes", "int", "devices", default=1, minimum=1, maximum=64, basic=False),
    Field(
        "deepspeed", "choice", "devices", default="none", absent="none", choices=_STAGES,
        basic=False, needs=dict.fromkeys(_STAGES[1:], "deepspeed"),
    ),
    Field(
        "fsdp", "choice", "devices", default="none", absent="none",
        choices=("none", "full_shard", "full_shard_offload", "shard_grad_op"), basic=False,
    ),
    # Not LLaMA-Factory's: its other arguments, one a line, see ``extra``.
    Field("extra", "extra", "extra", default="", basic=False),
)  # fmt: skip

FIELD: Mapping[str, Field] = {field.name: field for field in FIELDS}
