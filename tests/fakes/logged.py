"""What a trainer wrote, entry for entry: the witness beside what the readers make of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backend.training.layout import TRAINER_LOG
from backend.training.metrics import entry_of


def logged(folder: Path) -> list[dict[str, Any]]:
    """The entries of ``trainer_log.jsonl`` that hold a loss, in their order."""
    log = folder / TRAINER_LOG
    lines = log.read_bytes().splitlines() if log.exists() else []
    entries = [entry for line in lines if (entry := entry_of(line))]
    return [entry for entry in entries if "loss" in entry or "eval_loss" in entry]
