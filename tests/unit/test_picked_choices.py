"""What Hyperparameters offers to choose from: what was prepared last comes first."""

from __future__ import annotations

import os

from backend.data.registry import REPORT_FILE
from backend.services import Services
from backend.workspace import Workspace
from tests.fakes.prepared_datasets import put_prepared
from ui.tabs.hyperparameters import picked_choices


def test_the_dataset_that_was_prepared_last_comes_first(workspace: Workspace) -> None:
    """Its report no longer says when it was made, and the list of datasets broke with an error."""
    for day, name in enumerate(("b", "c", "a")):
        made = put_prepared(workspace, name)
        os.utime(made.folder / REPORT_FILE, (day * 86_400, day * 86_400))
    assert picked_choices(Services.of(workspace))["dataset"] == ["a", "c", "b"]
    (workspace.prepared_datasets / "a" / REPORT_FILE).unlink()
    assert picked_choices(Services.of(workspace))["dataset"] == ["c", "b"]
