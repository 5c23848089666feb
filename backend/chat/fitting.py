"""Whether a model fits into the memory that is free, before an engine is started for it.

Read from the headers of its weights; nothing is loaded.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.chat.columns import Bits
from backend.library.footprint import quantised
from backend.library.weights import Tensor, list_tensors, pickle_files
from backend.planning.memory import is_linear
from backend.planning.room import rooms
from backend.training.devices import gpus

PROCESS = 820_000_000
"""Resident bytes of an engine besides its weights: Python, torch, transformers, and the buffers of
a first answer. Measured with the demo model on Linux: 834 MB, of which 12.5 are weights."""

_CPU_WIDTH = 4
"""Bytes of a weight on a CPU, where the engine computes in float32."""


@dataclass(frozen=True)
class Fit:
    """Bytes that an engine needs, and those that are free on its device."""

    needed: int
    free: int

    @property
    def fits(self) -> bool:
        # 0 free is a driver that does not say.
        return not self.free or self.needed <= self.free


def fit(folder: Path, bits: Bits = None) -> Fit:
    """Whether an engine for the weights in a folder fits now, in so many bits."""
    return Fit(needed(folder, on_gpu=bool(gpus()), bits=bits), free())


def needed(folder: Path, *, on_gpu: bool, bits: Bits = None) -> int:
    """Bytes on the device where an engine computes: the weights, and on a CPU the process."""
    tensors = list_tensors(folder)
    if bits and tensors:
        return round(_quantised(tensors, bits, on_gpu=on_gpu)) + (0 if on_gpu else PROCESS)
    if not tensors:
        weights = sum(file.stat().st_size for file in pickle_files(folder))
        # Pickles are of 16 bits more often than not.
        return weights if on_gpu else 2 * weights + PROCESS
    if on_gpu:
        return sum(tensor.size for tensor in tensors)
    return sum(tensor.count for tensor in tensors) * _CPU_WIDTH + PROCESS


def _quantised(tensors: Sequence[Tensor], bits: int, *, on_gpu: bool) -> float:
    """Bytes of weights of which bitsandbytes packs the linear layers of the blocks."""
    packed = sum(one.count for one in tensors if is_linear(one))
    rest = [one for one in tensors if not is_linear(one)]
    plain = sum(one.size if on_gpu else one.count * _CPU_WIDTH for one in rest)
    return packed * quantised(bits) + plain


def free() -> int:
    """Bytes that are free where an engine would compute: on the first GPU, or in the machine."""
    return rooms(gpus())[0].free
