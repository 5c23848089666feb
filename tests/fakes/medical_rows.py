"""A file of medical-o1's shape, as long as a first real one, made from the repository's samples."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

from tests.conftest import ROOT

Row = dict[str, str]

SAMPLES = ROOT / "assets" / "samples"
PAIRS = 35
"""Of each language, beside the 64 samples: 198 rows in all, as many as the real file has."""


def medical_rows() -> list[Row]:
    """The samples of both languages in turns, then neighbours of a language put together."""
    english, chinese = (
        list(json.loads((SAMPLES / f"medical_{language}.json").read_text(encoding="utf-8")))
        for language in ("en", "zh")
    )
    rows = [row for both in zip(english, chinese, strict=True) for row in both]
    joined = [*_joined(english, " "), *_joined(chinese, "")]
    return rows + joined


def write_medical_rows(file: Path) -> Path:
    file.write_text(json.dumps(medical_rows(), ensure_ascii=False, indent=2), encoding="utf-8")
    return file


def _joined(rows: list[Row], space: str) -> list[Row]:
    neighbours = list(pairwise(rows))[:PAIRS]
    return [{name: space.join([one[name], two[name]]) for name in one} for one, two in neighbours]
