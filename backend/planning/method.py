"""What of the hyperparameters decides about memory and speed, under names of our own.

A field that the form may lack is read with LLaMA-Factory's own default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from backend.training.devices import Precision, best_precision
from backend.training.schema import FIELD

ALL = ("all",)
"""Every linear layer but the output, and every part of a layer."""


@dataclass(frozen=True)
class Method:
    """How a model is trained.

    Attributes:
        kind: ``lora``, ``full`` or ``freeze``.
        rank: Of the adapter.
        targets: Names of the layers that get an adapter; ``ALL`` for all linear ones.
        trained_layers: How many of the last layers ``freeze`` trains; below 0 of the first.
        trained_modules: Which parts of these; ``ALL`` for all.
        extra_modules: What it trains outside of the layers.
        bits: The frozen linear layers are quantised to so many; 0 where they are not.
        pure: Trained weights, gradients and moments are in bfloat16, too (``pure_bf16``).
        checkpointing: Activations are computed again (``disable_gradient_checkpointing`` is off).
        dropout: The adapter drops some of its inputs, and keeps what it dropped.
        fused_loss: The loss is computed without all logits at once (``enable_liger_kernel``).
        eager: Attention is computed as a matrix (``flash_attn: disabled``).
        stage: DeepSpeed's ZeRO stage, 3 for FSDP as well; 0 for neither.
        offload: The optimiser's state is in the machine's memory.
        on_gpu: False where the CPU trains.
    """

    kind: str
    rank: int = 8
    targets: tuple[str, ...] = ALL
    dora: bool = False
    trained_layers: int = 2
    trained_modules: tuple[str, ...] = ALL
    extra_modules: tuple[str, ...] = ()
    bits: int = 0
    double_quantised: bool = True
    precision: Precision = "bf16"
    pure: bool = False
    checkpointing: bool = True
    dropout: bool = False
    fused_loss: bool = False
    eager: bool = False
    optimiser: str = "adamw_torch_fused"
    batch: int = 1
    processes: int = 1
    stage: int = 0
    offload: bool = False
    on_gpu: bool = True

    @property
    def half(self) -> bool:
        """Frozen weights are held in 16 bits.

        On a GPU LLaMA-Factory loads them so whatever the precision: without ``bf16`` or ``fp16`` it
        infers a 16-bit type from the device (``infer_optim_dtype``, extras/misc.py). On a CPU it
        finds none.
        """
        return self.on_gpu or self.precision != "fp32" or self.pure

    @property
    def mixed(self) -> bool:
        """Layers compute in 16 bits on weights in 32, by autocast."""
        return self.precision != "fp32" and not self.pure


def in_effect(values: Mapping[str, Any]) -> dict[str, Any]:
    """The hyperparameters that do something: what the form hides may hold anything."""
    return {
        name: value
        for name, value in values.items()
        if name not in FIELD or FIELD[name].applies(values)
    }


def method_of(values: Mapping[str, Any], *, on_gpu: bool, processes: int) -> Method:
    """The method in hyperparameters that ``schema.validate`` has cleaned.

    Args:
        on_gpu: Whether a GPU will train.
        processes: How many train together.
    """
    values = in_effect(values)
    asked: Any = values.get("precision") or "auto"
    precision: Precision = best_precision(values.get("devices")) if asked == "auto" else asked
    deepspeed, fsdp = (_chosen(values.get(name)) for name in ("deepspeed", "fsdp"))
    return Method(
        kind=str(values.get("finetuning_type") or "lora"),
        rank=_whole(values, "lora_rank", 8),
        targets=_names(values, "lora_target") or ALL,
        dora=_on(values, "use_dora"),
        trained_layers=_whole(values, "freeze_trainable_layers", 2),
        trained_modules=_names(values, "freeze_trainable_modules") or ALL,
        extra_modules=_names(values, "freeze_extra_modules"),
        bits=_bits(values.get("quantization_bit")),
        double_quantised=values.get("double_quantization") is not False,
        precision=precision,
        pure=_on(values, "pure_bf16"),
        checkpointing=not _on(values, "disable_gradient_checkpointing"),
        dropout=(values.get("lora_dropout") or 0) > 0,
        fused_loss=_on(values, "enable_liger_kernel"),
        eager=values.get("flash_attn") == "disabled",
        optimiser=str(values.get("optim") or "adamw_torch_fused"),
        batch=_whole(values, "per_device_train_batch_size", 1),
        processes=processes,
        stage=3 if fsdp else _stage(deepspeed),
        offload="offload" in deepspeed + fsdp,
        on_gpu=on_gpu,
    )


def _chosen(value: Any) -> str:
    """What is chosen in a field that may be off."""
    words = str(value or "")
    return "" if words == "none" else words


def _bits(value: Any) -> int:
    words = str(value or "")
    return int(words) if words.isascii() and words.isdigit() else 0


def _stage(deepspeed: str) -> int:
    """ZeRO's stage in a choice or a file's name: ``"2"``, ``"z3_offload"``, ``"ds_z2.json"``."""
    found = re.search(r"(?:^|z|zero|stage)[_-]?([0-3])(?!\d)", deepspeed.lower())
    return int(found.group(1)) if found else 0


def _names(values: Mapping[str, Any], name: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in str(values.get(name) or "").split(",") if part.strip())


def _whole(values: Mapping[str, Any], name: str, default: int) -> int:
    value = values.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def _on(values: Mapping[str, Any], name: str) -> bool:
    return values.get(name) is True or str(values.get(name)).lower() == "true"
