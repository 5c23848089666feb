"""The file with which the journey is walked where no real rows are at hand."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.fakes.medical_rows import write_medical_rows


def test_it_is_as_long_as_a_real_one_and_has_both_languages(tmp_path: Path) -> None:
    """The flagship test used to skip in every clone but one, where it mattered most."""
    rows = json.loads(write_medical_rows(tmp_path / "rows.json").read_text(encoding="utf-8"))
    assert len(rows) >= 190
    assert all(list(row) == ["Question", "Complex_CoT", "Response"] for row in rows)
    assert all(all(row.values()) for row in rows)
    assert len({row["Question"] for row in rows}) == len(rows)
    chinese = sum(re.search(r"[\u4e00-\u9fff]", row["Question"]) is not None for row in rows)
    assert chinese == len(rows) // 2
