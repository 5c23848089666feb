"""Which devices a run gets, and which of the waiting runs can start now.

One run at a time uses a device; the CPU, where there is no GPU, is one device. Knows nothing about
files or processes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.training.devices import Gpu, numbers
from backend.training.schema import FieldError

CPU = "cpu"

Devices = frozenset[int | str]
_CPU: Devices = frozenset({CPU})


@dataclass(frozen=True)
class Turn:
    """A run that can start, and the GPUs that it gets; none on a CPU."""

    run_id: str
    gpus: tuple[int, ...]


def written(gpus: Sequence[int]) -> str:
    """An assignment as text: ``"0,1"``, or ``"cpu"``."""
    return ",".join(str(number) for number in gpus) or CPU


def read(devices: str) -> Devices:
    """The assignment in such a text."""
    return frozenset(numbers(devices)) or _CPU


def check_devices(values: Mapping[str, Any], present: Sequence[Gpu]) -> None:
    """Refuse devices that are not there.

    Raises:
        FieldError: a GPU that was named, or the number of them that was asked for, is not there; or
            what is to be spread over GPUs has none. accelerate would leave FSDP out without a word.
    """
    there = {gpu.index for gpu in present}
    if not there and values.get("fsdp", "none") != "none":
        raise FieldError("training.errors.fsdp_without_gpus", "fsdp")
    named = numbers(values.get("devices"))
    for number in named:
        if number not in there:
            raise FieldError(
                "training.errors.device_missing",
                "devices", device=number, present=", ".join(map(str, sorted(there))) or "–",
            )  # fmt: skip
    wanted = int(values.get("processes") or 1)
    if there and not named and wanted > len(there):
        raise FieldError(
            "training.errors.devices_few", "processes", value=wanted, present=len(there)
        )


def turns(
    waiting: Iterable[tuple[str, Mapping[str, Any]]], used: Devices, present: Sequence[Gpu]
) -> Iterator[Turn]:
    """The waiting runs that can start, in the queue's order.

    A run further back may start before one that waits for other devices, never on the devices that
    one waits for: large runs would wait for ever behind small ones.

    Args:
        waiting: Id and hyperparameters of each.
        used: What running trainings have.
    """
    taken = used
    for run_id, values in waiting:
        wanted = _wanted(values, taken, present)
        if wanted is None:
            return
        devices = frozenset(wanted) or _CPU
        if not taken & devices:
            yield Turn(run_id, wanted)
        taken |= devices


def _wanted(
    values: Mapping[str, Any], taken: Devices, present: Sequence[Gpu]
) -> tuple[int, ...] | None:
    """The GPUs for a run; None where it takes whichever become free and too few are."""
    if named := numbers(values.get("devices")):
        return named
    if not present:
        return ()
    free = [gpu for gpu in present if gpu.index not in taken]
    count = min(int(values.get("processes") or 1), len(present))
    if len(free) < count:
        return None
    # The one with most memory to spare; other programs may be at work on the others.
    roomy = sorted(free, key=lambda gpu: (-gpu.free, gpu.index))[:count]
    return tuple(sorted(gpu.index for gpu in roomy))
