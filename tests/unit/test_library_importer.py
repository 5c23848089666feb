"""Imports: copied and never moved, whole or not at all, and refused for a reason."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import threading
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path
from unittest.mock import patch

import pytest

from backend.errors import LibraryError, WorkspaceError
from backend.library import copying, import_job, importer
from backend.library.datasets import list_raw_datasets
from backend.library.importer import Importer, ImportJob
from backend.library.manifest import MANIFEST, read_manifest
from backend.library.models import find_model
from backend.staging import staging
from backend.workspace import Workspace
from tests.fakes.tiny_model import make_tiny_model

Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def imports(workspace: Workspace) -> Importer:
    return Importer(workspace)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_tiny_model(tmp_path / "source" / "tiny", ["Why is it?"])


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    path = tmp_path / "rows.json"
    path.write_text('[{"a": 1}]')
    return path


def ended(job: ImportJob) -> ImportJob:
    assert job.wait(30)
    return job


def done(job: ImportJob) -> Path:
    assert ended(job).state == "done", job.error
    assert job.error is None
    assert job.copied == job.total
    return job.target


def nothing_left(workspace: Workspace) -> bool:
    found = [*workspace.models.rglob("*"), *workspace.raw_datasets.rglob("*")]
    return [path.name for path in found if path.suffix != ".lock"] == []


def refused(action: Callable[[], ImportJob], *words: str) -> None:
    with pytest.raises(LibraryError) as caught:
        action()
    assert caught.value.sentence("zh")
    assert [word for word in words if word not in str(caught.value)] == []


# --- Good imports ---------------------------------------------------------------------------------


def test_model(workspace: Workspace, imports: Importer, model: Path) -> None:
    (model / "pytorch_model.bin").write_bytes(b"pickle")
    (model / ".git").mkdir()
    (model / ".git" / "config").write_text("x")
    (model / "extra").mkdir()
    (model / "extra" / "notes.txt").write_text("x")
    before = sorted(path.name for path in model.rglob("*"))
    target = done(imports.import_model(model, None))
    assert target == workspace.models / "tiny"
    assert find_model(workspace, "tiny").ready
    assert (target / "extra" / "notes.txt").read_text() == "x"
    assert not (target / "pytorch_model.bin").exists() and not (target / ".git").exists()
    assert sorted(path.name for path in model.rglob("*")) == before


def test_model_of_an_organisation(workspace: Workspace, imports: Importer, model: Path) -> None:
    job = imports.import_model(model, "My-Org/tiny-2")
    done(job)
    assert job.name == "My-Org/tiny-2"
    assert find_model(workspace, "My-Org/tiny-2").ready


def test_model_behind_links(imports: Importer, model: Path, tmp_path: Path) -> None:
    """The Hugging Face cache keeps a snapshot as links to files elsewhere."""
    snapshot = tmp_path / "snapshot"
    snapshot.mkdir()
    for file in model.iterdir():
        (snapshot / file.name).symlink_to(file)
    target = done(imports.import_model(snapshot))
    assert not any(file.is_symlink() for file in target.iterdir())


@pytest.mark.parametrize(
    ("name", "place"),
    [(None, "rows.json"), ("mine", "mine.json"), ("mine.json", "mine.json"), ("医学", "医学.json")],
)
def test_data_file(
    workspace: Workspace, imports: Importer, rows: Path, name: str | None, place: str
) -> None:
    job = imports.import_dataset(rows, name)
    assert done(job).read_text() == rows.read_text()
    assert job.name == place
    assert place in [dataset.id for dataset in list_raw_datasets(workspace)]


def test_data_folder(workspace: Workspace, imports: Importer, rows: Path, tmp_path: Path) -> None:
    folder = tmp_path / "hub data (1)"
    (folder / "en").mkdir(parents=True)
    shutil.copy(rows, folder / "en" / "train.JSON")
    shutil.copy(rows, folder / "dataset_infos.json")
    (folder / "photo.png").write_text("x")
    target = done(imports.import_dataset(folder))
    assert {path.name for path in target.rglob("*")} == {"en", "train.JSON", ".medtune.json"}
    assert target == workspace.raw_datasets / "hub-data-1"


def test_jobs_are_listed_the_oldest_first(imports: Importer, rows: Path) -> None:
    jobs = [imports.import_dataset(rows, name) for name in ("a", "b")]
    assert [done(job).name for job in jobs] == ["a.json", "b.json"]
    assert imports.jobs() == jobs


def test_copies_note_what_they_are(workspace: Workspace, imports: Importer, model: Path) -> None:
    (model / "extra").mkdir()
    (model / "extra" / "notes.txt").write_text("x")
    target = done(imports.import_model(model))
    manifest = read_manifest(target)
    assert manifest is not None and not manifest.pickles_allowed
    assert manifest.source == {"path": str(model), "way": "copy"}
    files = {path: path.stat() for path in target.rglob("*") if path.is_file()}
    del files[target / MANIFEST]
    assert [(target / file.path, file.size, file.modified_ns) for file in manifest.files] == sorted(
        (path, status.st_size, status.st_mtime_ns) for path, status in files.items()
    )
    assert [file.sha256 for file in manifest.files] == [
        hashlib.sha256((target / file.path).read_bytes()).hexdigest() for file in manifest.files
    ]
    found = find_model(workspace, "tiny")
    assert found.manifest == manifest
    assert found.size == sum(file.size for file in manifest.files)


def test_single_files_each_keep_their_own_note(
    workspace: Workspace, imports: Importer, rows: Path
) -> None:
    """They have no folder of their own, and a shared one would tell of the last import only."""
    other = rows.with_name("other.json")
    other.write_text("[2]")
    for file in (rows, other):
        done(imports.import_dataset(file))
    found = {one.id: one.manifest for one in list_raw_datasets(workspace) if not one.bundled}
    assert set(found) == {"rows.json", "other.json"}
    for name, manifest in found.items():
        assert manifest is not None
        assert manifest.source == {"path": str(rows.with_name(name)), "way": "copy"}
        assert [file.path for file in manifest.files] == [name]


def test_manifest_of_a_folder_tells_of_its_files(
    workspace: Workspace, imports: Importer, rows: Path, tmp_path: Path
) -> None:
    (tmp_path / "data" / "en").mkdir(parents=True)
    shutil.copy(rows, tmp_path / "data" / "en" / "train.json")
    shutil.copy(rows, tmp_path / "data" / MANIFEST)
    done(imports.import_dataset(tmp_path / "data"))
    (found,) = [one for one in list_raw_datasets(workspace) if not one.bundled]
    assert found.id == "data/en/train.json" and found.manifest is not None
    assert [file.path for file in found.manifest.files] == ["en/train.json"]


# --- Pickles --------------------------------------------------------------------------------------


def test_pickles_that_were_agreed_to(workspace: Workspace, imports: Importer, model: Path) -> None:
    (model / "model.safetensors").unlink()
    for name in ("pytorch_model.bin", "training_args.bin", "optimizer.pt"):
        (model / name).write_bytes(b"\x80\x02.")
    refused(lambda: imports.import_model(model), "pickle files only", "allow pickle files")
    target = done(imports.import_model(model, allow_pickle=True))
    assert find_model(workspace, "tiny").ready
    assert not any((target / name).exists() for name in ("training_args.bin", "optimizer.pt"))
    (target / MANIFEST).unlink()
    assert not find_model(workspace, "tiny").ready, "without a word of agreement it is not trusted"


def test_an_agreement_that_was_not_needed(imports: Importer, model: Path) -> None:
    (model / "pytorch_model.bin").write_bytes(b"\x80\x02.")
    target = done(imports.import_model(model, allow_pickle=True))
    manifest = read_manifest(target)
    assert manifest is not None and not manifest.pickles_allowed
    assert not (target / "pytorch_model.bin").exists()


# --- Refused --------------------------------------------------------------------------------------


def test_source_that_is_none(imports: Importer, tmp_path: Path, rows: Path) -> None:
    for bring in (imports.import_model, imports.import_dataset):
        refused(lambda b=bring: b(Path("")), "No path was given")  # type: ignore[misc]
        refused(lambda b=bring: b(tmp_path / "none"), "does not exist")  # type: ignore[misc]
        refused(lambda b=bring: b(Path("~nobody-here/x")), "can't be read")  # type: ignore[misc]
        refused(lambda b=bring: b(Path("a\0b")), "can't be read")  # type: ignore[misc]
    refused(lambda: imports.import_model(rows), "is a file")
    assert imports.jobs() == []


def test_folder_that_is_no_model(imports: Importer, model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refused(lambda: imports.import_model(tmp_path / "empty"), "config.json is missing")
    (model / "model.safetensors").rename(model / "pytorch_model.bin")
    refused(lambda: imports.import_model(model), "pickle files only")


def test_no_data_file(imports: Importer, tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    for file in (folder / "a.txt", folder / "b.json"):
        file.write_text("")
    for source in (folder, folder / "a.txt", folder / "b.json"):
        refused(lambda s=source: imports.import_dataset(s), ".json, .jsonl")  # type: ignore[misc]


def test_a_manifest_is_no_data_file(imports: Importer, tmp_path: Path) -> None:
    (tmp_path / MANIFEST).write_text("[1]")
    refused(lambda: imports.import_dataset(tmp_path / MANIFEST), ".json, .jsonl")


@pytest.mark.skipif(sys.platform == "darwin", reason="its names are always text")
@pytest.mark.parametrize("link", [True, False])
def test_names_that_are_no_text(imports: Importer, model: Path, link: bool) -> None:
    """Linux allows any bytes; JSON, and with it the page, does not."""
    odd = Path(os.fsdecode(os.fsencode(model.parent) + b"/caf\xe9"))
    shutil.copytree(model, odd)
    refused(lambda: imports.import_model(odd, "x", link=link), "not in UTF-8", "caf")
    odd.rename(model / odd.name)
    if not link:
        refused(lambda: imports.import_model(model), "not in UTF-8")


@pytest.mark.parametrize("name", ["../x", "a/../b", "x/y/z", ".x", "con", "x" * 99, "a\\b"])
def test_bad_names(imports: Importer, model: Path, rows: Path, name: str) -> None:
    for bring in (
        lambda: imports.import_model(model, name),
        lambda: imports.import_dataset(rows, name),
    ):
        with pytest.raises((WorkspaceError, LibraryError)):
            bring()
    assert imports.jobs() == []


def test_names_that_exist(workspace: Workspace, imports: Importer, model: Path, rows: Path) -> None:
    done(imports.import_dataset(rows))
    refused(lambda: imports.import_dataset(rows), "“rows.json” exists already")
    done(imports.import_model(model))
    refused(lambda: imports.import_model(model), "“tiny” exists already")
    refused(lambda: imports.import_model(model, "tiny/inner"), "exists already")


def test_double_click_makes_one(imports: Importer, rows: Path) -> None:
    copy = threading.Event()
    with patch.object(import_job, "copy_piece", side_effect=lambda *_: copy.wait(30)):
        first = imports.import_dataset(rows)
        refused(lambda: imports.import_dataset(rows), "exists already")
        first.cancel()
        copy.set()
        ended(first)


def test_name_taken_meanwhile(workspace: Workspace, imports: Importer, rows: Path) -> None:
    real = import_job.copy_piece

    def slow(*args: object) -> str:
        (workspace.raw_datasets / "rows.json").write_text("theirs")
        return real(*args)  # type: ignore[arg-type]

    with patch.object(import_job, "copy_piece", side_effect=slow):
        job = ended(imports.import_dataset(rows))
    assert job.state == "failed" and "exists already" in str(job.error)
    assert (workspace.raw_datasets / "rows.json").read_text() == "theirs"


def test_source_in_the_workspace(workspace: Workspace, imports: Importer, tmp_path: Path) -> None:
    inner = make_tiny_model(workspace.models / "tiny", ["x"])
    (workspace.raw_datasets / "a.json").write_text("[1]")
    refused(lambda: imports.import_model(inner, "copy"), "part of the workspace")
    refused(lambda: imports.import_dataset(workspace.raw_datasets / "a.json", "b"), "part of")
    refused(lambda: imports.import_dataset(tmp_path), "part of the workspace")
    (tmp_path / "link").symlink_to(inner)
    refused(lambda: imports.import_model(tmp_path / "link", "copy"), "part of the workspace")


def test_links_that_lead_nowhere_or_in_a_circle(imports: Importer, model: Path) -> None:
    (model / "broken").symlink_to(model / "none")
    refused(lambda: imports.import_model(model), "leads nowhere")
    (model / "broken").unlink()
    (model / "loop").symlink_to(model)
    refused(lambda: imports.import_model(model), "round in a circle")
    (model / "self").symlink_to(model / "self")
    refused(lambda: imports.import_model(model / "self"), "can't be read")


def test_not_enough_room(imports: Importer, rows: Path) -> None:
    with patch.object(importer.shutil, "disk_usage", return_value=Usage(100, 99, 1_500_000)):
        refused(lambda: imports.import_dataset(rows), "10 B are needed and 1.5 MB are free")
    assert imports.jobs() == []


# --- Failures and cancelling ----------------------------------------------------------------------


def test_cancel(workspace: Workspace, imports: Importer, rows: Path) -> None:
    rows.write_bytes(b"x" * 1_000_000)
    copied, go_on = threading.Event(), threading.Event()
    real = copying.os.fsync

    def pause(handle: int) -> None:
        copied.set()
        assert go_on.wait(30)
        real(handle)

    folder = rows.parent / "folder"
    folder.mkdir()
    for name in ("a.json", "b.json"):
        shutil.copy(rows, folder / name)
    with patch.object(copying.os, "fsync", side_effect=pause):
        job = imports.import_dataset(folder)
        assert copied.wait(30)
        job.cancel()
        go_on.set()
        ended(job)
    assert (job.state, job.error) == ("cancelled", None)
    assert 0 < job.copied < job.total
    assert nothing_left(workspace)
    done(imports.import_dataset(folder))  # the name is free again


def test_cancel_after_the_end_changes_nothing(imports: Importer, rows: Path) -> None:
    job = imports.import_dataset(rows)
    target = done(job)
    job.cancel()
    assert job.state == "done" and target.exists()


@pytest.mark.parametrize(
    ("number", "words"), [(28, "Not enough room"), (5, "could not be copied: Input/output error")]
)
def test_disk_that_fails(
    workspace: Workspace, imports: Importer, rows: Path, number: int, words: str
) -> None:
    failure = OSError(number, os.strerror(number))
    with patch.object(copying.os, "fsync", side_effect=failure):
        job = ended(imports.import_dataset(rows))
    assert job.state == "failed" and job.error is not None
    assert words in str(job.error) and job.error.sentence("zh")
    assert nothing_left(workspace)


def test_disk_that_is_full_for_the_note(
    workspace: Workspace, imports: Importer, rows: Path
) -> None:
    failure = OSError(28, os.strerror(28))
    with patch.object(import_job, "note_file", side_effect=failure):
        job = ended(imports.import_dataset(rows))
    assert job.state == "failed" and "Not enough room" in str(job.error)
    assert nothing_left(workspace)


def test_source_that_grows_meanwhile(workspace: Workspace, imports: Importer, rows: Path) -> None:
    real = import_job.copy_piece

    def late(*args: object) -> str:
        rows.write_text('[{"a": 1}, {"a": 2}]')
        return real(*args)  # type: ignore[arg-type]

    with patch.object(import_job, "copy_piece", side_effect=late):
        job = ended(imports.import_dataset(rows))
    assert job.state == "failed" and "changed while it was copied" in str(job.error)
    assert nothing_left(workspace)


def test_a_fault_of_the_program_does_not_leave_the_job_hanging(workspace: Workspace) -> None:
    target = workspace.models / "x"
    job = ImportJob("model", "x", target, total=1)
    with pytest.raises(ZeroDivisionError):
        job.run(lambda: print(1 / 0))
    assert job.wait(0) and job.state == "failed"
    assert nothing_left(workspace)


@pytest.mark.parametrize("prefix", [".importing-", ".removing-"])
def test_leftovers_of_a_crash_are_cleared_and_living_copies_kept(
    workspace: Workspace, prefix: str
) -> None:
    dead = workspace.models / f"{prefix}dead"
    (dead / "content" / "new").mkdir(parents=True)
    (dead / "content" / "new" / "config.json").write_text("{}")
    with staging(workspace.models, prefix) as alive:
        Importer(workspace)
        assert not dead.exists()
        assert alive.exists()
