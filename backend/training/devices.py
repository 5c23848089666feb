"""What this machine can train with, found without torch: the trainer alone loads that."""

from __future__ import annotations

import subprocess
from functools import cache
from typing import Literal

Precision = Literal["bf16", "fp16", "fp32"]

_AMPERE = 8.0
"""Compute capability from which NVIDIA's GPUs have bfloat16 units."""


@cache
def best_precision() -> Precision:
    """What "auto" stands for: bf16 or fp16 on an NVIDIA GPU, by its age; fp32 elsewhere.

    On a CPU half precision is slower than single and rounds more.
    """
    capability = _compute_capability()
    if capability is None:
        return "fp32"
    return "bf16" if capability >= _AMPERE else "fp16"


def _compute_capability() -> float | None:
    """The least compute capability of the NVIDIA GPUs here, or None without any."""
    try:
        answer = subprocess.run(
            ["nvidia-smi", "--query-gpu=compute_cap", "--format=csv,noheader"],
            capture_output=True, text=True, timeout=5, check=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        return min(float(line) for line in answer.stdout.split())
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
