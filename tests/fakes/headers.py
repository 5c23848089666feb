"""Tensors as the headers of a model's weights list them, without the weights."""

from __future__ import annotations

import math
from typing import Any

from backend.library.shape import Shape
from backend.library.weights import Tensor
from backend.planning.memory import Stock, stock_of

LLAMA = {
    "7B": Shape(32, 4096, 11008, 32, 32, 128, 32000, tied=False),
    "14B": Shape(40, 5120, 13824, 40, 40, 128, 32000, tied=False),
    "30B": Shape(60, 6656, 17920, 52, 52, 128, 32000, tied=False),
}
"""``config.json`` of Llama-2-7b, Llama-2-13b and LLaMA-30b."""

QWEN_1_5B = Shape(28, 1536, 8960, 12, 2, 128, 151936, tied=False)
"""``config.json`` of DeepSeek-R1-Distill-Qwen-1.5B."""


def config_of(shape: Shape, **more: Any) -> dict[str, Any]:
    """What ``config.json`` says of a shape."""
    return {
        "num_hidden_layers": shape.layers,
        "hidden_size": shape.hidden,
        "intermediate_size": shape.intermediate,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.kv_heads,
        "head_dim": shape.head_dim,
        "vocab_size": shape.vocabulary,
        "tie_word_embeddings": shape.tied,
        **more,
    }


def tensors_of(shape: Shape, *, width: int = 2) -> tuple[Tensor, ...]:
    """The tensors of a Llama of that shape, ``width`` bytes a number."""
    query, key, inner = shape.query_width, shape.kv_width, shape.intermediate
    hidden, words = shape.hidden, shape.vocabulary
    shapes: dict[str, tuple[int, ...]] = {"model.embed_tokens.weight": (words, hidden)}
    for number in range(shape.layers):
        layer = f"model.layers.{number}"
        shapes |= {
            f"{layer}.self_attn.q_proj.weight": (query, hidden),
            f"{layer}.self_attn.k_proj.weight": (key, hidden),
            f"{layer}.self_attn.v_proj.weight": (key, hidden),
            f"{layer}.self_attn.o_proj.weight": (hidden, query),
            f"{layer}.mlp.gate_proj.weight": (inner, hidden),
            f"{layer}.mlp.up_proj.weight": (inner, hidden),
            f"{layer}.mlp.down_proj.weight": (hidden, inner),
            f"{layer}.input_layernorm.weight": (hidden,),
            f"{layer}.post_attention_layernorm.weight": (hidden,),
        }
    shapes["model.norm.weight"] = (hidden,)
    if not shape.tied:
        shapes["lm_head.weight"] = (words, hidden)
    return tuple(Tensor(name, one, math.prod(one) * width) for name, one in shapes.items())


def stock(shape: Shape) -> Stock:
    """What a model of that shape consists of."""
    found = stock_of(tensors_of(shape), config_of(shape))
    assert found is not None
    return found
