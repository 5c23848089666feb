"""Manifests: read back as they were written, and never half believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.library.manifest import (
    MANIFEST,
    HubSource,
    LocalSource,
    Manifest,
    ManifestFile,
    local_manifest,
    manifest_of,
    merged,
    read_manifest,
    write_manifest,
)
from backend.library.register import Register

TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0\\:"), min_size=1, max_size=8)
PATHS = st.lists(NAMES.filter(lambda name: name not in (".", "..")), min_size=1, max_size=3)
SOURCES = st.fixed_dictionaries({name: TEXT for name in HubSource.__annotations__}) | (
    st.fixed_dictionaries({"path": TEXT, "way": st.sampled_from(["copy", "link"])})
)
FILES = st.builds(
    ManifestFile,
    path=PATHS.map("/".join),
    size=st.integers(0, 2**50),
    sha256=st.text("0123456789abcdef", min_size=64, max_size=64),
    checked=st.sampled_from(["sha256", "git", "size", "none"]),
    modified_ns=st.integers(0, 2**62),
    damaged=st.booleans(),
    source=st.none() | SOURCES,
)
MANIFESTS = st.builds(
    Manifest,
    source=SOURCES,
    created=TEXT,
    pickles_allowed=st.booleans(),
    files=st.lists(FILES, max_size=4).map(tuple),
)

FILE = ManifestFile("a/b.json", 3, "0" * 64, "sha256", 1)
GOOD: dict[str, Any] = {
    "source": {"path": "/data", "way": "copy"},
    "created": "2026-01-01T00:00:00+00:00",
    "pickles_allowed": False,
    "files": [
        {"path": "a", "size": 1, "sha256": "0" * 64, "checked": "none", "modified_ns": 1},
    ],
}


def made(*files: ManifestFile, pickles: bool = False, path: str = "/data") -> Manifest:
    return local_manifest(Path(path), "copy", pickles_allowed=pickles, files=files)


@settings(deadline=None, max_examples=60)
@given(manifest=MANIFESTS)
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, manifest: Manifest
) -> None:
    folder = tmp_path_factory.mktemp("model")
    write_manifest(folder, manifest)
    assert read_manifest(folder) == manifest


def test_none_in_an_empty_or_absent_folder(tmp_path: Path) -> None:
    assert read_manifest(tmp_path) is None
    assert read_manifest(tmp_path / "none") is None


def test_a_replaced_manifest_is_read_anew(tmp_path: Path) -> None:
    """Read manifests are remembered; a download replaces one within the clock's resolution."""
    for number in range(20):
        one = made(ManifestFile(f"f{number:02}", 1, "0" * 64, "none", 1))
        write_manifest(tmp_path, one)
        assert read_manifest(tmp_path) == one


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=4,
)


@settings(deadline=None, max_examples=80)
@given(data=st.data(), value=VALUES)
def test_damaged_values_break_nothing(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, value: Any
) -> None:
    damaged: Any = json.loads(json.dumps(GOOD))
    place = data.draw(st.sampled_from([*GOOD, "path", "size", "sha256", "checked", "modified_ns"]))
    (damaged if place in GOOD else damaged["files"][0])[place] = value
    folder = tmp_path_factory.mktemp("model")
    (folder / MANIFEST).write_text(json.dumps(damaged))
    found = read_manifest(folder)
    if found is not None:
        write_manifest(folder, found)
        assert read_manifest(folder) == found


@settings(deadline=None, max_examples=40)
@given(content=st.binary(max_size=80), cut=st.integers(0, 200))
def test_damaged_bytes_are_no_manifest(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, cut: int
) -> None:
    folder = tmp_path_factory.mktemp("model")
    for damaged in (content, json.dumps(GOOD).encode()[:cut]):
        (folder / MANIFEST).write_bytes(damaged)
        assert read_manifest(folder) is None


@pytest.mark.parametrize("path", ["", ".", "/a", "..", "../a", "a/../b", "a//b", "./a", "a\0b"])
def test_paths_that_leave_the_folder_are_not_believed(tmp_path: Path, path: str) -> None:
    damaged = json.loads(json.dumps(GOOD))
    damaged["files"][0]["path"] = path
    (tmp_path / MANIFEST).write_text(json.dumps(damaged))
    assert read_manifest(tmp_path) is None


def test_a_manifest_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / MANIFEST).mkdir()
    assert read_manifest(tmp_path) is None


def test_merged_keeps_what_did_not_come_anew() -> None:
    old = made(ManifestFile("b", 1, "1" * 64, "size", 1), ManifestFile("a", 1, "1" * 64, "none", 1))
    new = made(ManifestFile("b", 2, "2" * 64, "sha256", 2), path="/other")
    both = merged(old, new)
    assert both.source == LocalSource(path="/other", way="copy")
    assert [(file.path, file.size) for file in both.files] == [("a", 1), ("b", 2)]
    assert merged(None, new) is new


def test_merged_keeps_where_each_file_is_from() -> None:
    """Weights of the first revision and a tokenizer of the second in one folder: all was said to be
    of the second, and with files of two hubs all of the one asked last."""
    one, two = ManifestFile("a", 1, "1" * 64, "size", 1), ManifestFile("b", 1, "2" * 64, "size", 1)
    both = merged(made(one, path="/first"), made(two, path="/second"))
    assert both.source == LocalSource(path="/second", way="copy")
    assert [file.source for file in both.files] == [LocalSource(path="/first", way="copy"), None]
    third = merged(both, made(ManifestFile("c", 1, "3" * 64, "size", 1), path="/first"))
    assert [file.source and cast(LocalSource, file.source)["path"] for file in third.files] == [
        None,
        "/second",
        None,
    ]
    assert manifest_of(orjson.loads(orjson.dumps(third))) == third
    again = merged(third, made(one, path="/third"))
    assert [file.source is None for file in again.files] == [True, False, False]


def test_a_manifest_of_an_earlier_version_is_read() -> None:
    found = manifest_of(GOOD)
    assert found is not None and found.files[0].source is None and not found.files[0].damaged


def test_merged_keeps_what_was_agreed_to() -> None:
    assert merged(made(pickles=True), made()).pickles_allowed
    assert not merged(made(), made()).pickles_allowed


def test_entries() -> None:
    assert made(FILE).file("a/b.json") is FILE
    assert made(FILE).file("a") is None
    assert made(FILE).without(["a/b.json"]).files == ()


# --- Many in one file -----------------------------------------------------------------------------


def test_register(tmp_path: Path) -> None:
    register = Register(tmp_path / "links.json")
    assert register.entries() == {}
    register.remove(["a"])
    assert list(tmp_path.iterdir()) == [], "nothing to forget, nothing written"
    one, two = made(FILE), made(pickles=True)
    register.add({"a": one})
    register.add({"b": two})
    assert register.entries() == {"a": one, "b": two}
    register.remove(["a", "c"])
    assert register.entries() == {"b": two}


@pytest.mark.parametrize("content", ["", "[]", "{", '{"a": 1, "b": {"source": {}}}'])
def test_damaged_register(tmp_path: Path, content: str) -> None:
    register = Register(tmp_path / "links.json")
    register.path.write_text(content)
    assert register.entries() == {}
    register.add({"a": made()})
    assert list(register.entries()) == ["a"]


def test_register_that_cannot_be_read_is_not_overwritten(tmp_path: Path) -> None:
    register = Register(tmp_path / "links.json")
    register.path.mkdir()
    assert register.entries() == {}
    with pytest.raises(OSError):
        register.add({"a": made()})
