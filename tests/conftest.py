"""What all tests share: the repository's place, a workspace, and real rows where there are some;
and which of them run beside each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

from backend.workspace import Workspace

ROOT = Path(__file__).resolve().parent.parent
REAL_ROWS = ROOT.parent / "shared" / "data" / "medical_o1_demo.json"

BROWSER = "tests/browser/"
LONGEST = (BROWSER, "test_training_runs", "test_engine_faults", "test_training_resume")
"""What takes minutes; begun last, one of them would keep one worker busy alone."""


class BrowserInOneWorker(LoadFileScheduling):
    """Each file stays with one worker, and all browser tests do: two browsers and what they watch
    are too much for two cores."""

    def _split_scope(self, nodeid: str) -> str:
        file: str = super()._split_scope(nodeid)
        return BROWSER if file.startswith(BROWSER) else file


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    return BrowserInOneWorker(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """For several workers: the longest first, in this order."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _place(item.nodeid))


def _place(nodeid: str) -> int:
    return next((place for place, name in enumerate(LONGEST) if name in nodeid), len(LONGEST))


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
