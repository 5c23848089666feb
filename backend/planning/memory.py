"""How much memory a training would take, by part, from the model's own headers.

    weights      all that is not trained, in 16 bits (32 on a CPU, or quantised), and in float32 the
                 weights that are: LLaMA-Factory casts them up unless ``pure_bf16`` is set
                 (model/adapter.py, ``cast_trainable_params_to_fp32``)
    adapter      LoRA: rank × (inputs + outputs) of each linear layer, in float32
    gradients    one for each trained number, as wide; twice among several processes, whose buckets
                 are a copy (torch's DistributedDataParallel, ``gradient_as_bucket_view``)
    optimiser    AdamW: two moments for each trained number, in its own width
    activations  tokens of a batch × bytes (``library.footprint``), and while layers compute in 16
                 bits a copy of the trained weights in these
    overhead     CUDA; on a CPU Python with torch, and what the heap does not give back

Their sum is above the peak of a training rather than below it, since not all are at their largest
in one moment. For full fine-tuning in mixed precision it comes to 18 bytes a parameter, and in
bfloat16 alone to 8, as in LLaMA-Factory's own table (README, "Hardware Requirement").
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from backend.library.footprint import GPU_OVERHEAD, Activations, Way, activations, quantised
from backend.library.shape import Shape, shape_of
from backend.library.weights import Tensor
from backend.planning.method import ALL, Method
from backend.problems import Problem
from backend.units import count_short, size

PartName = Literal["weights", "adapter", "gradients", "optimiser", "activations", "overhead"]
PARTS: tuple[PartName, ...] = get_args(PartName)

CPU_OVERHEAD = 1_050_000_000
"""Python, torch, transformers and LLaMA-Factory: the peak of a trainer with the demo model and rows
of 16 tokens on Linux, where it was 1,055 MB."""

_HEAP_SMALL, _HEAP_SMALL_MOST, _HEAP = 2.0, 700_000_000, 1.25
"""What the C library's heap keeps of what layers gave back, as multiples of that: glibc returns at
once only blocks above 32 MiB, as logits are. The demo model with 1, 4, 8, 12, 16 and 24 rows
of 1,024 tokens held 77, 336, 661, 630, 781 and 1,197 MiB more than their tensors of 38, 153, 305,
458, 610 and 916; with 8 rows and glibc made to return all (MALLOC_MMAP_THRESHOLD_) 32 more."""

_EAGER_PEAK, _EAGER_KEPT = 12, 6
"""Bytes for each query head and pair of tokens where attention is computed as a matrix: at the peak
in one layer, and kept of each further one that is not computed again. Counted as the activations
were: 12.25 and 6 in bfloat16, 12.5 and 4 in float32."""

# Bytes of state for each trained number in float32; AdamW's two moments where a name is not here.
# 8-bit states: Dettmers et al., arXiv:2110.02861. Adafactor keeps a row and a column of a matrix.
_STATES: Mapping[str, int] = {
    "adafactor": 0, "sgd": 0, "adagrad": 4, "rmsprop": 4, "lion_32bit": 4, "paged_lion_32bit": 4,
    "lion_8bit": 1, "paged_lion_8bit": 1, "adamw_8bit": 2, "adamw_bnb_8bit": 2,
    "paged_adamw_8bit": 2, "ademamix": 12, "ademamix_8bit": 3,
}  # fmt: skip

Params = dict[str, str | int]

_LINEAR = re.compile(r"\.\d+\..*\.weight$")
_TOWER = re.compile(r"(?:^|\.)(?:visual|vision|audio)")
"""What sees or hears in a model of several kinds: LLaMA-Factory trains no adapter there."""


@dataclass(frozen=True)
class Linear:
    """A linear layer inside a numbered block."""

    name: str
    inputs: int
    outputs: int

    @property
    def count(self) -> int:
        return self.inputs * self.outputs


@dataclass(frozen=True)
class Stock:
    """What a model consists of.

    Attributes:
        tensors: Of the part that knows language.
        parameters: All of them.
        stored: Bytes of all weights as they lie on disk.
        packed: The weights are quantised on disk already.
    """

    shape: Shape
    parameters: int
    linear: tuple[Linear, ...]
    tensors: tuple[Tensor, ...]
    stored: int
    packed: bool

    def unfrozen(self, method: Method) -> int:
        """Parameters that ``freeze`` trains, by their names as LLaMA-Factory compares them."""
        every, count = self.shape.layers, method.trained_layers
        numbers = range(max(every - count, 0), every) if count > 0 else range(-count)
        modules = ("",) if method.trained_modules == ALL else method.trained_modules
        wanted = [f".{number}.{module}" for number in numbers for module in modules]
        wanted += method.extra_modules
        return sum(one.count for one in self.tensors if any(name in one.name for name in wanted))

    def adapter(self, method: Method) -> int:
        """Parameters of a LoRA adapter: rank × (inputs + outputs) of each layer that gets one."""
        if self.packed:  # shapes on disk are those of packed numbers
            return self.shape.adapter(method.rank)
        chosen = [one for one in self.linear if _is_target(one.name, method.targets)]
        found = sum(method.rank * (one.inputs + one.outputs) for one in chosen)
        return found + (sum(one.outputs for one in chosen) if method.dora else 0)


@dataclass(frozen=True)
class Part:
    """A part of what is needed: its bytes, and how they are computed, in words."""

    name: PartName
    size: int
    formula: Problem


@dataclass(frozen=True)
class Needs:
    """What one process needs of the memory of its device.

    Attributes:
        trained: How many numbers are trained.
        tokens: Of one batch, for which the activations are computed.
    """

    parts: tuple[Part, ...]
    trained: int
    tokens: int

    @property
    def total(self) -> int:
        return sum(part.size for part in self.parts)

    def part(self, name: PartName) -> int:
        """Bytes of a part; 0 where the method has none."""
        return sum(part.size for part in self.parts if part.name == name)


def stock_of(tensors: Sequence[Tensor], config: Mapping[str, Any]) -> Stock | None:
    """What a model consists of, or None where its files do not say: pickles, mixtures of experts,
    configurations of a family of their own.

    Args:
        tensors: As ``weights.list_tensors`` gives them.
        config: Of ``config.json``.
    """
    shape = shape_of(config)
    if not tensors or shape is None:
        return None
    language = tuple(one for one in tensors if not _TOWER.search(one.name))
    linear = []
    for tensor in language:
        if is_linear(tensor):
            outputs, inputs = tensor.shape
            linear.append(Linear(tensor.name.removesuffix(".weight"), inputs, outputs))
    packed = isinstance(config.get("quantization_config"), Mapping)
    return Stock(
        shape=shape,
        parameters=sum(tensor.count for tensor in tensors),
        linear=tuple(linear),
        tensors=language,
        stored=sum(tensor.size for tensor in tensors),
        packed=packed,
    )


def is_linear(tensor: Tensor) -> bool:
    """Whether it is the weight of a linear layer inside a numbered block: what is quantised."""
    return len(tensor.shape) == 2 and bool(_LINEAR.search(tensor.name))


def needs_of(stock: Stock, method: Method, *, length: int) -> Needs:
    """What a training needs of one device's memory.

    Args:
        length: Tokens of the longest row that a batch will have.
    """
    trained = trained_of(stock, method)
    tokens = method.batch * length
    per_token = _per_token(stock, method)
    parts = [
        _weights(stock, method, trained),
        *([_adapter(trained, method)] if method.kind == "lora" else []),
        _gradients(trained, method),
        _optimiser(trained, method),
        _activations(stock, method, trained, length, per_token),
        _overhead(method, tokens * (per_token.kept + per_token.layer)),
    ]
    return Needs(tuple(parts), trained, tokens)


def trained_of(stock: Stock, method: Method) -> int:
    """How many numbers a method trains."""
    match method.kind:
        case "lora":
            return stock.adapter(method)
        case "freeze":
            return stock.unfrozen(method)
        case _:
            return stock.parameters


def _is_target(name: str, targets: Sequence[str]) -> bool:
    """Whether a layer gets an adapter, by the end of its name as PEFT compares it."""
    return tuple(targets) == ALL or any(
        name == target or name.endswith(f".{target}") for target in targets
    )


def _width(method: Method) -> int:
    """Bytes of a trained number. With ZeRO the wide copy is the optimiser's."""
    return 2 if method.pure or (method.stage and method.half) else 4


