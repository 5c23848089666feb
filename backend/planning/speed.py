"""How fast trainings like a planned one were on this machine, from their own logs and from probes.

One is like another where model, method, quantisation and devices are the same; of several the
nearest in batch and cutoff counts, then the newest. Looked at again only when its log has grown.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.files import read_json
from backend.planning.method import in_effect
from backend.training import layout
from backend.training.probing import kept_stamp, measured
from backend.training.progress import progress_of
from backend.training.schema import defaults
from backend.workspace import Workspace

LEAST_STEPS = 5
"""A run of fewer steps tells of its start more than of its speed."""

_DEFAULTS = defaults()
_SAME = ("model", "finetuning_type", "quantization_bit", "precision", "processes")
_NEAR = (
    "per_device_train_batch_size", "cutoff_len", "packing", "lora_rank",
    "disable_gradient_checkpointing", "gradient_accumulation_steps", "enable_liger_kernel",
    "use_unsloth", "flash_attn", "optim", "pure_bf16", "deepspeed", "fsdp", "neat_packing",
)  # fmt: skip


@dataclass(frozen=True)
class Speed:
    """Tokens a second, padding included, of all processes together, and where that is known from.

    Attributes:
        source: Id of a run, or empty for a probe.
        near: The same batch, cutoff and what else decides about speed.
        memory: The most bytes that a process of a probe held; 0 where that is not known.
    """

    tokens_per_second: float
    source: str
    near: bool
    memory: int = 0


@dataclass(frozen=True)
class _Past:
    """What a run's folder, or a probe, tells of its speed; ``run`` is empty for a probe."""

    run: str
    created: str
    devices: str
    values: Mapping[str, Any]
    tokens_per_second: float
    memory: int = 0


class Speeds:
    """The speeds of the runs and probes in a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._known: dict[str, tuple[object, _Past | None]] = {}
        self._probes: tuple[object, tuple[_Past, ...]] = (None, ())

    def of(self, values: Mapping[str, Any], *, on_gpu: bool) -> Speed | None:
        """How fast a training with these hyperparameters is; None where none was like it."""
        values = in_effect(values)
        alike = [
            past
            for past in (*self._past(), *self._probed())
            if (past.devices != "cpu") == on_gpu
            and all(_read(past.values, name) == _read(values, name) for name in _SAME)
        ]
        if not alike:
            return None
        best = max(alike, key=lambda past: (_nearness(past.values, values), past.created))
        near = _nearness(best.values, values) == len(_NEAR)
        return Speed(best.tokens_per_second, best.run, near, best.memory)

    def _probed(self) -> tuple[_Past, ...]:
        stamp = kept_stamp(self._workspace)
        if self._probes[0] != stamp:
            found = (
                _Past(
                    "",
                    one.when,
                    one.devices,
                    in_effect(one.values),
                    one.tokens_per_second,
                    one.memory,
                )
                for one in measured(self._workspace)
            )
            self._probes = (stamp, tuple(found))
        return self._probes[1]

    def _past(self) -> Iterator[_Past]:
        # glob, unlike iterdir, finds nothing where the folder was deleted under a running page.
        folders = {path.parent for path in self._workspace.runs.glob(f"[!.]*/{layout.RUN}")}
        for name in self._known.keys() - {folder.name for folder in folders}:
            del self._known[name]
        for folder in folders:
            stamp = _stamp(folder)
            known = self._known.get(folder.name)
            if known is None or known[0] != stamp:
                known = self._known[folder.name] = (stamp, _past_of(folder))
            if known[1] is not None:
                yield known[1]


def _past_of(folder: Path) -> _Past | None:
    progress = progress_of(folder, active=False)
    speed = progress.tokens_per_second if progress else None
    if progress is None or not speed or progress.step < LEAST_STEPS:
        return None
    launch = read_json(folder / layout.LAUNCH)
    devices = str(launch.get("devices") or "cpu") if isinstance(launch, dict) else "cpu"
    match read_json(folder / layout.RUN):
        case {"created": str(created), "values": dict(values)}:
            return _Past(folder.name, created, devices, in_effect(values), speed)
    return None


def _stamp(folder: Path) -> object:
    found = []
    for name in (layout.TRAINER_LOG, layout.RUN):
        try:
            status = (folder / name).stat()
        except OSError:
            continue
        found.append((status.st_mtime_ns, status.st_size))
    return found


def _nearness(past: Mapping[str, Any], values: Mapping[str, Any]) -> int:
    return sum(_read(past, name) == _read(values, name) for name in _NEAR)


def _read(values: Mapping[str, Any], name: str) -> Any:
    """A value; what is off, none or absent is the same, and a field that came with a later version
    had its default."""
    value = values.get(name, _DEFAULTS.get(name))
    return None if value in (None, False, "", 0, "0", "none") else value
