"""Checking again what is on the disk: what is wrong is named, and nothing else is."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from backend.errors import LibraryError, WorkspaceError
from backend.library import Kind, hashing, verify
from backend.library.hashing import git_blob, hash_file, hash_of
from backend.library.importer import Importer
from backend.library.manifest import (
    HubSource,
    Manifest,
    ManifestFile,
    read_manifest,
    write_manifest,
)
from backend.library.records import record_of
from backend.library.verify import Verification, Verifier
from backend.workspace import Workspace
from tests.fakes.tiny_model import make_tiny_model


@pytest.fixture
def verifier(workspace: Workspace) -> Verifier:
    return Verifier(workspace)


@pytest.fixture
def model(workspace: Workspace, tmp_path: Path) -> Path:
    """A model that was imported: it has a manifest."""
    job = Importer(workspace).import_model(make_tiny_model(tmp_path / "tiny", ["x"]))
    assert job.wait(30) and job.state == "done"
    return job.target


def fetched(workspace: Workspace, **files: str) -> Path:
    """Data files as a download leaves them."""
    folder = workspace.raw_datasets / "org" / "data"
    folder.mkdir(parents=True)
    entries = []
    for name, content in files.items():
        path = folder / f"{name}.json"
        path.write_text(content)
        sha256 = hashlib.sha256(content.encode()).hexdigest()
        modified = path.stat().st_mtime_ns
        entries.append(ManifestFile(path.name, len(content), sha256, "sha256", modified))
    source = HubSource(
        hub="modelscope", id="org/data", revision="", commit="c", licence="", endpoint=""
    )
    write_manifest(folder, Manifest(source, "2026-01-01", False, tuple(entries)))
    return folder


def checked(verifier: Verifier, kind: Kind, item_id: str) -> Verification:
    job = verifier.start(kind, item_id)
    assert job.wait(30)
    assert (job.state, job.error) == ("done", None)
    assert job.checked == job.total
    assert all(problem.sentence("zh") for problem in job.result)
    return job


def said(job: Verification) -> list[str]:
    return [problem.sentence("en") for problem in job.result]


def test_whole_model(workspace: Workspace, verifier: Verifier, model: Path) -> None:
    manifest = read_manifest(model)
    assert manifest is not None
    job = checked(verifier, "model", "tiny")
    assert (job.result, job.note) == ((), None)
    assert job.total == sum(file.size for file in manifest.files)
    assert [file.sha256 for file in job.files] == [file.sha256 for file in manifest.files]
    assert verifier.jobs() == [job]


def test_what_is_wrong_is_named(verifier: Verifier, model: Path) -> None:
    (model / "config.json").unlink()
    (model / "tokenizer.json").write_bytes((model / "tokenizer.json").read_bytes() + b" ")
    content = bytearray((model / "model.safetensors").read_bytes())
    content[-1] ^= 1  # one flipped bit: the header, and with it the list of models, says nothing
    (model / "model.safetensors").write_bytes(content)
    missing, damaged, longer = said(checked(verifier, "model", "tiny"))
    assert missing == "config.json is missing. Fetch it again."
    assert damaged.startswith("model.safetensors is not what it was when it arrived")
    size = (model / "tokenizer.json").stat().st_size
    assert longer.startswith(f"tokenizer.json has {size} bytes; it had {size - 1}")


def test_folder_or_pipe_in_the_place_of_a_file(verifier: Verifier, model: Path) -> None:
    """A pipe would be waited for, for ever."""
    for name, make in (("config.json", os.mkdir), ("tokenizer.json", os.mkfifo)):
        (model / name).unlink()
        make(model / name)
    assert [sentence.split()[:3] for sentence in said(checked(verifier, "model", "tiny"))] == [
        ["config.json", "is", "missing."],
        ["tokenizer.json", "is", "missing."],
    ]


def test_disk_that_fails(verifier: Verifier, model: Path) -> None:
    """The other files are read all the same."""
    real = verify.hash_file

    def failing(path: Path, *rest: Any) -> str:
        if path.name == "model.safetensors":
            raise OSError(5, "Input/output error")
        return real(path, *rest)

    with patch.object(verify, "hash_file", side_effect=failing):
        job = checked(verifier, "model", "tiny")
    (sentence,) = said(job)
    assert sentence.startswith("model.safetensors can't be read: Input/output error.")
    manifest = read_manifest(model)
    assert manifest is not None and len(job.files) == len(manifest.files) - 1


def test_model_without_a_manifest(workspace: Workspace, verifier: Verifier) -> None:
    folder = make_tiny_model(workspace.models / "old", ["x"])
    job = checked(verifier, "model", "old")
    assert job.result == () and job.note is not None
    assert "nothing to compare with" in job.note.sentence("en") and job.note.sentence("zh")
    assert {file.path: file.sha256 for file in job.files} == {
        path.name: hash_file(path) for path in folder.iterdir()
    }
    (folder / "tokenizer.json").unlink()
    (sentence,) = said(checked(verifier, "model", "old"))
    assert "tokenizer is missing" in sentence


def test_bundled_ones(verifier: Verifier) -> None:
    for kind, item_id in (("model", "medtune/demo"), ("dataset", "sample/medical_en")):
        job = checked(verifier, kind, item_id)  # type: ignore[arg-type]
        assert job.result == () and job.files


def test_linked_model(workspace: Workspace, verifier: Verifier, tmp_path: Path) -> None:
    source = make_tiny_model(tmp_path / "elsewhere", ["x"])
    assert Importer(workspace).import_model(source, link=True).wait(30)
    job = checked(verifier, "model", "elsewhere")
    assert job.result == () and job.note and len(job.files) == len(list(source.iterdir()))


def test_links_that_nobody_made_here_are_not_read(
    workspace: Workspace, verifier: Verifier, tmp_path: Path
) -> None:
    (workspace.models / "x").symlink_to(make_tiny_model(tmp_path / "elsewhere", ["x"]))
    (tmp_path / "a.json").write_text("[]")
    (workspace.raw_datasets / "a.json").symlink_to(tmp_path / "a.json")
    for kind, item_id in (("model", "x"), ("dataset", "a.json")):
        with pytest.raises(WorkspaceError):
            verifier.start(kind, item_id)  # type: ignore[arg-type]
    assert verifier.jobs() == []


# --- Data files -----------------------------------------------------------------------------------


def test_data_file_of_a_folder_alone(workspace: Workspace, verifier: Verifier) -> None:
    folder = fetched(workspace, train="[1]", test="[2]")
    (folder / "test.json").write_text("[3]")
    assert checked(verifier, "dataset", "org/data/train.json").result == ()
    (sentence,) = said(checked(verifier, "dataset", "org/data/test.json"))
    assert sentence.startswith("test.json is not what it was")


def test_data_folder_whole(workspace: Workspace, verifier: Verifier) -> None:
    folder = fetched(workspace, train="[1]", test="[2]")
    assert checked(verifier, "dataset", "org/data").result == ()
    (folder / "train.json").unlink()
    assert said(checked(verifier, "dataset", "org/data"))[0].startswith("train.json is missing")


def test_single_data_files(workspace: Workspace, verifier: Verifier, tmp_path: Path) -> None:
    (tmp_path / "rows.json").write_text("[1]")
    assert Importer(workspace).import_dataset(tmp_path / "rows.json").wait(30)
    job = checked(verifier, "dataset", "rows.json")
    assert (job.result, job.note) == ((), None)
    (workspace.raw_datasets / "rows.json").write_text("[2]")
    assert said(checked(verifier, "dataset", "rows.json"))
    (workspace.raw_datasets / "mine.json").write_text("")
    job = checked(verifier, "dataset", "mine.json")
    assert job.note and said(job) == ["The file is empty. Copy or download it again."]


@pytest.mark.parametrize("place", ["", ".", "..", "../../models/tiny", "/", "none", "a\0", "org"])
def test_no_such_data(workspace: Workspace, verifier: Verifier, model: Path, place: str) -> None:
    fetched(workspace, train="[1]")
    with pytest.raises(LibraryError, match="no data file"):
        verifier.start("dataset", place)


def test_no_such_model(verifier: Verifier) -> None:
    with pytest.raises(LibraryError, match="no model"):
        verifier.start("model", "none")


# --- While it goes on -----------------------------------------------------------------------------


def test_cancel_and_double_click(verifier: Verifier, model: Path) -> None:
    reading, go_on = threading.Event(), threading.Event()
    real = verify.hash_file

    def slow(*args: Any) -> str:
        reading.set()
        assert go_on.wait(30)
        return real(*args)

    with patch.object(verify, "hash_file", side_effect=slow):
        job = verifier.start("model", "tiny")
        assert reading.wait(30)
        assert job.state == "checking" and job.current == "config.json"
        assert verifier.start("model", "tiny") is job
        job.cancel()
        go_on.set()
        assert job.wait(30)
    assert (job.state, job.error) == ("cancelled", None)
    assert job.checked == 0 < job.total
    again = verifier.start("model", "tiny")
    assert again is not job and again.wait(30)
    job.cancel()
    assert [one.state for one in verifier.jobs()] == ["cancelled", "done"]


def test_model_that_is_deleted_meanwhile(workspace: Workspace, verifier: Verifier) -> None:
    folder = make_tiny_model(workspace.models / "old", ["x"])
    failure = OSError(2, "No such file or directory", str(folder))
    with patch.object(verify, "check_model_folder", side_effect=failure):
        job = verifier.start("model", "old")
        assert job.wait(30)
    assert job.state == "failed" and job.error is not None
    assert str(job.error).startswith(f"{folder} can't be read: No such file")


# --- Hashes ---------------------------------------------------------------------------------------


def test_an_unchanged_file_is_not_read_again(workspace: Workspace) -> None:
    folder = fetched(workspace, train="[1]")
    with patch.object(hashing, "hash_file", side_effect=AssertionError):
        assert hash_of(folder, "train.json") == hashlib.sha256(b"[1]").hexdigest()
    (folder / "train.json").write_text("[234]")
    assert hash_of(folder, "train.json") == hashlib.sha256(b"[234]").hexdigest()
    (folder / "new.json").write_text("[5]")
    assert hash_of(folder, "new.json") == hashlib.sha256(b"[5]").hexdigest()
    with pytest.raises(FileNotFoundError):
        hash_of(folder, "none.json")


def test_git_names_a_content_like_git(tmp_path: Path) -> None:
    """``echo 'test content' | git hash-object --stdin``, as in the book on git."""
    (tmp_path / "a").write_bytes(b"test content\n")
    assert git_blob(tmp_path / "a") == "d670460b4b4aece5915caf5c68d12f560a9fe3e4"


def test_what_is_damaged_stays_marked(workspace: Workspace, tmp_path: Path) -> None:
    """Also after a restart, for a file of a folder and for a single one with a note of its own."""
    folder = fetched(workspace, train="[1]", test="[2]")
    source = tmp_path / "loose.json"
    source.write_text("[3]")
    job = Importer(workspace).import_dataset(source)
    assert job.wait(30) and job.state == "done"
    places = {"org/data/train.json": folder / "train.json", "loose.json": job.target}
    for place, path in places.items():
        before = path.stat().st_mtime_ns
        path.write_text("[9]")
        os.utime(path, ns=(before, before))
        assert said(checked(Verifier(workspace), "dataset", place))
        record = record_of(workspace, path)
        entry = record.file(path) if record else None
        assert record is not None and entry is not None and entry.damaged
        assert hash_of(record.folder, entry.path) == hashlib.sha256(b"[9]").hexdigest()
        others = [file for file in record.manifest.files if file != entry]
        assert not any(file.damaged for file in others)


def test_a_mark_that_can_not_be_written(verifier: Verifier, model: Path) -> None:
    """A disk that fails may be read-only: what was found is told all the same."""
    (model / "config.json").write_bytes(b"x" * (model / "config.json").stat().st_size)
    with patch.object(verify, "mark", side_effect=OSError("read-only")):
        assert len(said(checked(verifier, "model", model.name))) == 1
