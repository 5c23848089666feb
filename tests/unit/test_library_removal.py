"""Deleting: what uses it is said before, others see it gone at once, and nothing else goes."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from backend.data.preparing import prepare_now
from backend.data.recipe import PrepareSettings
from backend.errors import LibraryError, WorkspaceError
from backend.files import write_json
from backend.library import links, removal
from backend.library.datasets import list_raw_datasets
from backend.library.importer import Importer, ImportJob
from backend.library.manifest import (
    MANIFEST,
    ManifestFile,
    local_manifest,
    read_manifest,
    write_manifest,
)
from backend.library.models import list_models
from backend.library.records import note_file, record_of
from backend.library.removal import freed, obstacles, remove, users_of
from backend.problems import Problem
from backend.training import layout
from backend.workspace import Workspace
from tests.conftest import ROOT
from tests.fakes.ready_workspace import medical_rows
from tests.fakes.tiny_model import make_tiny_model


@pytest.fixture
def model(workspace: Workspace) -> Path:
    return make_tiny_model(workspace.models / "Org" / "tiny", ["x"])


def put(workspace: Workspace, *places: str, content: str = "[1]") -> None:
    for place in places:
        path = workspace.raw_datasets / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


def fetched(workspace: Workspace, *places: str) -> Path:
    """Files under raw/org/data as a download leaves them, with a manifest."""
    put(workspace, *(f"org/data/{place}" for place in places))
    folder = workspace.raw_datasets / "org" / "data"
    files = [ManifestFile(place, 3, "0" * 64, "none", 1) for place in places]
    write_manifest(folder, local_manifest(folder, "copy", files=files))
    return folder


def make_run(workspace: Workspace, name: str, model_id: str, *, active: bool = False) -> None:
    (workspace.runs / name).mkdir()
    created = datetime.now(UTC).isoformat() if active else "2026-01-01T00:00:00+00:00"
    values = {"model": model_id, "dataset": "d"}
    write_json(workspace.runs / name / layout.RUN, {"created": created, "values": values})


def done(job: ImportJob) -> Path:
    assert job.wait(30) and job.state == "done", job.error
    return job.target


def models(workspace: Workspace) -> list[str]:
    return [one.id for one in list_models(workspace) if not one.bundled]


def datasets(workspace: Workspace) -> list[str]:
    return [one.id for one in list_raw_datasets(workspace) if not one.bundled]


def left(folder: Path) -> set[str]:
    """All that is in a folder but locks."""
    paths = (path for path in folder.rglob("*") if path.suffix != ".lock")
    return {path.relative_to(folder).as_posix() for path in paths}


def said(problems: tuple[Problem, ...]) -> list[str]:
    assert all(problem.sentence("zh") for problem in problems)
    return [problem.sentence("en") for problem in problems]


# --- What uses it ---------------------------------------------------------------------------------


def test_runs_that_were_trained_on_a_model(workspace: Workspace, model: Path) -> None:
    assert users_of(workspace, "model", "Org/tiny") == ()
    for number in range(5):
        make_run(workspace, f"run-{number}", "Org/tiny")
    make_run(workspace, "other", "Org/other")
    (sentence,) = said(users_of(workspace, "model", "Org/tiny"))
    assert sentence.startswith("Runs trained on it: 5 (run-4, run-3, run-2 …).")
    assert obstacles(workspace, "model", "Org/tiny") == ()
    remove(workspace, "model", "Org/tiny")
    assert models(workspace) == []


def test_run_that_is_going_on(workspace: Workspace, model: Path) -> None:
    make_run(workspace, "now", "Org/tiny", active=True)
    assert said(users_of(workspace, "model", "Org/tiny")) == [
        "The run “now” trains on it now. Stop the run or wait for its end."
    ]
    with pytest.raises(LibraryError, match="“now” trains on it now"):
        remove(workspace, "model", "Org/tiny")
    assert models(workspace) == ["Org/tiny"]


def test_model_in_chat(workspace: Workspace, model: Path) -> None:
    loaded = ["medtune/demo", "Org/tiny"]
    assert "loaded in Chat" in said(users_of(workspace, "model", "Org/tiny", loaded=loaded))[0]
    with pytest.raises(LibraryError, match="Unload it there first"):
        remove(workspace, "model", "Org/tiny", loaded=loaded)
    remove(workspace, "model", "Org/tiny", loaded=["medtune/demo"])


@pytest.mark.parametrize("place", ["org/data", "org/data/a.json"])
def test_download_that_writes_into_it(workspace: Workspace, place: str) -> None:
    put(workspace, "org/data/a.json", "org/data2.json")
    with pytest.raises(LibraryError, match="download is writing into it"):
        remove(workspace, "dataset", "org/data/a.json", downloading=[place])
    remove(workspace, "dataset", "org/data2.json", downloading=[place])


def test_datasets_prepared_from_a_file(workspace: Workspace, tmp_path: Path) -> None:
    write_json(workspace.raw_datasets / "rows.json", medical_rows(4))
    write_json(workspace.raw_datasets / "more" / "rows.json", medical_rows(4))
    for name in ("one", "two"):
        prepare_now(workspace, workspace.raw_datasets / "rows.json", PrepareSettings(name))
    expected = ["Datasets prepared from it: 2 (one, two). They stay and can be trained on."]
    assert said(users_of(workspace, "dataset", "rows.json")) == expected
    assert users_of(workspace, "dataset", "more/rows.json") == ()
    moved = Workspace.open(workspace.root.rename(tmp_path / "moved"))
    assert said(users_of(moved, "dataset", "rows.json")) == expected
    assert users_of(moved, "dataset", "sample/medical_en") == ()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"source": 1}'])
def test_damaged_report_of_a_preparation(workspace: Workspace, content: str) -> None:
    put(workspace, "rows.json")
    (workspace.prepared_datasets / "x").mkdir()
    (workspace.prepared_datasets / "x" / "report.json").write_text(content)
    assert users_of(workspace, "dataset", "rows.json") == ()


@pytest.mark.parametrize(("kind", "words"), [("model", "no model"), ("dataset", "no data file")])
def test_what_is_not_there(workspace: Workspace, kind: Any, words: str) -> None:
    for ask in (users_of, freed, remove):
        for item_id in ("none", "", "../x", ".staging.lock"):
            with pytest.raises(LibraryError, match=words):
                ask(workspace, kind, item_id)


# --- Models ---------------------------------------------------------------------------------------


def test_model(workspace: Workspace, model: Path) -> None:
    size = sum(path.stat().st_size for path in model.iterdir())
    write_manifest(model, local_manifest(model, "copy"))
    make_tiny_model(workspace.models / "other", ["x"])
    assert freed(workspace, "model", "Org/tiny") == size
    assert remove(workspace, "model", "Org/tiny") == size
    assert models(workspace) == ["other"], "an organisation without models is gone, too"
    assert not (workspace.models / "Org").exists()


def test_organisation_stays_for_the_others(workspace: Workspace, model: Path) -> None:
    make_tiny_model(workspace.models / "Org" / "second", ["x"])
    remove(workspace, "model", "Org/tiny")
    assert models(workspace) == ["Org/second"]


@pytest.mark.parametrize(
    ("kind", "item_id"), [("model", "medtune/demo"), ("dataset", "sample/medical_en")]
)
def test_bundled_ones_stay(workspace: Workspace, kind: Any, item_id: str) -> None:
    with pytest.raises(LibraryError, match="comes with MedTune"):
        remove(workspace, kind, item_id)


def test_link_in_a_model_is_not_followed(workspace: Workspace, model: Path, tmp_path: Path) -> None:
    """Deleting a folder tree must not reach what its links lead to."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "letters.txt").write_text("dear")
    (model / "folder").symlink_to(outside)
    (model / "file.txt").symlink_to(outside / "letters.txt")
    before = freed(workspace, "model", "Org/tiny")
    (model / "folder").unlink()
    (model / "file.txt").unlink()
    assert freed(workspace, "model", "Org/tiny") == before
    (model / "folder").symlink_to(outside)
    remove(workspace, "model", "Org/tiny")
    assert left(workspace.models) == set()
    assert (outside / "letters.txt").read_text() == "dear"


