"""Packages that a choice may need and that are not installed with MedTune.

They are looked for without being imported: all of them bring torch along. LLaMA-Factory itself
looks in the trainer, minutes later; for some it only warns there and goes on without.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

PIP_NAMES: Mapping[str, str] = {
    "bitsandbytes": "bitsandbytes",
    "hqq": "hqq",
    "eetq": "eetq",
    "flash_attn": "flash-attn",
    "liger_kernel": "liger-kernel",
    "unsloth": "unsloth",
    "deepspeed": "deepspeed",
}
"""Module → what pip calls it."""

PIP = "python -m pip install"
"""How a package gets into MedTune's environment, with that environment's Python."""


def is_installed(module: str) -> bool:
    """Whether a module can be found; looked up anew each time, since it may just have come."""
    return find_spec(module) is not None


def command(module: str) -> str:
    """What installs a module's package."""
    return f"{PIP} {PIP_NAMES[module]}"
