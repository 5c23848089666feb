"""What a run is called when nobody has named it."""

from __future__ import annotations

import re
import shutil

from backend.training.naming import free_name
from backend.training.runs import list_runs
from backend.workspace import NAME_LIMIT, Workspace, check_name

LORA = {"finetuning_type": "lora"}


def test_a_name_says_model_method_and_time_and_is_free(workspace: Workspace) -> None:
    first = free_name(workspace, "medtune/demo", LORA)
    assert re.fullmatch(r"demo-lora-\d{4}-\d{4}", first)
    (workspace.runs / first).mkdir()
    second = free_name(workspace, "medtune/demo", LORA)
    assert second != first
    (workspace.runs / second).mkdir()
    assert free_name(workspace, "medtune/demo", LORA) not in (first, second)


def test_a_model_with_any_name_gives_a_name_that_is_allowed(workspace: Workspace) -> None:
    for model in ("org/" + "长" * 200, "a b/c d", "..", "org/-.-"):
        name = free_name(workspace, model, LORA)
        assert check_name(name) == name and len(name) < NAME_LIMIT


def test_a_folder_of_runs_deleted_under_a_running_page_takes_no_names(workspace: Workspace) -> None:
    """The preview of the file and the start ended in a traceback, until MedTune was restarted."""
    shutil.rmtree(workspace.runs)
    assert list_runs(workspace) == []
    assert free_name(workspace, "medtune/demo", LORA).startswith("demo-lora-")