def test_link_that_was_imported(workspace: Workspace, tmp_path: Path) -> None:
    source = make_tiny_model(tmp_path / "elsewhere", ["x"])
    before = sorted(source.iterdir())
    target = done(Importer(workspace).import_model(source, "Org/mine", link=True))
    assert freed(workspace, "model", "Org/mine") == 0
    assert remove(workspace, "model", "Org/mine") == 0
    assert left(workspace.models) == set()
    assert sorted(source.iterdir()) == before
    target.parent.mkdir()
    target.symlink_to(source)  # the same link once more, by another hand
    assert links.linked(workspace, target) is None


def test_links_that_nobody_made_here_can_go(workspace: Workspace, tmp_path: Path) -> None:
    source = make_tiny_model(tmp_path / "elsewhere", ["x"])
    (workspace.models / "sneaked").symlink_to(source)
    assert remove(workspace, "model", "sneaked") == 0
    assert (source / "config.json").is_file() and models(workspace) == []


def test_organisation_that_is_a_link_out(workspace: Workspace, tmp_path: Path) -> None:
    """Its models are not listed; were one named, nothing outside would be renamed or deleted."""
    source = make_tiny_model(tmp_path / "elsewhere" / "tiny", ["x"])
    (workspace.models / "Org").symlink_to(source.parent)
    with pytest.raises(LibraryError, match="no model"):
        remove(workspace, "model", "Org/tiny")
    item = removal._Item("model", workspace.models / "Org" / "tiny", bundled=False)
    with patch.object(removal, "_found", return_value=item), pytest.raises(WorkspaceError):
        remove(workspace, "model", "Org/tiny")
    assert (source / "config.json").is_file()


