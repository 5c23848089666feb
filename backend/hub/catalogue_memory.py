"""What a model of the catalogue needs of a GPU, computed from its shape.

An estimate for one GPU with nothing else on it; what is there at the time is asked elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from backend.hub.catalogue_values import BF16, CatalogueModel
from backend.library.footprint import GPU_OVERHEAD, activations, quantised
from backend.library.shape import Shape

CHAT_TOKENS = 4096
"""Question, reasoning and answer of the conversation that ``chat`` has room for."""

TRAINED_TOKENS = 2048
"""Longest row that ``lora`` and ``qlora`` have room for, one at a time; the form's first cutoff."""

LORA_RANK = 16

_LORA_STATE = 4 + 4 + 4 + 4
"""Bytes per trained parameter: weight, gradient and Adam's two moments, all in float32, in which
LLaMA-Factory keeps trainable parameters unless ``pure_bf16`` is set."""


@dataclass(frozen=True)
class MemoryNeeds:
    """Bytes of GPU memory that a model needs, estimated by ``memory``."""

    chat: int
    lora: int
    qlora: int


def memory(entry: CatalogueModel) -> MemoryNeeds:
    """What a model needs for chatting and for training an adapter on one GPU.

    - Chat: weights in bfloat16, keys and values of ``CHAT_TOKENS`` tokens, overhead.
    - LoRA: weights in bfloat16, an adapter of ``LORA_RANK`` on all linear layers with its gradients
      and Adam's moments in float32, activations of one row of ``TRAINED_TOKENS``, overhead.
    - QLoRA: the same with the decoder's linear layers in four bits (NF4, double quantisation);
      embeddings, output layer and norms stay in bfloat16.

    Rows shorter than the cutoff need less, larger batches more. LLaMA-Factory's own table
    ("Hardware Requirement" in its README, "estimated") says 16, 32 and 64 GB for LoRA on 7B, 14B
    and 30B, and 6, 12 and 24 GB for QLoRA in four bits. That fits vocabularies of 32,000 words;
    Qwen's is nearly five times as large, and embeddings and logits with it.
    """
    training = _training(entry.shape, rank=LORA_RANK, tokens=TRAINED_TOKENS)
    weights = entry.parameters * BF16
    return MemoryNeeds(
        chat=weights + _kv_cache(entry.shape) + GPU_OVERHEAD,
        lora=weights + training,
        qlora=_quantised(entry) + training,
    )


def lora_memory(entry: CatalogueModel, *, rank: int, tokens: int) -> int:
    """Bytes for LoRA as in ``memory``, of another rank and on a batch of ``tokens``."""
    return entry.parameters * BF16 + _training(entry.shape, rank=rank, tokens=tokens)


def _training(shape: Shape, *, rank: int, tokens: int) -> int:
    """All but the base's weights."""
    batch = round(tokens * activations(shape, "adapter").peak)
    return shape.adapter(rank) * _LORA_STATE + batch + GPU_OVERHEAD


def _kv_cache(shape: Shape) -> int:
    return CHAT_TOKENS * shape.layers * 2 * shape.kv_width * BF16


def _quantised(entry: CatalogueModel) -> int:
    kept = entry.parameters - entry.shape.linear
    return round(entry.shape.linear * quantised(4)) + kept * BF16
