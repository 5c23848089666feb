"""Settings under a name, and those of runs: saved, loaded, compared."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from backend.errors import RunError, WorkspaceError
from backend.files import close_to_writing
from backend.training import layout
from backend.training.saved import (
    Source,
    compare,
    delete,
    list_sources,
    load,
    save,
    source_of,
)
from backend.training.schema import FIELD, defaults
from backend.workspace import Workspace


def put_run(workspace: Workspace, name: str, **values: object) -> Path:
    folder = workspace.runs / name
    folder.mkdir()
    run = {"created": f"2026-11-2{len(name)}T00:00:00+00:00", "values": values}
    (folder / layout.RUN).write_text(json.dumps(run))
    return folder


def test_what_is_saved_is_loaded_and_can_be_deleted(workspace: Workspace) -> None:
    values = {**defaults(), "lora_rank": 64, "run_name": "mine", "model": None}
    saved = save(workspace, " 大模型 ", values)
    assert saved == Source("saved", "大模型") and list_sources(workspace) == [saved]
    assert load(workspace, saved) == {**values, "run_name": ""}
    with pytest.raises(RunError, match="already"):
        save(workspace, "大模型", values)
    delete(workspace, saved)
    assert list_sources(workspace) == []
    for act in (load, delete):
        with pytest.raises(RunError, match="any more"):
            act(workspace, saved)


def test_a_runs_settings_make_another_run(workspace: Workspace) -> None:
    put_run(workspace, "old", lora_rank=4, run_name="old", of_another_version=1)
    put_run(workspace, "newer", lora_rank=5)
    save(workspace, "b", {})
    assert [one.id for one in list_sources(workspace)] == ["saved:b", "run:newer", "run:old"]
    loaded = load(workspace, Source("run", "old"))
    assert loaded["lora_rank"] == 4 and loaded["run_name"] == ""
    assert loaded.keys() == FIELD.keys(), "what this version lacks is left out"
    with pytest.raises(RunError, match="deleted in Training"):
        delete(workspace, Source("run", "old"))
    with pytest.raises(RunError):
        load(workspace, Source("run", "../evil"))


@pytest.mark.parametrize("name", ["", " ", "../up", "a/b", "con", "x" * 81])
def test_a_name_that_can_not_name_a_file_is_refused(workspace: Workspace, name: str) -> None:
    with pytest.raises(WorkspaceError):
        save(workspace, name, {})
    assert not workspace.settings.exists() or not list(workspace.settings.iterdir())


def test_a_damaged_file_is_said_to_be_gone(workspace: Workspace) -> None:
    saved = save(workspace, "half", defaults())
    (workspace.settings / "half.json").write_text("{")
    with pytest.raises(RunError, match="half"):
        load(workspace, saved)


def test_a_second_dashboard_saves_nothing(workspace: Workspace) -> None:
    saved = save(workspace, "there", defaults())
    close_to_writing(workspace.root)
    try:
        for act in (lambda: save(workspace, "new", {}), lambda: delete(workspace, saved)):
            with pytest.raises(WorkspaceError):
                act()
    finally:
        close_to_writing(workspace.root, open_again=True)
    assert list_sources(workspace) == [saved]


def test_only_what_differs_is_compared_in_the_forms_order() -> None:
    one = {"seed": 1, "lora_rank": 8.0, "run_name": "a", "packing": True}
    other = {"seed": 2, "run_name": "b", "lora_rank": 8}
    assert compare(one, other) == [("seed", 1, 2), ("packing", True, False)]
    assert compare(defaults(), {}) == []


@pytest.mark.parametrize("written", [None, "", "saved:", "other:x", 5, "run"])
def test_what_no_source_is_is_none(written: object) -> None:
    assert source_of(written) is None


def test_a_source_is_written_and_read() -> None:
    for source in (Source("saved", "a:b"), Source("run", "r")):
        assert source_of(source.id) == source
