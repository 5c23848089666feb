"""The base model: where it runs, in which numbers, and how much context it can hold.

Knows nothing about adapters, batches or HTTP.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import psutil
import torch
from safetensors import SafetensorError
from torch import nn
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, BitsAndBytesConfig
from transformers.cache_utils import Cache, DynamicCache
from transformers.utils import is_bitsandbytes_available

from backend.library.weights import weight_files
from backend.workers.engine_cache import new_cache
from backend.workers.engine_linear import pack, shared_copy

MAX_ROWS = 8
"""Rows in one batch; more requests wait."""
CACHE_SHARE = 0.5
"""Part of the memory that is free after loading which keys and values may take."""
_PICKLE_ERRORS = (UnpicklingError, EOFError)
"""What a damaged or hostile pickle ends in, beside the others."""
_LOAD_ERRORS = (
    OSError,
    ValueError,
    LookupError,
    RuntimeError,
    ImportError,
    SafetensorError,
    *_PICKLE_ERRORS,
)
_PLAIN_LAYERS = {"full_attention", "sliding_attention", "chunked_attention"}


class BaseError(Exception):
    """A base model that can't be loaded: the key of its sentence, and the parameters."""

    def __init__(self, key: str, **params: object) -> None:
        super().__init__(key, params)
        self.key = f"engine.errors.{key}"
        self.params = params


@dataclass(frozen=True)
class Base:
    """A loaded model and its limits.

    Attributes:
        bits: Of the linear layers' weights where they are quantised, as they were loaded.
        context: Most tokens of prompt and answer together, in one row.
        room: Most tokens of all rows together that keys and values have memory for.
        max_rows: Rows in one batch; 1 where the model's cache can't be cut and joined.
        chunk: Prompt tokens of all rows in one forward pass, so that a long prompt can be stopped
            and running rows go on in between.
        make_cache: An empty cache of the kind the model needs.
        blank: The model's modules without adapters, around the same weights.
    """

    path: Path
    model: nn.Module
    bits: int | None
    blank: nn.Module
    device: torch.device
    dtype: torch.dtype
    context: int
    room: int
    max_rows: int
    chunk: int
    make_cache: Callable[[], Cache]

    def tokenizer(self) -> Any:
        """A fresh tokenizer of this model, loaded as LLaMA-Factory loads it for training.

        Raises:
            BaseError: the folder has none that can be loaded.
        """
        try:
            return AutoTokenizer.from_pretrained(
                self.path, local_files_only=True, trust_remote_code=False, padding_side="right"
            )
        except _LOAD_ERRORS as error:
            raise _broken(self.path, error) from error


def load_base(path: Path, *, bits: int | None = None) -> Base:
    """Load the model in ``path``.

    bfloat16 and float16 weights run in float32 on a CPU, where half precision is slower and rounds
    differently for each batch size; elsewhere they run as they were saved.

    Args:
        bits: 4 or 8 to quantise the weights by bitsandbytes while they are read.

    Raises:
        BaseError: the folder holds no model that can be loaded, or it can't be quantised here.
    """
    if not (path / "config.json").is_file():
        raise BaseError("base_missing", folder=str(path))
    device = _device()
    model = _load_weights(path, device, _quantization(path, device, bits))
    config = model.config.get_text_config(decoder=True)
    plain = set(getattr(config, "layer_types", None) or ["full_attention"]) <= _PLAIN_LAYERS
    context = int(getattr(config, "max_position_embeddings", None) or 4096)
    room = _room(config, model.dtype, device)
    return Base(
        path=path,
        model=model,
        bits=_bits_of(model),
        blank=shared_copy(model),
        device=device,
        dtype=model.dtype,
        context=min(context, room),
        room=room,
        max_rows=MAX_ROWS if plain else 1,
        chunk=128 if device.type == "cpu" else 2048,
        make_cache=new_cache if plain else lambda: DynamicCache(config=config),
    )


