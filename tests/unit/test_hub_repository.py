"""A hub's listing comes from outside: no name in it may lead out of the folder."""

from __future__ import annotations

from pathlib import Path, PureWindowsPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.errors import DownloadError
from backend.hub.repository import RemoteFile, check_path, checked_files, sorted_out


def files(*paths: str) -> list[RemoteFile]:
    return [RemoteFile(path, 1, None) for path in paths]


@pytest.mark.parametrize(
    "path",
    [
        "../evil",
        "a/../../evil",
        "/etc/passwd",
        "a//b",
        "./a",
        "a/.",
        "a\\b",
        "C:/x",
        "c:evil",
        "a\nb",
        "a\0b",
        "",
        "a/",
        "a /b",
        ".medtune.json",
        "inner/.MEDTUNE.json",
    ],
)
def test_names_that_lead_elsewhere(path: str) -> None:
    with pytest.raises(DownloadError) as caught:
        checked_files(files("config.json", path))
    assert caught.value.key == "hub.errors.name_unsafe"


def test_a_name_too_long_for_a_file_system() -> None:
    with pytest.raises(DownloadError, match="too long"):
        checked_files(files("x" * 240))


def test_two_names_that_are_one_where_capitals_are_not_told_apart() -> None:
    with pytest.raises(DownloadError, match="twice"):
        checked_files(files("README.md", "readme.MD"))


def test_files_come_by_path() -> None:
    found = checked_files(files("b", "a/z", "a/b", ".gitattributes"))
    assert [file.path for file in found] == [".gitattributes", "a/b", "a/z", "b"]


def test_an_odd_name_costs_its_own_file_only() -> None:
    """One file called "notes: draft.md" among forty, and a model could not be fetched at all,
    though nobody wanted that file."""
    odd = [
        "notes: draft.md",
        "end ",
        "a/ b",
        "readme.MD",
        "x" * 240,
        "a//b",
        "a\nb",
        ".medtune.json",
    ]
    found, left_out = sorted_out(files("README.md", "config.json", *odd))
    assert [file.path for file in found] == ["README.md", "config.json"]
    assert sorted(left_out) == sorted(odd)


@pytest.mark.parametrize(
    "path",
    [
        "../evil",
        "a/../../evil",
        "a/.. /evil",
        "..",
        "/etc/x",
        "\\\\host\\x",
        "a\\..\\x",
        "C:/x",
        "c:evil",
    ],
)
def test_a_name_that_leads_out_costs_all(path: str) -> None:
    with pytest.raises(DownloadError) as caught:
        sorted_out(files("config.json", path))
    assert caught.value.key == "hub.errors.name_unsafe"


@given(st.lists(st.text(max_size=12), max_size=6))
def test_all_that_is_sorted_out_is_accounted_for(paths: list[str]) -> None:
    try:
        found, left_out = sorted_out(files(*paths))
    except DownloadError:
        return
    assert checked_files(found) == found
    assert sorted([*(file.path for file in found), *left_out]) == sorted(paths)


@given(st.text(max_size=40))
def test_what_is_let_through_stays_inside(path: str) -> None:
    try:
        check_path(path)
    except DownloadError:
        return
    root = Path("/workspace/folder")
    assert (root / path).resolve().is_relative_to(root)
    assert (root / path).resolve() != root
    windows = PureWindowsPath(path)
    assert not windows.drive and not windows.root and ".." not in windows.parts
