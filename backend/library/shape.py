"""The shape of a decoder-only transformer, as its ``config.json`` says, and what follows from it.

Knows nothing about weights on disk or about training.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Shape:
    """A decoder-only transformer with grouped-query attention and a gated MLP, as its config says.

    Attributes:
        hidden: Width of the residual stream.
        intermediate: Width of the MLP.
        heads: Query heads; ``kv_heads`` of them are keys' and values'.
        vocabulary: Rows of the embedding, unused ones included.
        tied: The output layer is the embedding.
    """

    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    tied: bool

    @property
    def query_width(self) -> int:
        return self.heads * self.head_dim

    @property
    def kv_width(self) -> int:
        """Of the keys of a token in one layer; the values are as wide."""
        return self.kv_heads * self.head_dim

    @property
    def embeddings(self) -> int:
        """Parameters of the embedding and, where it is its own, of the output layer."""
        return self.vocabulary * self.hidden * (1 if self.tied else 2)

    @property
    def linear(self) -> int:
        """Parameters of the linear layers inside the decoder: all but embeddings, norms, biases."""
        return self.layers * sum(rows * columns for rows, columns in self._matrices)

    def adapter(self, rank: int) -> int:
        """Parameters of a LoRA adapter on all linear layers: rank × (inputs + outputs) of each."""
        return self.layers * rank * sum(rows + columns for rows, columns in self._matrices)

    @property
    def _matrices(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of one decoder layer's linear ones: q, k, v, o, gate, up, down."""
        query = (self.hidden, self.query_width)
        key = (self.hidden, self.kv_width)
        gate = (self.hidden, self.intermediate)
        return (query, key, key, query[::-1], gate, gate, gate[::-1])


# The names that configurations of different families have for the same; the first is the common
# one. ChatGLM: padded_vocab_size, ffn_hidden_size, multi_query_group_num. GPT-2: n_embd, n_head.
_NAMES: Mapping[str, tuple[str, ...]] = {
    "layers": ("num_hidden_layers", "num_layers", "n_layer"),
    "hidden": ("hidden_size", "n_embd", "d_model"),
    "intermediate": ("intermediate_size", "ffn_hidden_size", "n_inner"),
    "heads": ("num_attention_heads", "n_head"),
    "kv_heads": ("num_key_value_heads", "multi_query_group_num"),
    "head_dim": ("head_dim", "kv_channels"),
    "vocabulary": ("vocab_size", "padded_vocab_size"),
}
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts")


def shape_of(config: Mapping[str, Any]) -> Shape | None:
    """The shape that a ``config.json`` describes; of a model of several kinds its language part.

    None where it does not say enough, or where it is a mixture of experts: how many of them a
    batch uses, and so what it needs, depends on the batch.
    """
    inner = config.get("text_config")
    words = inner if isinstance(inner, Mapping) else config
    if any(isinstance(words.get(name), int) and words[name] > 1 for name in _EXPERTS):
        return None
    found = {name: _whole(words, names) for name, names in _NAMES.items()}
    layers, hidden, heads = found["layers"], found["hidden"], found["heads"]
    vocabulary = found["vocabulary"]
    if not (layers and hidden and heads and vocabulary):
        return None
    return Shape(
        layers=layers,
        hidden=hidden,
        intermediate=found["intermediate"] or 4 * hidden,
        heads=heads,
        kv_heads=found["kv_heads"] or heads,
        head_dim=found["head_dim"] or hidden // heads,
        vocabulary=vocabulary,
        tied=bool(words.get("tie_word_embeddings", config.get("tie_word_embeddings", False))),
    )


def _whole(config: Mapping[str, Any], names: tuple[str, ...]) -> int | None:
    """The first of some names under which there is a positive whole number."""
    for name in names:
        value = config.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and value > 0:
            return value
    return None
