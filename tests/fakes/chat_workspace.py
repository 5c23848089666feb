"""A workspace in which checkpoints can be compared: a tiny base and a run whose adapters are made,
not trained. What they say means nothing, but each says something else."""

from __future__ import annotations

import json

from backend.data.registry import find_prepared
from backend.files import write_json, write_text
from backend.training import layout
from backend.training.config import to_yaml
from backend.workspace import Workspace
from tests.fakes.ready_workspace import DATASET_WITH_VALIDATION, MODEL, make_ready
from tests.fakes.tiny_adapter import make_adapter, make_talkative

RUN = "first"
STEPS = (10, 20)


def make_compared(workspace: Workspace) -> Workspace:
    """Put the model, two datasets and a finished run with two checkpoints into ``workspace``."""
    make_ready(workspace)
    model = make_talkative(workspace.models / MODEL)
    folder = workspace.runs / RUN
    folder.mkdir()
    config = {
        "model_name_or_path": str(model),
        "finetuning_type": "lora",
        "template": "deepseekr1",
    }
    write_text(folder / layout.CONFIG, to_yaml(config))
    values = {"model": MODEL, "dataset": DATASET_WITH_VALIDATION, "max_samples": 0}
    created = "2026-01-01T00:00:00+00:00"
    write_json(folder / layout.RUN, {"id": RUN, "created": created, "values": values})
    report = find_prepared(workspace, DATASET_WITH_VALIDATION).report.to_json()
    known = ("source_sha256", "recipe", "settings")
    write_json(folder / layout.RECORD, {"data": {name: report[name] for name in known}})
    for step in STEPS:
        checkpoint = make_adapter(folder / f"checkpoint-{step}", model, seed=step)
        state = json.dumps({"global_step": step})
        (checkpoint / "trainer_state.json").write_text(state, encoding="utf-8")
    return workspace
