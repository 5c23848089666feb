"""LoRA adapters with known different effects for the tiny model, made without torch.

Their random weights are large, so that each adapter makes the model say something else; what they
say means nothing.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

ALL_TARGETS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


def make_talkative(model: Path, *, factor: float = 6.0) -> Path:
    """Enlarge the tiny model's random matrices: as it is made it repeats its last token.

    The weights are saved in bfloat16, as published models have them.
    """
    path = model / "model.safetensors"
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    data = bytearray()
    for name, weights in sorted(load_file(path).items()):
        if "_proj.weight" in name:
            weights = weights * np.float32(factor)
        # The upper half of a float32 is the bfloat16 below it.
        halves = (np.ascontiguousarray(weights).view(np.uint32) >> 16).astype("<u2").tobytes()
        span = [len(data), len(data) + len(halves)]
        header[name] = {"dtype": "BF16", "shape": list(weights.shape), "data_offsets": span}
        data += halves
    head = json.dumps(header).encode()
    path.write_bytes(len(head).to_bytes(8, "little") + head + data)
    config = json.loads((model / "config.json").read_text(encoding="utf-8"))
    (model / "config.json").write_text(json.dumps({**config, "torch_dtype": "bfloat16"}))
    return model


def make_adapter(
    folder: Path,
    model: Path,
    *,
    seed: int,
    rank: int = 8,
    alpha: float = 16.0,
    targets: Sequence[str] = ALL_TARGETS,
    size: float = 0.15,
    **config: object,
) -> Path:
    """Write a PEFT LoRA adapter with random A and B for ``targets`` of ``model``."""
    random = np.random.default_rng(seed)
    weights = {}
    for name, shape in sorted(_shapes(model).items()):
        module = name.removesuffix(".weight")
        if name.endswith(".weight") and module.rsplit(".", 1)[-1] in targets:
            out_features, in_features = shape
            for side, size_of in (("A", (rank, in_features)), ("B", (out_features, rank))):
                matrix = random.standard_normal(size_of).astype(np.float32) * np.float32(size)
                weights[f"base_model.model.{module}.lora_{side}.weight"] = matrix
    folder.mkdir(parents=True, exist_ok=True)
    save_file(weights, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    described = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": str(model),
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": list(targets),
        "inference_mode": True,
        **config,
    }
    (folder / "adapter_config.json").write_text(json.dumps(described), encoding="utf-8")
    return folder


def _shapes(model: Path) -> dict[str, list[int]]:
    """The shape of each tensor, from the file's header: numpy has no bfloat16."""
    with (model / "model.safetensors").open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    header.pop("__metadata__", None)
    return {name: tensor["shape"] for name, tensor in header.items()}
