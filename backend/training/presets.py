"""Sets of hyperparameters for a purpose, one YAML file each in ``assets/presets``.

A file has ``order`` (its place in the list) and ``values``; its words are in the locale files under
``presets.<file name>``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from backend.text import ASSETS
from backend.training.schema import defaults

KEPT = frozenset({"model", "dataset", "template", "run_name", "devices", "processes"})
"""What is trained, where and under which name: a person's own choice, unless a preset names it."""


@dataclass(frozen=True)
class Preset:
    """A named set of hyperparameters; fields that it leaves out stay as they are."""

    name: str
    order: int
    values: Mapping[str, Any]


@cache
def list_presets() -> tuple[Preset, ...]:
    """All presets in their order."""
    presets = []
    for path in (ASSETS / "presets").glob("*.yaml"):
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        presets.append(Preset(path.stem, int(content["order"]), dict(content["values"])))
    return tuple(sorted(presets, key=lambda preset: (preset.order, preset.name)))


def switched(preset: Preset) -> dict[str, Any]:
    """What the form takes when a preset is chosen: nothing of the one before stays behind."""
    fresh = {name: value for name, value in defaults().items() if name not in KEPT}
    return apply(preset, fresh)


def apply(preset: Preset, values: Mapping[str, Any]) -> dict[str, Any]:
    """``values`` with the preset's own in their place."""
    return {**values, **preset.values}
