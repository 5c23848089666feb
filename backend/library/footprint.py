"""What the memory of a training is made of: activations, quantised weights, what CUDA takes.

Activations are measured, not derived: what one step of training allocates was counted tensor by
tensor (torch 2.13, transformers 5.6, peft 0.18) for the proportions of Qwen2.5 1.5B and 32B, Qwen3
0.6B and 4B, Llama 1 7B, Llama 3 8B and Phi-3, with two and four layers, and a line fitted for each
way of computing; it is within 8 % of each. For comparison, Korthikanti et al. (arXiv:2205.05198)
have 34 × hidden for a 16-bit layer with a plain MLP. Attention is computed by torch's fused kernel,
so nothing grows with the square of the length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from backend.library.shape import Shape

GPU_OVERHEAD = 1_000_000_000
"""CUDA's context, the workspaces of its libraries, and what the allocator can't reuse."""

_BLOCK = 64
"""Weights that share one constant, in bitsandbytes' four bits."""

Way = Literal["adapter", "mixed", "single", "pure"]
"""In what numbers a layer computes: in 16 bits on frozen 16-bit weights, in 16 bits on 32-bit
weights (autocast), all in 32 bits, all in 16 bits."""


@dataclass(frozen=True)
class Widths:
    """Bytes per token of one layer, as multiples of its widths.

    Attributes:
        repeated: Of the queries' width where several query heads share one of the keys: keys and
            values are repeated for each.
    """

    hidden: float
    repeated: float
    keys: float
    inner: float

    def of(self, shape: Shape) -> float:
        shared = shape.kv_width < shape.query_width
        return (
            self.hidden * shape.hidden
            + self.repeated * (shape.query_width if shared else 0)
            + self.keys * shape.kv_width
            + self.inner * shape.intermediate
        )


# At its peak while a layer is computed again and its gradients are; and what is kept of a layer
# until then where it is not computed again.
_PEAK: dict[Way, Widths] = {
    "adapter": Widths(10, 15, 28, 18),
    "mixed": Widths(14, 14, 27, 16),
    "single": Widths(0, 25, 47, 30.5),
    "pure": Widths(2.5, 14, 26, 16),
}
_KEPT: dict[Way, Widths] = {
    "adapter": Widths(4, 13, 23, 11),
    "mixed": Widths(12, 11, 21, 11),
    "single": Widths(0, 23, 40, 21),
    "pure": Widths(2, 11, 21, 11),
}
# What an adapter's dropout adds: the mask and what is left of the input of each linear layer.
_PEAK_DROPOUT = Widths(17, 2, 3, 8)
_KEPT_DROPOUT = Widths(21, 2, 3, 4)

_RESIDUAL: dict[Way, int] = {"adapter": 2, "mixed": 4, "single": 4, "pure": 2}
"""Bytes of a number in the residual stream, of which every layer's input is kept."""

_LOGIT = 3 * 4
"""Bytes per logit: three copies in float32 are alive at the peak, whatever the way: the log-softmax
kept for the backward pass, the gradient that reaches it, and the gradient of the logits. Counted
with torch's memory profiler (bfloat16 autocast, transformers 5.6): 12.0 with 40,000 and with 80,000
words."""


def quantised(bits: int, *, double: bool = True) -> float:
    """Bytes of a weight in so many bits, its share of the constants included.

    In four bits or fewer each block of 64 has a constant in float32: half a bit a weight, or 0.127
    where the constants are quantised themselves (QLoRA, arXiv:2305.14314, section 3, "Double
    Quantization"). In eight bits (LLM.int8(), arXiv:2208.07339) a whole row shares one.
    """
    if bits > 4:
        return bits / 8
    return (bits + (0.127 if double else 32 / _BLOCK)) / 8


@dataclass(frozen=True)
class Activations:
    """Bytes per token.

    Attributes:
        kept: Of all layers, until their gradients are computed.
        layer: Of one layer on top of that while they are.
        logits: Of the loss, on top of ``kept`` and never together with ``layer``.
    """

    kept: float
    layer: float
    logits: float

    @property
    def peak(self) -> float:
        return self.kept + max(self.layer, self.logits)


def activations(
    shape: Shape,
    way: Way,
    *,
    layers: int | None = None,
    checkpointing: bool = True,
    dropout: bool = False,
    fused_loss: bool = False,
) -> Activations:
    """What is alive of a batch at the peak of a training step.

    Args:
        layers: How many layers gradients flow through; all of them where None.
        checkpointing: Only each layer's input is kept and the layer is computed again, as
            LLaMA-Factory does by default.
        dropout: The adapter has some.
        fused_loss: Logits are made and used a part at a time, as Liger's kernel does.
    """
    count = shape.layers if layers is None else min(layers, shape.layers)
    peak = _PEAK[way].of(shape) + (_PEAK_DROPOUT.of(shape) if dropout else 0)
    logits = 0 if fused_loss else _LOGIT * shape.vocabulary
    if checkpointing:
        return Activations(count * _RESIDUAL[way] * shape.hidden, peak, logits)
    kept = _KEPT[way].of(shape) + (_KEPT_DROPOUT.of(shape) if dropout else 0)
    return Activations(count * kept, peak - kept, logits)
