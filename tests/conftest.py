"""What all tests share: the repository's place, a workspace, and real rows where there are some."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
REAL_ROWS = ROOT.parent / "shared" / "data" / "medical_o1_demo.json"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """An empty workspace."""
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def real_rows() -> Path:
    """198 real rows of the medical-o1 family; they are not part of the repository."""
    if not REAL_ROWS.is_file():
        pytest.skip("the real rows (medical_o1_demo.json) are not beside this checkout")
    return REAL_ROWS
