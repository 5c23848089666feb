"""Links out of the workspace: followed where a person made them through Import, and only then."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from unittest.mock import patch

import pytest

from backend.data.reading.reader import RowReader
from backend.errors import LibraryError, WorkspaceError
from backend.library import import_job
from backend.library.datasets import find_raw_dataset, list_raw_datasets
from backend.library.importer import Importer, ImportJob
from backend.library.links import LINKS, trusted
from backend.library.models import find_model, list_models
from backend.workspace import Workspace
from tests.fakes.tiny_model import make_tiny_model


@pytest.fixture
def imports(workspace: Workspace) -> Importer:
    return Importer(workspace)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_tiny_model(tmp_path / "elsewhere" / "tiny", ["Why is it?"])


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "elsewhere" / "rows.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text('[{"a": 1}]')
    return path


def done(job: ImportJob) -> Path:
    assert job.wait(30)
    assert job.state == "done", job.error
    return job.target


def sentence(workspace: Workspace, model_id: str) -> str:
    (problem,) = find_model(workspace, model_id).problems
    assert problem.sentence("zh")
    return problem.sentence("en")


def test_model(workspace: Workspace, imports: Importer, model: Path) -> None:
    before = sorted(model.iterdir())
    job = imports.import_model(model, "Org/mine", link=True)
    target = done(job)
    found = find_model(workspace, "Org/mine")
    assert target.is_symlink() and target.resolve() == model
    assert found.ready and found.linked == model and found.path == target
    assert found.size == sum(file.stat().st_size for file in model.iterdir())
    assert found.manifest is not None
    assert found.manifest.source == {"path": str(model), "way": "link"}
    assert job.link and job.copied == job.total == found.size
    assert trusted(workspace, target) == model
    assert sorted(model.iterdir()) == before, "nothing is written where the files are"


def test_data_file(workspace: Workspace, imports: Importer, rows: Path) -> None:
    target = done(imports.import_dataset(rows, "mine", link=True))
    found = find_raw_dataset(workspace, "mine.json")
    assert target.is_symlink() and not found.problems
    assert (found.linked, found.size) == (rows, rows.stat().st_size)
    assert RowReader.open(found.path, cache=workspace.cache).count == 1


def test_data_folder(workspace: Workspace, imports: Importer, rows: Path) -> None:
    """Each file is a link, so that a folder's other files stay out of the workspace."""
    (rows.parent / "en").mkdir()
    shutil.copy(rows, rows.parent / "en" / "train.jsonl")
    (rows.parent / "notes.txt").write_text("x")
    target = done(imports.import_dataset(rows.parent, "all", link=True))
    found = {one.id: one for one in list_raw_datasets(workspace) if not one.bundled}
    assert set(found) == {"all/rows.json", "all/en/train.jsonl"}
    assert not any(one.problems for one in found.values())
    assert found["all/en/train.jsonl"].linked == rows.parent / "en" / "train.jsonl"
    assert not target.is_symlink()
    assert sorted(path.name for path in target.rglob("*")) == ["en", "rows.json", "train.jsonl"]


def test_file_in_the_cache_of_hugging_face(
    workspace: Workspace, imports: Importer, tmp_path: Path
) -> None:
    """Its name ends in .json, and it is a link to a file that is named by its hash."""
    (tmp_path / "3f786850").write_text('[{"a": 1}]')
    (tmp_path / "train.json").symlink_to(tmp_path / "3f786850")
    done(imports.import_dataset(tmp_path / "train.json", link=True))
    done(imports.import_dataset(tmp_path / "train.json", "copy"))
    assert find_raw_dataset(workspace, "train.json").linked == tmp_path / "3f786850"
    assert not find_raw_dataset(workspace, "copy.json").problems


def test_link_that_nobody_made_here(workspace: Workspace, imports: Importer, model: Path) -> None:
    done(imports.import_model(model, "mine", link=True))
    (workspace.models / "sneaked").symlink_to(model)
    assert "leads out of the workspace" in sentence(workspace, "sneaked")
    with pytest.raises(WorkspaceError):
        trusted(workspace, workspace.models / "sneaked")


def test_link_that_leads_elsewhere_now(
    workspace: Workspace, imports: Importer, model: Path, tmp_path: Path
) -> None:
    target = done(imports.import_model(model, "mine", link=True))
    target.unlink()
    target.symlink_to(make_tiny_model(tmp_path / "another", ["x"]))
    assert "leads out of the workspace" in sentence(workspace, "mine")
    assert find_model(workspace, "mine").linked is None


