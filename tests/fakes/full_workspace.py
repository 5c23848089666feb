"""A workspace as full as they come: 200 runs, one with a long name and 40 checkpoints.

Nothing in it was trained; the files are those of real runs.
"""

from __future__ import annotations

import json
import random
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from backend.files import write_json, write_text
from backend.processes import ProcessId
from backend.training import layout
from backend.training.config import to_yaml
from backend.workspace import Workspace
from tests.fakes.prepared_datasets import put_prepared
from tests.fakes.ready_workspace import DATASET, MODEL, VALUES, medical_rows
from tests.fakes.tiny_model import make_tiny_model

LONG = "huatuo-o1-7b_medical-o1-reasoning_lora-r64-alpha128_lr2e-4-cosine_第二次"
"""The newest run that has ended, with all the checkpoints."""

LIVING = "living"
"""The run of ``Living``."""

RUNS = 200
CHECKPOINTS = 40
EVERY = 10
"""Steps from one checkpoint to the next."""

_START = datetime(2026, 1, 1, tzinfo=UTC)
_ENDS = ("finished", "finished", "stopped", "failed")


def make_full(workspace: Workspace) -> Workspace:
    """Put a model, a dataset and the runs into ``workspace``."""
    rows = medical_rows(24)
    make_tiny_model(workspace.models / MODEL, [row["Response"] for row in rows])
    put_prepared(workspace, DATASET)
    for number in range(RUNS - 1):
        end = _ENDS[number % len(_ENDS)]
        _run(workspace, f"run-{number:03}", number, steps=20, total=40, end=end)
    total = CHECKPOINTS * EVERY
    folder = _run(workspace, LONG, RUNS, steps=total, total=total, end="finished")
    for step in range(EVERY, total + 1, EVERY):
        _checkpoint(folder / f"checkpoint-{step}", step)
    return workspace


class Living:
    """A run whose trainer is a process that sleeps; it logs when it is told to.

    Attributes:
        total: Steps in all.
    """

    total = 100

    def __init__(self, workspace: Workspace, *, trainer: int) -> None:
        self._folder = workspace.runs / LIVING
        self._folder.mkdir()
        created = (_START + timedelta(days=365)).isoformat()
        write_json(self._folder / layout.RUN, {"id": LIVING, "created": created, "values": VALUES})
        process = ProcessId.of(trainer)
        assert process is not None
        write_json(self._folder / layout.PROCESS, asdict(process))
        _lines(self._folder / layout.METRICS, _measured(self.total, range(0)))

    def reaches(self, step: int) -> None:
        """Log all steps up to this one."""
        _lines(self._folder / layout.TRAINER_LOG, _logged(0, self.total, range(1, step + 1)))

    def finishes(self) -> None:
        ended = {"code": 0, "reason": "finished", "error": "", "when": _START.isoformat()}
        write_json(self._folder / layout.EXIT, ended)


def _run(
    workspace: Workspace, run_id: str, number: int, *, steps: int, total: int, end: str
) -> Path:
    folder = workspace.runs / run_id
    folder.mkdir()
    values = {**VALUES, "run_name": run_id}
    created = (_START + timedelta(hours=number)).isoformat()
    write_json(folder / layout.RUN, {"id": run_id, "created": created, "values": values})
    config = {"model_name_or_path": str(workspace.models / MODEL), "finetuning_type": "lora"}
    write_text(folder / layout.CONFIG, to_yaml(config))
    taken = range(1, (total if end == "finished" else steps) + 1)
    _lines(folder / layout.TRAINER_LOG, _logged(number, total, taken))
    _lines(folder / layout.METRICS, _measured(total, taken))
    lines = [f"{{'loss': {loss:.4f}}}" for loss in (1.5, 1.2, 0.9)]
    if end == "failed":
        lines.append("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB")
    write_text(folder / layout.LOG, "\n".join(lines) + "\n")
    error = lines[-1] if end == "failed" else ""
    ended = {"code": int(end == "failed"), "reason": end, "error": error, "when": created}
    write_json(folder / layout.EXIT, ended)
    return folder


def _logged(number: int, total: int, steps: range) -> list[dict[str, Any]]:
    """What LLaMA-Factory logs: a loss that falls, and an evaluation now and then."""
    noise = random.Random(number)
    found: list[dict[str, Any]] = []
    for step in steps:
        line = {
            "current_steps": step,
            "total_steps": total,
            "epoch": round(3 * step / total, 2),
            "percentage": round(100 * step / total, 2),
            "elapsed_time": str(timedelta(seconds=2 * step)),
            "remaining_time": str(timedelta(seconds=2 * (total - step))),
        }
        loss = 0.6 + 1.4 * 0.985**step + noise.uniform(-0.03, 0.03)
        more = {"loss": loss, "lr": 2e-4 * (1 - step / total), "total_tokens": 512 * step}
        found.append({**line, **more, "throughput": 256.0})
        if step % (2 * EVERY) == 0:
            found.append({**line, "eval_loss": 0.7 + 1.3 * 0.985**step})
    return found


def _measured(total: int, steps: range) -> list[dict[str, Any]]:
    begin = {"step": 0, "time": 0.0, "event": "begin", "total": total}
    return [
        begin,
        *({"step": s, "time": 2.0 * s, "grad_norm": 1 + 1 / s, "memory": 2 * 10**9} for s in steps),
    ]


def _checkpoint(folder: Path, step: int) -> None:
    """An adapter that is whole by its header, of one small matrix, without what resuming needs."""
    folder.mkdir()
    header = json.dumps(
        {"lora.weight": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}
    ).encode()
    weights = len(header).to_bytes(8, "little") + header + bytes(16)
    (folder / "adapter_model.safetensors").write_bytes(weights)
    write_json(folder / "adapter_config.json", {"peft_type": "LORA", "r": 8})
    write_json(folder / "trainer_state.json", {"global_step": step})


def _lines(path: Path, entries: list[dict[str, Any]]) -> None:
    write_text(path, "".join(json.dumps(entry) + "\n" for entry in entries))
