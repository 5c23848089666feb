"""What this machine can train with, found without torch: the trainer alone loads that."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

Precision = Literal["bf16", "fp16", "fp32"]

AMPERE = 8.0
"""Compute capability from which NVIDIA's GPUs have bfloat16 units."""

_MIB = 1024 * 1024
_QUERY = ("index", "uuid", "name", "memory.total", "memory.free", "compute_cap")
_FRESH_SECONDS = 2.0
"""For how long an answer of nvidia-smi counts: it takes some 50 ms, and several ask at once."""


@dataclass(frozen=True)
class Gpu:
    """A GPU as nvidia-smi lists it.

    Attributes:
        index: Its number, by place on the PCI bus; ``CUDA_VISIBLE_DEVICES`` gets it.
        total, free: Bytes of its memory; 0 where the driver does not say.
        capability: CUDA compute capability, e.g. 8.6; 0.0 where the driver does not say.
    """

    index: int
    uuid: str
    name: str
    total: int
    free: int
    capability: float


_OLD_SECONDS = 30.0

_answer: tuple[float, tuple[Gpu, ...]] | None = None
_asking = threading.Lock()


def gpus() -> tuple[Gpu, ...]:
    """The NVIDIA GPUs that the dashboard may use, by number; none where nvidia-smi lists none.

    ``CUDA_VISIBLE_DEVICES`` of the dashboard limits them, as it does any CUDA program. The answer
    may be two seconds old.
    """
    global _answer
    now = time.monotonic()
    if _answer is None or now - _answer[0] > _FRESH_SECONDS:
        _answer = (now, tuple(_asked()))
    return _allowed(_answer[1], os.environ.get("CUDA_VISIBLE_DEVICES"))


def gpus_lately() -> tuple[Gpu, ...]:
    """As ``gpus``, but at once: for what is asked at every key of a form.

    The answer may be ``_OLD_SECONDS`` old; a newer one is then asked for behind it.
    """
    known = _answer
    age = time.monotonic() - known[0] if known else _OLD_SECONDS
    if known is None or age >= _OLD_SECONDS:
        return gpus()
    if age > _FRESH_SECONDS and _asking.acquire(blocking=False):
        threading.Thread(target=_ask_behind, name="nvidia-smi", daemon=True).start()
    return _allowed(known[1], os.environ.get("CUDA_VISIBLE_DEVICES"))


def _ask_behind() -> None:
    try:
        gpus()
    finally:
        _asking.release()


def numbers(devices: object) -> tuple[int, ...]:
    """The GPU numbers in a value of the field ``devices``, such as ``"0,1"``; none if automatic."""
    parts = str(devices or "").split(",")
    return tuple(dict.fromkeys(int(part) for part in parts if part.strip().isdigit()))


def best_precision(devices: object = "") -> Precision:
    """What "auto" stands for: bf16 or fp16 on NVIDIA GPUs, by the oldest chosen; fp32 elsewhere.

    On a CPU half precision is slower than single and rounds more.

    Args:
        devices: Value of the field of that name; empty for any GPU.
    """
    chosen = numbers(devices)
    capabilities = [
        gpu.capability
        for gpu in gpus_lately()
        if gpu.capability and (not chosen or gpu.index in chosen)
    ]
    if not capabilities:
        return "fp32"
    return "bf16" if min(capabilities) >= AMPERE else "fp16"


def processes_of(values: Mapping[str, Any], assigned: Sequence[int]) -> int:
    """How many processes a training has: one for each GPU, or as many as asked for on a CPU."""
    return len(assigned) or max(1, int(values.get("processes") or 1))


def _asked() -> list[Gpu]:
    try:
        answer = subprocess.run(
            ["nvidia-smi", f"--query-gpu={','.join(_QUERY)}", "--format=csv,noheader,nounits"],
            capture_output=True, text=True, timeout=5, check=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return []
    return sorted(parse(answer.stdout), key=lambda gpu: gpu.index)


def parse(answer: str) -> list[Gpu]:
    """The GPUs in nvidia-smi's answer; a line that is none is left out."""
    found = []
    for line in answer.splitlines():
        parts = [part.strip() for part in line.split(",")]
        if len(parts) != len(_QUERY) or not parts[0].isdigit():
            continue
        index, uuid, name, total, free, capability = parts
        total_bytes, free_bytes = (int(_number(size) * _MIB) for size in (total, free))
        capable = _number(capability)
        found.append(Gpu(int(index), uuid, name, total_bytes, free_bytes, capable))
    return found


def _number(value: str) -> float:
    try:
        return max(0.0, float(value))
    except ValueError:  # "[N/A]" where GPU and CPU share their memory
        return 0.0


def _allowed(found: tuple[Gpu, ...], visible: str | None) -> tuple[Gpu, ...]:
    """Those that CUDA would show; like CUDA, nothing counts behind the first that is not there."""
    if visible is None:
        return found
    kept: list[Gpu] = []
    for name in (part.strip() for part in visible.split(",")):
        match = next((gpu for gpu in found if _is_named(gpu, name)), None)
        if match is None:
            break
        kept.append(match)
    return tuple(sorted(dict.fromkeys(kept), key=lambda gpu: gpu.index))


def _is_named(gpu: Gpu, name: str) -> bool:
    return name == str(gpu.index) or (name.startswith("GPU-") and gpu.uuid.startswith(name))