def test_freed_counts_a_file_once(workspace: Workspace, model: Path, tmp_path: Path) -> None:
    before = freed(workspace, "model", "Org/tiny")
    os.link(model / "model.safetensors", model / "again.safetensors")
    assert freed(workspace, "model", "Org/tiny") == before
    os.link(model / "model.safetensors", tmp_path / "elsewhere.safetensors")
    size = (model / "model.safetensors").stat().st_size
    assert freed(workspace, "model", "Org/tiny") == before - size
    assert remove(workspace, "model", "Org/tiny") == before - size


# --- Data files -----------------------------------------------------------------------------------


def test_data_file_and_the_folders_that_become_empty(workspace: Workspace) -> None:
    put(workspace, "a/b/c/x.json", "a/y.json")
    assert remove(workspace, "dataset", "a/b/c/x.json") == 3
    assert left(workspace.raw_datasets) == {"a", "a/y.json"}
    remove(workspace, "dataset", "a/y.json")
    assert left(workspace.raw_datasets) == set()
    assert workspace.raw_datasets.is_dir()


def test_entry_of_a_data_file_goes_with_it(workspace: Workspace) -> None:
    folder = fetched(workspace, "README.md", "en/train.json", "test.json")
    remove(workspace, "dataset", "org/data/en/train.json")
    manifest = read_manifest(folder)
    assert manifest is not None
    assert [file.path for file in manifest.files] == ["README.md", "test.json"]
    assert left(folder) == {MANIFEST, "README.md", "test.json"}


