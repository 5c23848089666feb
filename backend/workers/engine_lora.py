"""LoRA adapters of several checkpoints on one base model, mixed in one forward pass.

Every linear layer that an adapter targets gets a forward hook. The matrices A of all adapters on
that layer lie under each other, the matrices B beside each other; a row of the batch keeps only its
own adapter's part of ``x @ A.T`` before ``@ B.T``. So four columns cost two small products a layer,
adapters of different ranks and targets mix, and a row of the base gets exactly nothing added.

    y = W x + B (mask * (A x)),   B already multiplied by alpha / r

PEFT itself is not needed for this, and importing it takes longer than loading a small model.
Source of the format: PEFT's ``adapter_config.json`` and ``adapter_model.safetensors``.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_safetensors
from torch import nn

WEIGHTS = "adapter_model.safetensors"
CONFIG = "adapter_config.json"
_KEY = re.compile(r"base_model\.model\.(?P<module>.+)\.lora_(?P<side>[AB])\.weight")
CHANGED_BASE = ("pissa", "olora", "corda", "loftq")
"""Starts of LoRA that are taken out of the base's weights, in training and when PEFT loads them."""


class AdapterError(Exception):
    """An adapter that can't be used: the key of its sentence, and the sentence's parameters."""

    def __init__(self, key: str, **params: object) -> None:
        super().__init__(key, params)
        self.key = f"engine.errors.{key}"
        self.params = params


class UnmixableError(AdapterError):
    """An adapter that is more than ``x @ A.T @ B.T`` beside linear layers; ``kind`` is what."""

    def __init__(self, folder: Path, kind: str) -> None:
        super().__init__("adapter_kind", folder=str(folder), kind=kind)
        self.kind = kind


@dataclass(frozen=True)
class AdapterWeights:
    """One adapter as read: for each target module A [rank, in] and B [out, rank], B scaled."""

    fingerprint: str
    modules: Mapping[str, tuple[torch.Tensor, torch.Tensor]]


def read_adapter(folder: Path, model: nn.Module) -> AdapterWeights:
    """Read and check an adapter for ``model``; its tensors get the model's device and dtype.

    Raises:
        UnmixableError: it is of a kind that can't be mixed.
        AdapterError: it is missing, broken, or of another base.
    """
    config = read_config(folder)
    kind = _unmixable(config)
    if kind:
        raise UnmixableError(folder, kind)
    try:
        content = (folder / WEIGHTS).read_bytes()
        tensors = load_safetensors(content)
    except FileNotFoundError as error:
        raise AdapterError("adapter_missing", folder=str(folder)) from error
    except (OSError, SafetensorError) as error:
        raise AdapterError("adapter_broken", folder=str(folder), reason=str(error)) from error
    check_finite(folder, tensors)
    pairs = _pairs(folder, tensors)
    linears = {name: part for name, part in model.named_modules() if isinstance(part, nn.Linear)}
    parameter = next(model.parameters())
    modules = {}
    for name, (a, b) in pairs.items():
        _check_shapes(folder, name, a, b, linears.get(name))
        scaled = b.float() * _scaling(config, name, rank=a.shape[0])
        dtype = parameter.dtype if parameter.is_floating_point() else torch.float32
        modules[name] = tuple(part.to(parameter.device, dtype) for part in (a, scaled))
    return AdapterWeights(hashlib.sha256(content).hexdigest()[:12], modules)


def read_config(folder: Path) -> dict[str, Any]:
    """The adapter's own description.

    Raises:
        AdapterError: there is none, or it can't be read.
    """
    try:
        config = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise AdapterError("adapter_missing", folder=str(folder)) from error
    except (OSError, ValueError) as error:
        raise AdapterError("adapter_broken", folder=str(folder), reason=str(error)) from error
    if not isinstance(config, dict):
        raise AdapterError("adapter_broken", folder=str(folder), reason=CONFIG)
    return config


def _unmixable(config: Mapping[str, Any]) -> str | None:
    """What makes an adapter more than ``x @ A.T @ B.T`` beside linear layers, if anything does."""
    if config.get("peft_type") != "LORA":
        return str(config.get("peft_type"))
    for option in (
        "use_dora",
        "modules_to_save",
        "trainable_token_indices",
        "layer_replication",
        "fan_in_fan_out",
        "lora_bias",
        "alora_invocation_tokens",
        "target_parameters",
    ):
        if config.get(option):
            return option
    if config.get("bias", "none") != "none":
        return "bias"
    start = config.get("init_lora_weights")
    if isinstance(start, str) and start.lower().startswith(CHANGED_BASE):
        return start
    return None