def _quantization(path: Path, device: torch.device, bits: int | None) -> dict[str, Any]:
    """What ``from_pretrained`` needs to quantise: as LLaMA-Factory does by default (NF4 with
    quantised constants; its ``model_utils/quantization.py``), so that a QLoRA adapter meets the
    base that it was trained on."""
    if bits is None:
        return {}
    if device.type == "mps":
        raise BaseError("bits_device", model=path.name, bits=bits)
    if not is_bitsandbytes_available():
        raise BaseError("bits_missing", model=path.name, bits=bits)
    if bits == 8:
        config = BitsAndBytesConfig(load_in_8bit=True)
    else:
        config = BitsAndBytesConfig(
            load_in_4bit=True,
            bnb_4bit_quant_type="nf4",
            bnb_4bit_use_double_quant=True,
            bnb_4bit_compute_dtype=_saved_dtype(path) if device.type == "cuda" else torch.float32,
        )
    return {"quantization_config": config, "device_map": {"": device}}


def _bits_of(model: Any) -> int | None:
    """What the loaded model says of itself; a base may lie quantised on disk."""
    if getattr(model, "is_loaded_in_4bit", False):
        return 4
    if getattr(model, "is_loaded_in_8bit", False):
        return 8
    packed = getattr(model.config, "quantization_config", None)
    bits = packed.get("bits") if isinstance(packed, dict) else getattr(packed, "bits", None)
    return bits if isinstance(bits, int) else None


def _saved_dtype(path: Path) -> torch.dtype:
    """The numbers that the weights were saved in; float16 where none are named."""
    config = AutoConfig.from_pretrained(path, local_files_only=True, trust_remote_code=False)
    saved = getattr(config, "dtype", None)
    return saved if isinstance(saved, torch.dtype) else torch.float16


def _load_weights(path: Path, device: torch.device, quantization: dict[str, Any]) -> Any:
    dtype: Any = torch.float32 if device.type == "cpu" else "auto"
    try:
        model, report = AutoModelForCausalLM.from_pretrained(
            path,
            dtype=dtype,
            local_files_only=True,
            trust_remote_code=False,
            # Pickles only where there is nothing else: such a model is not offered before the
            # person has agreed to them, and transformers reads them without running their code.
            use_safetensors=True if weight_files(path) else None,
            output_loading_info=True,
            **quantization,
        )
        missing = sorted(report["missing_keys"])
        if missing:
            # transformers would go on with random numbers in their place.
            raise BaseError("base_incomplete", model=path.name, tensor=missing[0])
        # Quantised weights are where they belong, and refuse to be moved.
        model = (model if quantization else model.to(device)).eval().requires_grad_(False)
        pack(model)
        trim()
        return model
    except _LOAD_ERRORS as error:
        if "out of memory" in str(error).lower():
            raise BaseError("base_memory", model=path.name) from error
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> BaseError:
    reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
    return BaseError("base_broken", model=path.name, reason=reason.rstrip("."))


def _device() -> torch.device:
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def _room(config: Any, dtype: torch.dtype, device: torch.device) -> int:
    """Tokens whose keys and values fit into a share of the free memory; at least a small chat."""
    heads = config.num_attention_heads
    key_heads = getattr(config, "num_key_value_heads", None) or heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    token = 2 * config.num_hidden_layers * key_heads * size * dtype.itemsize
    free = psutil.virtual_memory().available
    if device.type == "cuda":
        free = torch.cuda.mem_get_info()[0]
    return max(int(free * CACHE_SHARE) // token, 512)


def trim() -> None:
    """Give the system back what was freed. The C library keeps it: 60 MB for three adapters."""
    if sys.platform == "linux":
        with suppress(AttributeError):  # musl gives back by itself and has no such function.
            ctypes.CDLL(None).malloc_trim(0)


def memory() -> dict[str, int]:
    """Bytes that this process holds: resident, and on the accelerator where there is one."""
    held = {"resident": psutil.Process(os.getpid()).memory_info().rss}
    if torch.cuda.is_available():
        held["device"] = torch.cuda.memory_reserved()
    elif torch.backends.mps.is_available():
        held["device"] = torch.mps.driver_allocated_memory()
    return held