def _shared(bytes_: float, method: Method, stage: int) -> int:
    """What one process holds of something that ZeRO shares out from that stage on."""
    return round(bytes_ / method.processes if method.stage >= stage else bytes_)


def _weights(stock: Stock, method: Method, trained: int) -> Part:
    frozen = stock.parameters - (trained if method.kind != "lora" else 0)
    narrow = 2 if method.half else 4
    if stock.packed:
        formula = Problem("planning.memory.weights_packed", {"size": size(stock.stored)})
        return Part("weights", _shared(stock.stored, method, 3), formula)
    if method.bits and method.kind == "lora":
        linear = sum(one.count for one in stock.linear)
        width = quantised(method.bits, double=method.double_quantised)
        params: Params = {
            "linear": count_short(linear), "bits": method.bits,
            "width": f"{width:.3g}", "rest": count_short(frozen - linear),
        }  # fmt: skip
        bytes_ = linear * width + (frozen - linear) * 2
        formula = Problem("planning.memory.weights_quantised", params)
        return Part("weights", _shared(bytes_, method, 3), formula)
    if method.kind == "lora":
        params = {"count": count_short(frozen), "width": narrow}
        bytes_, key = frozen * narrow, "planning.memory.weights_frozen"
    else:
        params = {
            "trained": count_short(trained), "wide": _width(method),
            "count": count_short(frozen), "width": narrow,
        }  # fmt: skip
        bytes_ = trained * _width(method) + frozen * narrow
        key = "planning.memory.weights_trained"
        if not frozen:
            key = "planning.memory.weights_full"
    return Part("weights", _shared(bytes_, method, 3), Problem(key, params))


