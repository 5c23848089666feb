"""What a run was made with, as a person reads it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from backend.files import write_json
from backend.training.layout import RECORD
from backend.training.runs import Run
from ui.components.run_record import record_view

HASH = "0123456789abcdef" * 4


def shown(folder: Path, record: Any) -> str:
    write_json(folder / RECORD, record)
    return str(record_view(cast(Run, SimpleNamespace(id="one", folder=folder)), "en"))


def test_files_are_told_by_name_size_and_hash(tmp_path: Path) -> None:
    page = shown(
        tmp_path,
        {
            "seed": 0,
            "data": {
                "name": "samples",
                "rows": {"train": 1200, "validation": 60},
                "files": [{"name": "data.jsonl", "size": 1500, "sha256": HASH}],
            },
            "versions": {"torch": "2.9.0", "peft": "0.18"},
            "devices": ["CPU (x86)"],
            "medtune": {"commit": None},
        },
    )
    assert "data.jsonl · 1.5 kB · " in page
    assert HASH[:12] in page
    assert "1,200 for training, 60 for validation" in page
    assert "torch 2.9.0, peft 0.18" in page
    assert "<td" in page
    assert ">0<" in page  # a seed of 0 is one
    assert "Commit" not in page  # nothing is said of what is not known
    assert "{" not in page


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"data": 3, "model": [], "versions": None},
        {"data": {"files": [1, {}, {"name": "<b>", "size": "x", "sha256": 4}], "rows": "two"}},
        {"model": {"files": "no", "source": {"hub": "<i>", "revision": 4}}},
    ],
)
def test_a_damaged_record_is_shown_as_far_as_it_goes(tmp_path: Path, record: Any) -> None:
    page = shown(tmp_path, record)
    assert "<b>" not in page
    assert "<i>" not in page


def test_an_old_run_has_none(tmp_path: Path) -> None:
    assert "Nothing was recorded" in shown(tmp_path, [])
