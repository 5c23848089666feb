"""How long LLaMA-Factory is waited for when it loads a prepared dataset."""

from __future__ import annotations

from pathlib import Path

from backend.data.tokens import loading
from backend.data.tokens.loading import PATIENCE, patience_for


def test_a_large_dataset_is_waited_for_longer(tmp_path: Path) -> None:
    """A gigabyte was never loaded within the five minutes that every dataset had, so all that had
    been prepared of it was thrown away.
    """
    assert patience_for(tmp_path) == PATIENCE
    (tmp_path / "x").mkdir()
    with (tmp_path / "x" / "data.jsonl").open("wb") as file:
        file.truncate(1 << 30)  # of a file with a hole only the size is looked at
    assert patience_for(tmp_path) == PATIENCE + (1 << 30) / loading.PATIENT_BYTES
    assert patience_for(tmp_path) > 1200
