"""Keeps a training in single precision off torch's slow path for bfloat16 on CPUs.

LLaMA-Factory loads a model in the type that its ``config.json`` names (``torch_dtype: auto`` in its
``load_model``; no argument changes that) and leaves what LoRA and freezing don't train as it is.
The R1 distills name bfloat16. Where oneDNN has no bfloat16, each of their products takes some fifty
times as long as in float32 (512 × 512: 108 ms against 2.9 on one core of an EPYC held to AVX2).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil
import torch

from backend.library.weights import weight_files

_OTHERWISE = ("bf16", "fp16", "pure_bf16", "fp8", "quantization_bit", "use_unsloth")
"""Arguments with which the model's numbers are decided elsewhere."""


def load_single(config: Mapping[str, Any]) -> None:
    """Let LLaMA-Factory load the model in float32 where this process would compute in bfloat16
    without instructions for it."""
    if any(config.get(name) for name in _OTHERWISE) or torch.cuda.is_available():
        return
    folder = Path(str(config.get("model_name_or_path")))
    if multiplies_bf16() or not _has_room(folder):
        return
    from llamafactory.model import loader

    prepare = loader.patch_config

    def prepare_in_float32(model: Any, *args: Any, **kwargs: Any) -> None:
        prepare(model, *args, **kwargs)
        if model.dtype == torch.bfloat16:
            print("This CPU has no instructions for bfloat16: the model is loaded in float32.")
            model.dtype = torch.float32

    loader.patch_config = prepare_in_float32


def multiplies_bf16() -> bool:
    """Whether the device that trains where there is no CUDA has fast products in bfloat16."""
    if torch.backends.mps.is_available():
        return True
    if not torch.backends.mkldnn.is_available():
        return False
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    able = torch.cpu.get_capabilities()
    # On x86 oneDNN says yes to AVX-512 alone, where it computes with float32 and converts.
    return able.get("architecture") != "x86_64" or able["avx512_bf16"] or able["amx_bf16"]


def _has_room(folder: Path) -> bool:
    """Whether the weights fit into memory at twice their size; where not, slow is all there is."""
    size = sum(file.stat().st_size for file in weight_files(folder))
    return 2 * size < psutil.virtual_memory().available
