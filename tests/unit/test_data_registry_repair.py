"""A broken dataset_info.json: where it is broken is said, and what can be read of it is saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data import registry_repair
from backend.data.registry import list_prepared, read_entries, register
from backend.data.registry_repair import Repaired, repair, trouble_of
from backend.errors import DataError
from backend.text import LANGUAGES, text
from backend.workspace import Workspace
from tests.fakes.prepared_datasets import put_prepared, record, report_of

MINE: dict[str, dict[str, Any]] = {
    "identity": {"hf_hub_url": "x/y", "formatting": "sharegpt"},
    "医学": {
        "file_name": "a/医学.json",
        "columns": {"prompt": "问", "response": "答"},
        "tags": {"role_tag": "role", "note": 'a "quoted" {word}'},
    },
    "cloud": {"cloud_file_name": "s3://x/y.jsonl"},
    "om": {"om_hub_url": "x/z", "subset": "en"},
}


def write(workspace: Workspace, content: str | bytes) -> None:
    data = content.encode() if isinstance(content, str) else content
    workspace.dataset_info.write_bytes(data)


def mended(workspace: Workspace) -> tuple[Repaired, dict[str, Any]]:
    broken = workspace.dataset_info.read_bytes()
    done = repair(workspace)
    assert done.backup.read_bytes() == broken, "what could not be read is still there"
    assert done.backup.parent == workspace.datasets and done.backup != workspace.dataset_info
    assert trouble_of(workspace) is None
    entries = read_entries(workspace)
    assert set(entries) == {*done.kept, *done.restored}
    return done, entries


# --- Where it is broken -------------------------------------------------------------------------


def test_nothing_is_wrong_with_a_whole_file_nor_with_none(workspace: Workspace) -> None:
    assert trouble_of(workspace) is None
    register(workspace, "x", report_of("x"))
    assert trouble_of(workspace) is None


DEEP = b'{"a": ' + b"[" * 100_000
BROKEN = {
    "missing comma": ('{\n  "a": {}\n  "b": {}\n}', 3, "not_json", '"b": {}'),
    "truncated": ('{\n  "a": {\n    "file_name": "x', 3, "not_json", '"file_name": "x'),
    "empty": ("", 1, "not_json", ""),
    "byte order mark": ("\ufeff{}", 1, "not_json", "\ufeff{}"),
    "a list": ('[{"a": {}}]', 1, "no_object", '[{"a": {}}]'),
    "null": ("null", 1, "no_object", "null"),
    "not UTF-8": (b'{\n"a": "\xff"}', 2, "not_utf8", ""),
    "deep": (DEEP, 1, "not_json", ""),
    "number too long": ('{\n"a": ' + "1" * 5000 + "}", 1, "not_json", ""),
}


@pytest.mark.parametrize(("content", "line", "key", "near"), BROKEN.values(), ids=BROKEN.keys())
def test_where_and_why(
    workspace: Workspace, content: str | bytes, line: int, key: str, near: str
) -> None:
    write(workspace, content)
    trouble = trouble_of(workspace)
    assert trouble is not None
    assert (trouble.line, trouble.key, trouble.near) == (line, key, near)
    for language in LANGUAGES:
        said = text(language, f"data.registry.{trouble.key}", near=trouble.near)
        assert trouble.near in said or trouble.key == "not_utf8"


def test_a_long_line_is_shown_in_part(workspace: Workspace) -> None:
    write(workspace, '{"a": "' + "x" * 5000)
    trouble = trouble_of(workspace)
    assert trouble is not None and len(trouble.near) == 80


def test_a_folder_in_its_place(workspace: Workspace) -> None:
    workspace.dataset_info.mkdir()
    trouble = trouble_of(workspace)
    assert trouble is not None
    assert (trouble.line, trouble.key, trouble.near) == (0, "unreadable", "Is a directory")
    with pytest.raises(DataError, match="can't be read and was left"):
        repair(workspace)
    assert workspace.dataset_info.is_dir()


# --- Making it whole ----------------------------------------------------------------------------


def test_a_missing_comma_costs_nothing(workspace: Workspace) -> None:
    """The most frequent slip of a person who edits it by hand."""
    write(workspace, json.dumps(MINE, indent=2, ensure_ascii=False).replace("\n  },", "\n  }"))
    assert trouble_of(workspace) is not None
    done, entries = mended(workspace)
    assert entries == MINE and done.kept == tuple(MINE) and done.restored == ()


def test_a_torn_end_costs_the_entry_that_it_is_in(workspace: Workspace) -> None:
    content = json.dumps(MINE, indent=2)
    write(workspace, content[: content.index('"om_hub_url"') + 12])
    _, entries = mended(workspace)
    assert entries == {name: entry for name, entry in MINE.items() if name != "om"}


def test_a_broken_entry_costs_itself_and_not_what_is_behind(workspace: Workspace) -> None:
    """What is inside of it (columns, tags) must not become an entry: "columns" would be offered as
    a dataset, and training on it ends in a traceback.
    """
    content = json.dumps(MINE, indent=2, ensure_ascii=False)
    write(workspace, content.replace('"file_name": "a/医学.json",', '"file_name": a/医学.json,'))
    _, entries = mended(workspace)
    assert entries == {name: entry for name, entry in MINE.items() if name != "医学"}


@pytest.mark.parametrize(
    "content",
    [b"", b"null", b"[]", DEEP, b'{"a":' * 1000, b'{"a":' * 3000 + b"}" * 3000, b"\x00\xff" * 9],
    ids=["empty", "null", "list", "deep list", "deep objects", "deep and closed", "noise"],
)
def test_nothing_to_save_but_what_was_prepared(workspace: Workspace, content: bytes) -> None:
    put_prepared(workspace, "x", validation=[record(9)])
    before = read_entries(workspace)
    write(workspace, content)
    done, entries = mended(workspace)
    assert entries == before
    assert (done.kept, done.restored) == ((), ("x", "x_validation"))
    assert [one.name for one in list_prepared(workspace)] == ["x"]


def test_entries_around_bytes_that_are_not_utf_8(workspace: Workspace) -> None:
    """An editor that wrote one line in Latin-1."""
    content = json.dumps(MINE, indent=2, ensure_ascii=False)
    write(workspace, content.encode().replace("a/医学.json".encode(), b"m\xe9decine.json"))
    _, entries = mended(workspace)
    assert set(MINE) - {"医学"} <= set(entries)
    assert all(entries[name] == MINE[name] for name in set(MINE) - {"医学"})


def test_entries_in_a_list_of_registries(workspace: Workspace) -> None:
    write(workspace, json.dumps([MINE]))
    assert mended(workspace)[1] == MINE


def test_what_a_person_wrote_for_a_prepared_dataset_stays(workspace: Workspace) -> None:
    put_prepared(workspace, "x")
    mine = {"x": {"file_name": "prepared/x/data.jsonl", "num_samples": 2}}
    write(workspace, json.dumps(mine)[:-1] + ",}")
    done, entries = mended(workspace)
    assert entries == mine and done.restored == ()


def test_a_whole_file_is_not_touched(workspace: Workspace) -> None:
    register(workspace, "x", report_of("x"))
    before = workspace.dataset_info.read_bytes()
    with pytest.raises(DataError, match="nothing to repair"):
        repair(workspace)
    assert workspace.dataset_info.read_bytes() == before
    assert list(workspace.datasets.glob("*broken*")) == []


def test_repairs_in_one_second_keep_each_broken_file(workspace: Workspace) -> None:
    backups: set[Path] = set()
    for number in range(5):
        write(workspace, f'{{"a{number}": ')
        backups.add(mended(workspace)[0].backup)
    assert len(backups) == 5
    assert {path.read_text() for path in backups} == {f'{{"a{n}": ' for n in range(5)}


def test_a_full_disk_leaves_the_broken_file_in_its_place(workspace: Workspace) -> None:
    """The sentence says that it was left as it is; it must not be gone from there."""
    broken = json.dumps(MINE)[:-9]
    write(workspace, broken)
    full = OSError(28, "No space left on device")
    with (
        patch.object(registry_repair, "write_text", side_effect=full),
        pytest.raises(DataError, match="left as it is"),
    ):
        repair(workspace)
    assert workspace.dataset_info.read_text() == broken


@settings(deadline=None, max_examples=60)
@given(
    end=st.floats(0, 1),
    entries=st.dictionaries(
        st.text(max_size=8),
        st.fixed_dictionaries(
            {"file_name": st.text(max_size=12)},
            optional={
                "columns": st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2),
                "ranking": st.booleans(),
            },
        ),
        max_size=4,
    ),
    indent=st.none() | st.just(2),
    escaped=st.booleans(),
)
def test_any_beginning_of_a_file_becomes_whole(
    tmp_path_factory: pytest.TempPathFactory,
    end: float,
    entries: dict[str, Any],
    indent: int | None,
    escaped: bool,
) -> None:
    """A write that broke off: what comes out is valid, and says nothing that was not there."""
    workspace = Workspace.open(tmp_path_factory.mktemp("w") / "w")
    put_prepared(workspace, "ours")
    ours = read_entries(workspace)
    whole = json.dumps({**ours, **entries}, indent=indent, ensure_ascii=escaped).encode()
    torn = whole[: int(end * len(whole))]
    write(workspace, torn)
    if trouble_of(workspace) is None:
        assert read_entries(workspace) == {**ours, **entries}
        return
    _, found = mended(workspace)
    assert found.items() >= ours.items() or "ours" in entries
    assert all(({**ours, **entries})[name] == entry for name, entry in found.items())
