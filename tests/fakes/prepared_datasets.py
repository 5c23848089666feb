"""Prepared datasets as they lie in a workspace, made without studying a file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import orjson

from backend.data.meaning.mapping import ColumnMap, Role, Shape
from backend.data.meaning.records import Target
from backend.data.recipe import PrepareSettings, Recipe
from backend.data.registry import (
    REPORT_FILE,
    TRAIN_FILE,
    VALIDATION_FILE,
    PreparedDataset,
    find_prepared,
    register,
)
from backend.data.report import Report
from backend.files import write_json
from backend.workspace import Workspace

COLUMNS = ColumnMap(
    Shape.MEDICAL_O1,
    {
        Role.QUESTION: ("Question",),
        Role.REASONING: ("Complex_CoT",),
        Role.ANSWER: ("Response",),
    },
)

Record = Mapping[str, Any]


def record(number: int) -> Record:
    """A row in alpaca's form; each number gives another."""
    asked = {"instruction": f"question {number}", "input": ""}
    return {**asked, "output": f"answer {number}", "system": ""}


def report_of(name: str, *, train: int = 3, validation: int = 0, **more: Any) -> Report:
    """What a preparation of that name wrote down."""
    values: dict[str, Any] = {
        "source": "/data/rows.json",
        "source_sha256": "0" * 64,
        "source_rows": train + validation,
        "target": Target.ALPACA,
        "system": False,
        "mended": 0,
        "recipe": Recipe(COLUMNS),
        "settings": PrepareSettings(name, 0.25 if validation else 0.0),
    }
    counts = {"train_rows": train, "validation_rows": validation}
    return Report(name=name, **{**values, **counts, **more})


def put_prepared(
    workspace: Workspace,
    name: str,
    train: Sequence[Record] = (record(1), record(2), record(3)),
    validation: Sequence[Record] = (),
    **more: Any,
) -> PreparedDataset:
    """A prepared dataset with its entries; keywords go into its report."""
    report = report_of(name, train=len(train), validation=len(validation), **more)
    folder = workspace.prepared_datasets / name
    folder.mkdir()
    for file, rows in ((TRAIN_FILE, train), (VALIDATION_FILE, validation)):
        if rows or file == TRAIN_FILE:
            lines = (orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
            (folder / file).write_bytes(b"".join(lines))
    write_json(folder / REPORT_FILE, report.to_json())
    register(workspace, name, report)
    return find_prepared(workspace, name)
