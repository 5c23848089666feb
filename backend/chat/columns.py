"""What a column is: a name, an adapter, a template, and the proof of its weights."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from backend.errors import EngineError

BASE = "base"
Bits = Literal[4, 8, None]
"""In how many bits a base is loaded: quantised by bitsandbytes, or None, as it is saved."""
_WEIGHTS = "adapter_model.safetensors"


@dataclass(frozen=True)
class Column:
    """One column: "base", or "<run id>/<checkpoint name>" with the folder of its adapter.

    Attributes:
        thinking: What it does as trained; False where the training had all reasoning taken out.
    """

    key: str
    adapter_path: Path | None
    template: str
    thinking: bool | None = None


@dataclass(frozen=True)
class Loading:
    """How far an engine is.

    Attributes:
        state: "starting", "loading_base", "loading_adapter", "ready", "failed" or "unloaded".
        column: Key of the column whose adapter is being loaded.
        seconds: Since the engine was started.
        error: Why it failed.
    """

    state: str
    seconds: float
    column: str | None = None
    error: EngineError | None = None

    @property
    def over(self) -> bool:
        """Whether waiting longer changes nothing."""
        return self.state in ("ready", "failed", "unloaded")


@dataclass(frozen=True)
class Loaded:
    """A column as the engine holds it.

    Attributes:
        fingerprint: Of the weights that were read.
        alone: What keeps it out of the batch that the others share, in PEFT's words, such as
            "use_dora"; empty where it mixes.
    """

    column: Column
    fingerprint: str
    alone: str = field(default="", compare=False)


def fingerprint(adapter: Path | None) -> str:
    """First 12 hex digits of the SHA-256 of an adapter's weights; "base" without one.

    Raises:
        EngineError: there are no weights in the folder.
    """
    if adapter is None:
        return BASE
    try:
        with (adapter / _WEIGHTS).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:12]
    except OSError as error:
        raise EngineError("engine.errors.adapter_missing", folder=str(adapter)) from error


def base_mark(model: Path) -> str:
    """Tells a folder of weights from another at the same place: names, sizes, times of change.

    Twelve hex digits. Cheap, where hashing a base would take minutes; a run that was deleted and
    trained anew under its name has another.
    """
    files = sorted(file for file in model.glob("*") if file.suffix in (".safetensors", ".json"))
    facts = [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files]
    return hashlib.sha256(repr(facts).encode()).hexdigest()[:12]
