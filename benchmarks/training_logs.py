"""Logs of a training of any length, in LLaMA-Factory's and our formats, for what reads them.

Knows nothing about what is measured.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path

from backend.training.layout import METRICS, TRAINER_LOG

TOTAL = 10**6
"""Steps that each of these trainings goes up to."""


def start(folder: Path, steps: int) -> None:
    """Write the logs of a training that has done ``steps`` steps."""
    folder.mkdir(parents=True, exist_ok=True)
    begin = {"step": 0, "time": 0.0, "event": "begin", "total": TOTAL}
    (folder / METRICS).write_text(json.dumps(begin) + "\n", encoding="utf-8")
    (folder / TRAINER_LOG).touch()
    log(folder, range(1, steps + 1))


def log(folder: Path, steps: Iterable[int]) -> None:
    """Append what the trainer writes for some steps, ours first, as the trainer does."""
    steps = list(steps)
    append(folder / METRICS, "".join(json.dumps(noted(step)) + "\n" for step in steps))
    append(folder / TRAINER_LOG, "".join(json.dumps(entry(step)) + "\n" for step in steps))


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


def entry(step: int) -> dict[str, object]:
    """A line of ``trainer_log.jsonl``."""
    return {
        "current_steps": step,
        "total_steps": TOTAL,
        "loss": 0.5 + 2.0 / step + 0.1 * ((step * 7919) % 100) / 100,
        "lr": 1e-4 * (1 - step / TOTAL),
        "epoch": step / 5000,
        "percentage": round(100 * step / TOTAL, 2),
        "elapsed_time": str(timedelta(seconds=step)),
        "remaining_time": str(timedelta(seconds=TOTAL - step)),
        "throughput": 1234.5,
        "total_tokens": 512 * step,
    }


def noted(step: int) -> dict[str, object]:
    """A line of ``metrics.jsonl``."""
    return {"step": step, "time": float(step), "grad_norm": 1.0 + 1 / step, "memory": 2 * 10**9}
