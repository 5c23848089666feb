"""Where a training could take place, and how much memory is free there now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.training.devices import Gpu, numbers


@dataclass(frozen=True)
class Room:
    """A device's memory.

    Attributes:
        gpu: Its number; None for the machine's own memory.
        name: Of the GPU; empty for the machine.
        free, total: Bytes; 0 where nobody says.
    """

    gpu: int | None
    name: str
    free: int
    total: int


def chosen(values: Mapping[str, Any], present: Sequence[Gpu]) -> list[Gpu]:
    """The GPUs among which a training would be placed; none where the CPU trains."""
    named = numbers(values.get("devices"))
    return [gpu for gpu in present if not named or gpu.index in named]


def processes(values: Mapping[str, Any], gpus: Sequence[Gpu]) -> int:
    """How many processes a training would have: one for each GPU that it gets."""
    if named := numbers(values.get("devices")):
        return max(1, len([gpu for gpu in gpus if gpu.index in named]))
    asked = int(values.get("processes") or 1)
    return min(asked, len(gpus)) if gpus else asked


def rooms(gpus: Sequence[Gpu]) -> tuple[Room, ...]:
    """The memory of these GPUs, or the machine's where there are none."""
    if gpus:
        return tuple(Room(gpu.index, gpu.name, gpu.free, gpu.total) for gpu in gpus)
    import psutil

    memory = psutil.virtual_memory()
    return (Room(None, "", memory.available, memory.total),)