def test_last_data_file_takes_along_what_came_with_it(workspace: Workspace) -> None:
    """A README that no page shows would keep the folder for ever."""
    folder = fetched(workspace, "README.md", "docs/licence.txt", "test.json")
    assert freed(workspace, "dataset", "org/data/test.json") == 9
    assert remove(workspace, "dataset", "org/data/test.json") == 9
    assert left(workspace.raw_datasets) == set()
    folder = fetched(workspace, "README.md", "test.json")
    (folder / "mine.txt").write_text("a person's own")
    remove(workspace, "dataset", "org/data/test.json")
    assert left(folder) == {"mine.txt"}


def test_what_came_with_it_is_not_sought_behind_links(workspace: Workspace, tmp_path: Path) -> None:
    folder = fetched(workspace, "docs/licence.txt", "test.json")
    (tmp_path / "outside").mkdir()
    (folder / "docs" / "licence.txt").rename(tmp_path / "outside" / "licence.txt")
    (folder / "docs").rmdir()
    (folder / "docs").symlink_to(tmp_path / "outside")
    remove(workspace, "dataset", "org/data/test.json")
    assert (tmp_path / "outside" / "licence.txt").read_text() == "[1]"


def test_single_file_and_its_note(workspace: Workspace) -> None:
    put(workspace, "a.json", "b.json")
    for name in ("a.json", "b.json"):
        note_file(workspace, workspace.raw_datasets / name, local_manifest(Path(name), "copy"))
    remove(workspace, "dataset", "a.json")
    assert datasets(workspace) == ["b.json"]
    assert record_of(workspace, workspace.raw_datasets / "a.json") is None
    assert record_of(workspace, workspace.raw_datasets / "b.json")


def test_linked_data_files(workspace: Workspace, tmp_path: Path) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / "rows").mkdir(exist_ok=True)
        (tmp_path / "rows" / name).write_text("[1]")
    done(Importer(workspace).import_dataset(tmp_path / "rows", link=True))
    (tmp_path / "rows" / "b.json").unlink()
    assert datasets(workspace) == ["rows/a.json", "rows/b.json"]
    for item_id in ("rows/a.json", "rows/b.json"):
        assert remove(workspace, "dataset", item_id) == 0
    assert left(workspace.raw_datasets) == set()
    assert (tmp_path / "rows" / "a.json").read_text() == "[1]"


# --- When it fails --------------------------------------------------------------------------------


def test_killed_in_the_middle(workspace: Workspace, model: Path) -> None:
    """What others see is whole or gone; the next start removes what is hidden."""
    script = (
        "import os, sys; from pathlib import Path; from backend.library import removal\n"
        "from backend.workspace import Workspace\n"
        "removal._delete = lambda path: os._exit(9)\n"
        "removal.remove(Workspace(Path(sys.argv[1])), 'model', 'Org/tiny')"
    )
    command = [sys.executable, "-c", script, str(workspace.root)]
    assert subprocess.run(command, cwd=ROOT, timeout=60).returncode == 9
    assert models(workspace) == []
    assert len(list(workspace.models.glob(".removing-*/content/0/*"))) > 3
    Importer(workspace)
    assert left(workspace.models) == set()


def test_folder_that_may_not_be_changed(workspace: Workspace, model: Path) -> None:
    with (
        patch.object(Path, "rename", side_effect=PermissionError(13, "Permission denied")),
        pytest.raises(LibraryError, match="could not be deleted: Permission denied") as caught,
    ):
        remove(workspace, "model", "Org/tiny")
    assert caught.value.sentence("zh")
    assert models(workspace) == ["Org/tiny"] and left(workspace.models) >= {"Org/tiny"}


def test_disk_that_fails_while_deleting(workspace: Workspace, model: Path) -> None:
    with (
        patch.object(removal.shutil, "rmtree", side_effect=OSError(5, "Input/output error")),
        pytest.raises(LibraryError, match="not all of its room is free yet: Input") as caught,
    ):
        remove(workspace, "model", "Org/tiny")
    assert caught.value.sentence("zh")
    assert models(workspace) == []
    Importer(workspace)
    assert left(workspace.models) == set()
