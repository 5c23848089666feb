"""A workspace that somebody has worked in: models, datasets, a dozen runs, conversations.

Knows nothing about what is measured.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

from backend.files import write_json, write_text
from backend.training import layout
from backend.training.config import to_yaml
from backend.workspace import Workspace
from benchmarks.training_logs import start
from tests.fakes.prepared_datasets import put_prepared, record
from tests.fakes.ready_workspace import DATASET, VALUES, make_ready, medical_rows
from tests.fakes.tiny_adapter import make_adapter
from tests.fakes.tiny_model import make_tiny_model

RUNS, DATASETS, MODELS, CONVERSATIONS = 12, 6, 4, 8
STEPS = 600
"""Of each run, which saved three checkpoints on the way."""
BEGAN = datetime(2025, 11, 1, tzinfo=UTC)


def lived_in(root: Path) -> Workspace:
    """Make the workspace in ``root``: in seconds, without torch, and nothing in it is trained."""
    workspace = make_ready(Workspace.open(root))
    texts = [row["Response"] for row in medical_rows(24)]
    for number in range(MODELS):
        make_tiny_model(workspace.models / "lab" / f"medical-{number}", texts, seed=number)
    for number in range(DATASETS):
        rows = [record(one) for one in range(200)]
        put_prepared(workspace, f"notes-{number}", rows[20:], rows[:20])
        raw = workspace.raw_datasets / f"notes-{number}.json"
        raw.write_text(json.dumps(medical_rows(200 + number)), encoding="utf-8")
    for number in range(RUNS):
        _run(workspace, f"run-{number:02}", BEGAN + timedelta(hours=number))
    for number in range(CONVERSATIONS):
        kept = {"version": 2, "created": _at(number), "columns": []}
        write_json(workspace.chats / f"talk-{number}.json", kept)
    return workspace


def _run(workspace: Workspace, name: str, began: datetime) -> None:
    """A run that has finished, with its checkpoints."""
    folder, model = workspace.runs / name, workspace.models / "tiny"
    start(folder, STEPS)
    for step in range(STEPS // 3, STEPS + 1, STEPS // 3):
        checkpoint = make_adapter(folder / f"checkpoint-{step}", model, seed=step)
        write_json(checkpoint / "trainer_state.json", {"global_step": step})
    values = {**VALUES, "dataset": DATASET, "max_steps": STEPS, "save_steps": STEPS // 3}
    config = {"model_name_or_path": str(model), "finetuning_type": "lora", "template": "deepseekr1"}
    write_text(folder / layout.CONFIG, to_yaml(config))
    write_json(folder / layout.RUN, {"id": name, "created": began.isoformat(), "values": values})
    write_text(folder / layout.LOG, "".join(f"{{'loss': {step}}}\n" for step in range(STEPS)))
    ended = {"code": 0, "reason": "finished", "error": "", "when": began.isoformat()}
    write_json(folder / layout.EXIT, ended)


def _at(hours: int) -> str:
    return (BEGAN + timedelta(hours=hours)).isoformat()
