"""The workspace's folders and names, and files that are whole or absent."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.errors import WorkspaceError
from backend.files import read_json, replacing, write_json, write_text
from backend.library.adapters import import_adapter
from backend.library.importer import Importer
from backend.workspace import NAME_LIMIT, Workspace, check_name

# --- Folders --------------------------------------------------------------------------------------


def test_open_makes_the_folders_and_keeps_what_is_there(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "workspace"
    workspace = Workspace.open(root)
    kept = workspace.runs / "kept.txt"
    kept.write_text("x")
    assert Workspace.open(root) == workspace
    assert kept.read_text() == "x"
    folders = ("models", "datasets/raw", "datasets/prepared", "runs", "chats")
    assert all((root / folder).is_dir() for folder in folders)


def test_paths_do_not_depend_on_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    workspace = Workspace.open(Path("here"))
    assert workspace.root == tmp_path / "here"
    assert workspace.dataset_info == tmp_path / "here" / "datasets" / "dataset_info.json"


def test_workspace_that_cant_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(WorkspaceError, match="can't be written") as caught:
            Workspace.open(place)
        assert str(place) in caught.value.sentence("zh")


def test_workspace_that_cant_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("backend.workspace.tempfile.TemporaryFile", denied)
    with pytest.raises(WorkspaceError, match="Permission denied. Choose another with --workspace"):
        Workspace.open(tmp_path)


# --- Paths ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["models/a", "models/../runs", ".", "runs/医学"])
def test_inside(workspace: Workspace, path: str) -> None:
    assert workspace.inside(path) == (workspace.root / path).resolve()
    assert workspace.inside(workspace.root / path) == (workspace.root / path).resolve()


@pytest.mark.parametrize("path", ["..", "../workspace2", "models/../../x", "/etc/passwd", "a\0b"])
def test_outside(workspace: Workspace, path: str) -> None:
    with pytest.raises(WorkspaceError, match="leads out of the workspace"):
        workspace.inside(path)


def test_links(workspace: Workspace, tmp_path: Path) -> None:
    (workspace.root / "out").symlink_to(tmp_path)
    (workspace.root / "in").symlink_to(workspace.models)
    (workspace.root / "loop").symlink_to(workspace.root / "loop")
    assert workspace.inside("in/a") == workspace.models / "a"
    for link in ("out", "out/workspace2"):
        with pytest.raises(WorkspaceError, match="leads out"):
            workspace.inside(link)


def test_circle_of_links(workspace: Workspace) -> None:
    """Before Python 3.13, Path.resolve says RuntimeError for one, which once was a traceback."""
    (workspace.root / "one").symlink_to(workspace.root / "two")
    (workspace.root / "two").symlink_to(workspace.root / "one")
    try:
        assert workspace.inside("one/x").is_relative_to(workspace.root)
    except WorkspaceError as error:
        assert "leads out" in str(error)


@settings(deadline=None)
@given(path=st.text(alphabet="./\\ab\0~", max_size=12) | st.text(max_size=12))
def test_no_path_leads_out(tmp_path_factory: pytest.TempPathFactory, path: str) -> None:
    workspace = Workspace(tmp_path_factory.getbasetemp().resolve() / "w")
    try:
        assert workspace.inside(path).is_relative_to(workspace.root)
    except WorkspaceError as error:
        assert error.sentence("zh")


# --- Names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    ["a", "first-try", "demo_1.5B", "医学-问答", "_x", "7", "a" * NAME_LIMIT, "cons", "x.con"],
)
def test_good_names(workspace: Workspace, name: str) -> None:
    assert check_name(name) == name
    assert workspace.named(workspace.runs, name) == workspace.runs / name


@pytest.mark.parametrize(
    "name",
    ["..", ".", "../x", "a/b", "a\\b", ".hidden", "-x", "a.", "a b", "a\n", "a\0", "a:b", "x*"]
    + ["con", "NUL", "com1.txt", "Lpt9", "a\u202eb", "a😀"],
)
def test_bad_names(workspace: Workspace, name: str) -> None:
    with pytest.raises(WorkspaceError, match="can't be used as a name") as caught:
        workspace.named(workspace.runs, name)
    assert caught.value.sentence("zh")


@pytest.mark.parametrize("name", ["", " ", "\n\t"])
def test_empty_names(name: str) -> None:
    with pytest.raises(WorkspaceError, match="The name is empty"):
        check_name(name)


def test_long_names() -> None:
    with pytest.raises(WorkspaceError, match="at most 80 characters"):
        check_name("a" * (NAME_LIMIT + 1))


@settings(deadline=None)
@given(name=st.text(max_size=NAME_LIMIT + 2))
def test_a_name_that_passes_is_one_part_of_a_path(name: str) -> None:
    try:
        check_name(name)
    except WorkspaceError:
        return
    assert Path(name).name == name
    assert len(name.encode()) <= 255
    assert not name.startswith((".", "-"))


# --- Files ----------------------------------------------------------------------------------------


def test_replacing_takes_the_place_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"
    write_text(path, "old")
    with replacing(path) as file:
        file.write(b"new")
        file.flush()
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(path.parent) == ["file"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_what_fails_leaves_the_old_file(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file"
    write_text(path, "old")
    with pytest.raises(error), replacing(path) as file:
        file.write(b"half")
        raise error
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file"]


def test_what_fails_the_first_time_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError), replacing(tmp_path / "file"):
        raise ValueError
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("mask", [0o022, 0o077])
def test_others_may_read_it_as_if_it_was_opened(tmp_path: Path, mask: int) -> None:
    """mkstemp makes files that only their owner can read."""
    before = os.umask(mask)
    try:
        write_text(tmp_path / "file", "x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "file").stat().st_mode) == 0o666 & ~mask


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@settings(deadline=None)
@given(value=VALUES)
def test_json_survives(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = tmp_path_factory.getbasetemp() / "value.json"
    write_json(path, value)
    assert read_json(path) == value
    assert json.loads(path.read_text("utf-8")) == value


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b'{"a": 1} x'])
def test_json_that_is_none(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "file").write_bytes(content)
    assert read_json(tmp_path / "file") is None
    assert read_json(tmp_path / "none") is None
    assert read_json(tmp_path / "file" / "below") is None


def test_a_path_that_llama_factory_would_take_for_a_variable_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WorkspaceError) as caught:
        Workspace.open(tmp_path / "${HOME}")
    assert "${" in str(caught.value) and not list(tmp_path.iterdir())


def test_only_named_folders_are_imported_from(tmp_path: Path) -> None:
    """Who logs in from elsewhere could read any data file that the account can."""
    offered, closed = tmp_path / "offered", tmp_path / "closed"
    for folder in (offered, closed):
        folder.mkdir()
        (folder / "rows.json").write_text('[{"question": "a", "answer": "b"}]')
    (offered / "link").symlink_to(closed)
    workspace = Workspace.open(tmp_path / "workspace", sources=[offered])
    workspace.check_source(offered / "rows.json")
    workspace.check_source(workspace.uploads / "hash" / "rows.json")
    for path in (closed, offered / "link" / "rows.json", offered / ".." / "closed", Path("a\0b")):
        for refused in (
            lambda path=path: workspace.check_source(path),
            lambda path=path: Importer(workspace).import_dataset(path),
            lambda path=path: Importer(workspace).import_model(path),
            lambda path=path: import_adapter(workspace, path, []),
        ):
            with pytest.raises(WorkspaceError) as caught:
                refused()
            assert caught.value.key == "workspace.errors.source_closed"
    assert Importer(workspace).import_dataset(offered / "rows.json").wait(30)
    Workspace.open(tmp_path / "workspace").check_source(closed)