def _adapter(trained: int, method: Method) -> Part:
    width = _width(method)
    params: Params = {"count": count_short(trained), "rank": method.rank, "width": width}
    formula = Problem("planning.memory.adapter", params)
    return Part("adapter", _shared(trained * width, method, 3), formula)


def _gradients(trained: int, method: Method) -> Part:
    width = _width(method)
    copies = 2 if method.processes > 1 and not method.stage else 1
    params: Params = {"count": count_short(trained), "width": width * copies}
    formula = Problem("planning.memory.gradients", params)
    return Part("gradients", _shared(trained * width * copies, method, 2), formula)


def _optimiser(trained: int, method: Method) -> Part:
    width = _STATES.get(method.optimiser, 2 * (2 if method.pure else 4))
    if method.stage and method.half and not method.pure:
        width += 4  # the weights in float32 (ZeRO, arXiv:1910.02054, section 3.1)
    params: Params = {
        "count": count_short(trained), "width": width,
        "name": method.optimiser, "processes": method.processes,
    }  # fmt: skip
    key = "planning.memory.optimiser_shared" if method.stage else "planning.memory.optimiser"
    if method.offload:
        return Part("optimiser", 0, Problem("planning.memory.optimiser_offloaded"))
    return Part("optimiser", _shared(trained * width, method, 1), Problem(key, params))


def way_of(method: Method) -> Way:
    """In what numbers the layers compute."""
    if not method.half:
        return "single"
    if method.kind == "full" and not method.stage:
        return "pure" if method.pure else "mixed" if method.mixed else "single"
    return "adapter" if method.kind == "lora" else "pure"


def _per_token(stock: Stock, method: Method) -> Activations:
    return activations(
        stock.shape,
        way_of(method),
        layers=_layers(stock, method),
        checkpointing=method.checkpointing,
        dropout=method.dropout and method.kind == "lora",
        fused_loss=method.fused_loss,
    )


def _layers(stock: Stock, method: Method) -> int:
    """Layers that gradients flow through: below the first trained one nothing is kept."""
    every = stock.shape.layers
    last = method.trained_layers if method.kind == "freeze" else 0
    return min(last, every) if last > 0 else every


def _activations(
    stock: Stock, method: Method, trained: int, length: int, per_token: Activations
) -> Part:
    shape = stock.shape
    tokens = method.batch * length
    bytes_ = tokens * per_token.peak + _copies(stock, method, trained)
    if method.eager:
        further = 0 if method.checkpointing else _layers(stock, method) - 1
        each = _EAGER_PEAK + _EAGER_KEPT * further
        bytes_ += tokens * length * shape.heads * each
    logits = per_token.logits > per_token.layer
    params: Params = {
        "tokens": f"{tokens:,}",
        "kept": size(per_token.kept),
        "peak": size(max(per_token.logits, per_token.layer)),
        "vocabulary": f"{shape.vocabulary:,}",
    }
    key = "planning.memory.activations_logits" if logits else "planning.memory.activations_layer"
    return Part("activations", round(bytes_), Problem(key, params))


def _copies(stock: Stock, method: Method, trained: int) -> int:
    """Weights as they are computed with, where they are held in another form."""
    largest = max((one.count for one in stock.linear), default=0)
    unpacked = 2 * largest if method.bits or stock.packed else 0
    # Autocast casts each trained weight once in a forward pass and keeps the result until its end.
    narrow = 2 * trained if method.mixed and not method.stage else 0
    return unpacked + narrow


def _overhead(method: Method, layers: float) -> Part:
    """What is taken besides tensors.

    Args:
        layers: Bytes of activations without the logits.
    """
    if method.on_gpu:
        return Part("overhead", GPU_OVERHEAD, Problem("planning.memory.overhead_gpu"))
    heap = round(max(min(_HEAP_SMALL * layers, _HEAP_SMALL_MOST), _HEAP * layers))
    params: Params = {"base": size(CPU_OVERHEAD), "heap": size(heap)}
    return Part("overhead", CPU_OVERHEAD + heap, Problem("planning.memory.overhead_cpu", params))