@pytest.mark.parametrize("content", ["", "[]", '{"models/mine": "/tmp"}'])
def test_damaged_register(
    workspace: Workspace, imports: Importer, model: Path, content: str
) -> None:
    done(imports.import_model(model, "mine", link=True))
    (workspace.root / LINKS).write_text(content)
    assert "leads out of the workspace" in sentence(workspace, "mine")


def test_what_lies_behind_an_unknown_link_is_not_listed(
    workspace: Workspace, tmp_path: Path
) -> None:
    """A link to a folder of folders was taken for an organisation, and looked into."""
    (tmp_path / "private" / "letters").mkdir(parents=True)
    (workspace.models / "org").symlink_to(tmp_path / "private")
    assert [one.id for one in list_models(workspace) if not one.bundled] == ["org"]


def test_target_that_is_gone_can_be_seen(
    workspace: Workspace, imports: Importer, model: Path, rows: Path
) -> None:
    """A disk that is not plugged in: the link stays, says so, and can be deleted."""
    done(imports.import_model(model, "Org/mine", link=True))
    done(imports.import_dataset(rows, "mine", link=True))
    shutil.rmtree(model)
    rows.unlink()
    assert [one.id for one in list_models(workspace) if not one.bundled] == ["Org/mine"]
    assert f"can't be found: {model}" in sentence(workspace, "Org/mine")
    with_problem = find_raw_dataset(workspace, "mine.json")
    assert f"can't be found: {rows}" in with_problem.problems[0].sentence("en")


def test_manifest_of_the_linked_folder_is_not_ours(
    workspace: Workspace, imports: Importer, model: Path
) -> None:
    """A .medtune.json in a folder that came from elsewhere can't agree to pickles for a person."""
    (model / "model.safetensors").unlink()
    (model / "pytorch_model.bin").write_bytes(b"\x80\x02")
    agreed = {"source": {"path": "", "way": "copy"}, "created": "", "files": []}
    (model / ".medtune.json").write_text(json.dumps({**agreed, "pickles_allowed": True}))
    with pytest.raises(LibraryError, match="pickle files only"):
        imports.import_model(model, link=True)
    with pytest.raises(LibraryError, match="pickle files only"):
        imports.import_model(model)
    done(imports.import_model(model, "agreed", link=True, allow_pickle=True))
    assert find_model(workspace, "agreed").ready
    (workspace.root / LINKS).unlink()
    assert not find_model(workspace, "agreed").ready


def test_taken_names(workspace: Workspace, imports: Importer, model: Path, rows: Path) -> None:
    done(imports.import_model(model, "mine", link=True))
    shutil.rmtree(model)  # a link that leads nowhere has the name all the same
    make_tiny_model(model, ["x"])
    for link in (True, False):
        with pytest.raises(LibraryError, match="exists already"):
            imports.import_model(model, "mine", link=link)
        with pytest.raises(WorkspaceError):
            imports.import_model(model, "mine/inner", link=link)


def test_system_without_links(workspace: Workspace, imports: Importer, model: Path) -> None:
    refusal = OSError(1, "Operation not permitted")
    with patch.object(import_job.os, "symlink", side_effect=refusal):
        job = imports.import_model(model, link=True)
        assert job.wait(30)
    assert job.state == "failed" and job.error is not None
    assert "could not be linked: Operation not permitted" in job.error.sentence("en")
    assert "链接" in job.error.sentence("zh")
    assert not (workspace.root / LINKS).exists()
    assert [path.name for path in workspace.models.iterdir()] == [".staging.lock"]


def test_disk_that_fails_while_linking(
    workspace: Workspace, imports: Importer, model: Path
) -> None:
    with patch.object(Path, "rename", side_effect=OSError(28, "No space left on device")):
        job = imports.import_model(model, link=True)
        assert job.wait(30)
    assert job.state == "failed" and "No space left" in str(job.error)
    assert json.loads((workspace.root / LINKS).read_text()) == {}


def test_linking_needs_no_room(workspace: Workspace, imports: Importer, model: Path) -> None:
    with patch.object(shutil, "disk_usage", side_effect=AssertionError):
        done(imports.import_model(model, link=True))


def test_links_inside_the_workspace_stay_as_they_were(workspace: Workspace) -> None:
    folder = make_tiny_model(workspace.models / "tiny", ["x"])
    (workspace.models / "again").symlink_to(folder)
    found = find_model(workspace, "again")
    assert found.ready and found.linked is None
    assert trusted(workspace, found.path) == folder