def check_finite(folder: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """
    Raises:
        AdapterError: a tensor has something in it that is not a number.
    """
    for tensor in tensors.values():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise AdapterError("adapter_not_finite", folder=str(folder))


def _pairs(
    folder: Path, tensors: Mapping[str, torch.Tensor]
) -> dict[str, tuple[torch.Tensor, torch.Tensor]]:
    sides: dict[str, dict[str, torch.Tensor]] = {}
    for key, tensor in tensors.items():
        match = _KEY.fullmatch(key)
        if match is None:
            raise UnmixableError(folder, key)
        sides.setdefault(match["module"], {})[match["side"]] = tensor
    lone = [name for name, found in sides.items() if len(found) < 2]
    if lone or not sides:
        reason = f"{lone[0]}: A or B is missing" if lone else "no tensors"
        raise AdapterError("adapter_broken", folder=str(folder), reason=reason)
    return {name: (found["A"], found["B"]) for name, found in sides.items()}


def _check_shapes(
    folder: Path, name: str, a: torch.Tensor, b: torch.Tensor, linear: nn.Linear | None
) -> None:
    fits = (
        linear is not None
        and a.dim() == b.dim() == 2
        and a.shape[1] == linear.in_features
        and b.shape[0] == linear.out_features
        and a.shape[0] == b.shape[1]
    )
    if not fits:
        raise AdapterError("adapter_other_base", folder=str(folder), module=name)


def _scaling(config: Mapping[str, Any], module: str, *, rank: int) -> float:
    alpha = config.get("lora_alpha") or 0
    for pattern, value in (config.get("alpha_pattern") or {}).items():
        # As in PEFT: a pattern names the end of a module's name.
        if re.match(rf"(.*\.)?({pattern})$", module):
            alpha = value
            break
    return float(alpha) / (math.sqrt(rank) if config.get("use_rslora") else rank)


class AdapterBank:
    """All adapters that are loaded on one model, and which of them each row uses now."""

    def __init__(self, model: nn.Module) -> None:
        self._modules = dict(model.named_modules())
        self._layers: dict[str, _LoraLayer] = {}
        self._targets: dict[int, tuple[str, ...]] = {}
        self._selected: tuple[int | None, ...] | None = None
        self._next = 1

    def add(self, weights: AdapterWeights) -> int:
        """Attach an adapter. The number that comes back names it and is never used again."""
        number = self.reserve()
        self._targets[number] = tuple(weights.modules)
        for name, pair in weights.modules.items():
            if name not in self._layers:
                self._layers[name] = _LoraLayer(self._modules[name])
            self._layers[name].put(number, pair)
        self._selected = None
        return number

    def reserve(self) -> int:
        """A number that names no adapter of the bank."""
        number, self._next = self._next, self._next + 1
        return number

    def remove(self, number: int) -> None:
        for name in self._targets.pop(number):
            self._layers[name].drop(number)
            if self._layers[name].empty:
                self._layers.pop(name).detach()
        self._selected = None

    def select(self, rows: Sequence[int | None]) -> None:
        """Choose the adapter of each row of the next forward passes; None is the base."""
        wanted = tuple(rows)
        if wanted == self._selected:
            return
        for layer in self._layers.values():
            layer.select(wanted)
        self._selected = wanted


class _LoraLayer:
    """The adapters on one linear layer."""

    def __init__(self, linear: nn.Module) -> None:
        self._pairs: dict[int, tuple[torch.Tensor, torch.Tensor]] = {}
        self._a = self._b = torch.empty(0)
        self._use: _Use | None = None
        self._handle = linear.register_forward_hook(self._add_low_rank)

    @property
    def empty(self) -> bool:
        return not self._pairs

    def detach(self) -> None:
        self._handle.remove()

    def put(self, number: int, pair: tuple[torch.Tensor, torch.Tensor]) -> None:
        self._pairs[number] = pair
        self._stack()

    def drop(self, number: int) -> None:
        del self._pairs[number]
        self._stack()

    def select(self, rows: tuple[int | None, ...]) -> None:
        wanted = set(rows)
        if not wanted & self._pairs.keys():
            self._use = None
        elif len(wanted) == 1:
            a, b = self._pairs[next(number for number in wanted if number is not None)]
            self._use = _Use(a, b, None)
        else:
            self._use = _Use(self._a, self._b, self._foreign(rows))

    def _stack(self) -> None:
        self._use = None
        if not self._pairs:
            return
        self._a = torch.cat([a for a, _ in self._pairs.values()], dim=0)
        self._b = torch.cat([b for _, b in self._pairs.values()], dim=1)
        ranks = [a.shape[0] for a, _ in self._pairs.values()]
        # Views, so that every adapter is in memory once.
        parts = zip(self._a.split(ranks, dim=0), self._b.split(ranks, dim=1), strict=True)
        self._pairs = dict(zip(self._pairs, parts, strict=True))

    def _foreign(self, rows: tuple[int | None, ...]) -> torch.Tensor:
        """[rows, 1, all ranks]: True where a part of A is another adapter's than the row's."""
        owners = [number for number, (a, _) in self._pairs.items() for _ in range(a.shape[0])]
        own = [[owner == number for owner in owners] for number in rows]
        return ~torch.tensor(own, device=self._a.device).unsqueeze(1)

    def _add_low_rank(
        self, module: nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor
    ) -> torch.Tensor | None:
        use = self._use
        if use is None:
            return None
        low = nn.functional.linear(inputs[0].to(use.a.dtype), use.a)
        if use.foreign is not None:
            # Filled, not multiplied: another adapter's overflow times zero would not be zero.
            low = low.masked_fill_(use.foreign, 0)
        return output + nn.functional.linear(low, use.b).to(output.dtype)


@dataclass(frozen=True)
class _Use:
    """What the next forward passes add at a layer; no mask where all rows share one adapter."""

    a: torch.Tensor
    b: torch.Tensor
    foreign: torch.Tensor | None
