"""A workspace in which a training can start: a tiny model and two small prepared datasets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from backend.data.preparing import prepare_now
from backend.data.recipe import PrepareSettings
from backend.workspace import Workspace
from tests.fakes.tiny_model import make_tiny_model

MODEL = "tiny"
DATASET = "notes"
"""24 rows for training, none for validation."""
DATASET_WITH_VALIDATION = "notes-split"

VALUES: dict[str, Any] = {
    "model": MODEL,
    "dataset": DATASET,
    "template": "deepseekr1",
    "max_steps": 6,
    "per_device_train_batch_size": 2,
    "gradient_accumulation_steps": 1,
    "cutoff_len": 128,
    "save_steps": 3,
}
"""Hyperparameters of a training that takes a second besides its start."""


def make_ready(workspace: Workspace) -> Workspace:
    """Put the model and the datasets into ``workspace``."""
    rows = medical_rows(24)
    source = workspace.raw_datasets / "notes.json"
    source.write_text(json.dumps(rows), encoding="utf-8")
    make_tiny_model(workspace.models / MODEL, [row["Response"] for row in rows])
    prepare_now(workspace, source, PrepareSettings(name=DATASET, validation_share=0.0))
    with_validation = PrepareSettings(name=DATASET_WITH_VALIDATION, validation_share=0.25)
    prepare_now(workspace, source, with_validation)
    return workspace


def medical_rows(count: int) -> list[dict[str, str]]:
    """Rows in medical-o1's format, each different, about things that exist nowhere."""
    return [medical_row(number) for number in range(count)]


def medical_row(number: int) -> dict[str, str]:
    """One of them. Rows that differ in a number only would ask nearly the same."""
    name = name_of(number)
    return {
        "Question": f"What helps against {name} in an adult?",
        "Complex_CoT": f"Nobody has to fear {name}, it is mild. Remedy {number} fits it.",
        "Response": f"Remedy {number}, twice a day, helps against {name}.",
    }


def name_of(number: int) -> str:
    """The name of an ailment: another one for each number, of four letters and more."""
    syllables = [f"{one}{other}" for one in "bdfgklmnprstvz" for other in "aeiou"]
    number, last = divmod(number, len(syllables))
    first = syllables[number] if number < len(syllables) else name_of(number)
    return first + syllables[last]


FAKE_TRAINER = Path(__file__).with_name("fake_trainer.py")
