"""One training over several GPUs that each hold a part of it: DeepSpeed's ZeRO, or torch's FSDP.

Both are LLaMA-Factory's arguments. DeepSpeed's is the path of a JSON file; LLaMA-Factory's examples
(examples/deepspeed) are not part of its package, so the run's folder gets a file of the same
content: what has to agree with other arguments is ``auto``, and transformers fills it in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_GROUP = 500_000_000
"""Elements reduced or gathered at once: DeepSpeed's own default, as in the examples."""


def deepspeed_settings(stage: str) -> dict[str, Any]:
    """DeepSpeed's configuration.

    Args:
        stage: ``0``, ``2`` or ``3``, and ``_offload`` behind it for state kept in the machine's
            memory: a choice of the field ``deepspeed``.
    """
    number, _, offload = stage.partition("_")
    zero = _stage_3() if number == "3" else _stage_2(int(number))
    if offload:
        zero["offload_optimizer"] = {"device": "cpu", "pin_memory": True}
        if number == "3":
            zero["offload_param"] = {"device": "cpu", "pin_memory": True}
    return {
        "train_batch_size": "auto",
        "train_micro_batch_size_per_gpu": "auto",
        "gradient_accumulation_steps": "auto",
        "gradient_clipping": "auto",
        "zero_allow_untested_optimizer": True,
        "fp16": {
            "enabled": "auto",
            "loss_scale": 0,
            "loss_scale_window": 1000,
            "initial_scale_power": 16,
            "hysteresis": 2,
            "min_loss_scale": 1,
        },
        "bf16": {"enabled": "auto"},
        "zero_optimization": zero,
    }


def fsdp_argument(choice: str) -> str:
    """transformers' ``fsdp`` for a choice of the field: each decoder layer is sharded by itself."""
    return " ".join([*choice.replace("shard_offload", "shard offload").split(), "auto_wrap"])


def fsdp_choice(argument: str) -> str | None:
    """The choice that means this ``fsdp``; None where none does."""
    words = set(argument.split()) - {"auto_wrap"}
    meanings: Mapping[frozenset[str], str] = {
        frozenset(): "none",
        frozenset({"full_shard"}): "full_shard",
        frozenset({"full_shard", "offload"}): "full_shard_offload",
        frozenset({"shard_grad_op"}): "shard_grad_op",
    }
    return meanings.get(frozenset(words))


def _stage_2(stage: int) -> dict[str, Any]:
    return {
        "stage": stage,
        "allgather_partitions": True,
        "allgather_bucket_size": _GROUP,
        "overlap_comm": False,
        "reduce_scatter": True,
        "reduce_bucket_size": _GROUP,
        "contiguous_gradients": True,
        "round_robin_gradients": True,
    }


def _stage_3() -> dict[str, Any]:
    return {
        "stage": 3,
        "overlap_comm": False,
        "contiguous_gradients": True,
        "sub_group_size": 1_000_000_000,
        "reduce_bucket_size": "auto",
        "stage3_prefetch_bucket_size": "auto",
        "stage3_param_persistence_threshold": "auto",
        "stage3_max_live_parameters": 1_000_000_000,
        "stage3_max_reuse_distance": 1_000_000_000,
        # Otherwise a checkpoint has no weights that anything but DeepSpeed can load.
        "stage3_gather_16bit_weights_on_model_save": True,
    }
