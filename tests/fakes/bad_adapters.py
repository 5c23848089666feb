"""Adapters with everything that can be wrong with one, by the name of the fault."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from tests.fakes.tiny_adapter import make_adapter


def bad_adapters(folder: Path, base: Path) -> dict[str, Path]:
    made = {
        name: make_adapter(folder / name, base, seed=5)
        for name in ("no_weights", "truncated", "no_json", "half", "diverged")
    }
    (made["no_weights"] / "adapter_model.safetensors").unlink()
    weights = made["truncated"] / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    (made["no_json"] / "adapter_config.json").write_text("{")
    for name in ("half", "diverged"):
        weights = made[name] / "adapter_model.safetensors"
        tensors = load_file(weights)
        key = next(iter(tensors))
        if name == "half":
            del tensors[key]
        else:
            tensors[key][0, 0] = np.nan
        save_file(tensors, weights)
    made["dora"] = make_adapter(folder / "dora", base, seed=5, use_dora=True)
    made["prompt_tuning"] = make_adapter(folder / "pt", base, seed=5, peft_type="PROMPT_TUNING")
    made["other_base"] = other_base(folder / "other_base", base)
    made["dora_other_base"] = other_base(folder / "dora_other_base", base, use_dora=True)
    made["dora_truncated"] = make_adapter(folder / "dora_truncated", base, seed=5, use_dora=True)
    weights = made["dora_truncated"] / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1000])
    made["no_folder"] = folder / "a_file"
    made["no_folder"].write_text("not a folder")
    made["missing"] = folder / "nowhere"
    return made


def other_base(folder: Path, base: Path, **config: object) -> Path:
    """An adapter whose matrices have another width."""
    path = make_adapter(folder, base, seed=5, **config)
    weights = path / "adapter_model.safetensors"
    tensors = {name: np.tile(tensor, (1, 2)) for name, tensor in load_file(weights).items()}
    save_file(tensors, weights)
    return path
