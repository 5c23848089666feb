"""The list of prepared datasets and LLaMA-Factory's dataset_info.json."""

from __future__ import annotations

import json
import multiprocessing
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from backend.data import registry
from backend.data.decisions import Decisions
from backend.data.meaning.mapping import ColumnMap, Role, Shape
from backend.data.meaning.records import Target
from backend.data.recipe import Cutoff, PrepareSettings, Recipe, settings_of
from backend.data.registry import (
    delete_prepared,
    entries_of,
    find_prepared,
    lessons_of,
    list_prepared,
    prepared_folders,
    read_entries,
    register,
    unregister,
)
from backend.data.report import CheckReport, Report
from backend.errors import DataError
from backend.problems import Problem
from backend.workspace import Workspace
from tests.fakes.prepared_datasets import put_prepared, record, report_of

ALPACA = {"prompt": "instruction", "query": "input", "response": "output"}

# --- Settings and reports -------------------------------------------------------------------------


def test_settings_as_they_are_entered() -> None:
    assert settings_of(" a ", percent=10, seed=7.0) == PrepareSettings("a", 0.1, 7)


@pytest.mark.parametrize(
    ("percent", "seed", "key"),
    [
        (None, 42, "data.errors.share_missing"),
        (10, None, "data.errors.seed_bad"),
        (10, 2.5, "data.errors.seed_bad"),
        (10, float("nan"), "data.errors.seed_bad"),
        (10, float("inf"), "data.errors.seed_bad"),
    ],
)
def test_a_field_that_was_emptied_is_not_zero(
    percent: float | None, seed: float | None, key: str
) -> None:
    with pytest.raises(DataError) as caught:
        settings_of("a", percent=percent, seed=seed)
    assert caught.value.key == key


FULL = report_of(
    "x",
    train=5,
    validation=2,
    target=Target.RANKING,
    system=True,
    mended=3,
    left_out={"by_check": 2, "unusable": 4},
    unusable=((Problem("data.problems.column_missing", {"column": "问"}), 4),),
    checks={"refusal": CheckReport(2, True), "no_reasoning": CheckReport(1, False)},
    recipe=Recipe(
        ColumnMap(Shape.CHOICE, {Role.OPTIONS: ("A", "B")}, prompt="{question}", one_based=True),
        Decisions({"refusal": True}, frozenset({3}), frozenset({1, 2})),
        evaluation="exam.json",
        cutoff=Cutoff("org/model", "deepseekr1", 2048),
    ),
)


@pytest.mark.parametrize("report", [report_of("x"), FULL])
def test_a_report_survives_the_disk(report: Report) -> None:
    assert Report.from_json(json.loads(json.dumps(report.to_json()))) == report


def test_rows_left_out_are_counted_over_all_reasons() -> None:
    assert FULL.left_out_rows == 6


def test_a_folder_deleted_under_a_running_page_has_no_datasets(workspace: Workspace) -> None:
    """Every refresh of the page then ended in a traceback, until MedTune was started again."""
    shutil.rmtree(workspace.prepared_datasets)
    assert list_prepared(workspace) == prepared_folders(workspace) == []


# --- dataset_info.json ----------------------------------------------------------------------------


def test_entries(workspace: Workspace) -> None:
    register(workspace, "x", report_of("x", validation=2))
    register(workspace, "医学", report_of("医学", system=True))
    entry = {"formatting": "alpaca", "columns": ALPACA}
    assert json.loads(workspace.dataset_info.read_text("utf-8")) == {
        "x": {"file_name": "prepared/x/data.jsonl", **entry},
        "x_validation": {"file_name": "prepared/x/validation.jsonl", **entry},
        "医学": {
            "file_name": "prepared/医学/data.jsonl",
            "formatting": "alpaca",
            "columns": {**ALPACA, "system": "system"},
        },
    }
    unregister(workspace, "x", report_of("x", validation=2))
    assert list(read_entries(workspace)) == ["医学"]


def test_entries_for_files_that_lie_elsewhere() -> None:
    """A dataset is tried before it has its place: its files are then beside the registry."""
    entries = entries_of("x", report_of("x", validation=1), folder="content")
    assert [one["file_name"] for one in entries.values()] == [
        *("content/data.jsonl", "content/validation.jsonl")
    ]
    assert list(entries) == ["x", "x_validation"]


@pytest.mark.parametrize(
    ("target", "formatting", "ranking"),
    [
        (Target.ALPACA, "alpaca", False),
        (Target.SHAREGPT, "sharegpt", False),
        (Target.RANKING, "sharegpt", True),
    ],
)
def test_each_form_of_rows_has_its_entry(target: Target, formatting: str, ranking: bool) -> None:
    """A preference pair whose entry lacks ``ranking`` is trained on as if it had no answers."""
    (entry,) = entries_of("x", report_of("x", target=target)).values()
    assert (entry["formatting"], entry.get("ranking", False)) == (formatting, ranking)


def test_file_is_plain_ascii(workspace: Workspace) -> None:
    """LLaMA-Factory opens it in the system's encoding, which is GBK on a Chinese Windows."""
    register(workspace, "医学", report_of("医学"))
    assert workspace.dataset_info.read_bytes().isascii()


def test_entries_made_by_hand_stay(workspace: Workspace) -> None:
    mine = {"identity": {"hf_hub_url": "x/y", "formatting": "sharegpt"}, "x": {"file_name": "a"}}
    workspace.dataset_info.write_text(json.dumps(mine))
    register(workspace, "new", report_of("new"))
    unregister(workspace, "new", report_of("new"))
    unregister(workspace, "x", report_of("x"))
    assert read_entries(workspace) == mine
    with pytest.raises(DataError, match="another entry named “x”"):
        register(workspace, "x", report_of("x"))
    assert read_entries(workspace) == mine


def test_registering_again_changes_nothing(workspace: Workspace) -> None:
    register(workspace, "x", report_of("x"))
    before = workspace.dataset_info.stat().st_ino
    register(workspace, "x", report_of("x"))
    assert workspace.dataset_info.stat().st_ino == before, "the file was not written anew"


DAMAGED = {
    "half": b'{"a": {}',
    "empty": b"",
    "list": b"[]",
    "null": b"null",
    "not UTF-8": b"\xff\xfe{}",
    "byte order mark": b"\xef\xbb\xbf{}",
    "deep": b"[" * 100_000,
    "number too long": b'{"a": ' + b"1" * 5000 + b"}",
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_damaged_file_is_said_and_left_alone(workspace: Workspace, content: bytes) -> None:
    workspace.dataset_info.write_bytes(content)
    actions: tuple[Callable[[], Any], ...] = (
        lambda: register(workspace, "x", report_of("x")),
        lambda: unregister(workspace, "x", report_of("x")),
        lambda: list_prepared(workspace),
    )
    for action in actions:
        with pytest.raises(DataError, match="left as it is|left as it was") as caught:
            action()
        assert str(workspace.dataset_info) in caught.value.sentence("zh")
    assert workspace.dataset_info.read_bytes() == content


def test_damaged_line_is_named(workspace: Workspace) -> None:
    workspace.dataset_info.write_text('{\n  "a": {}\n  "b": {}\n}')
    with pytest.raises(DataError, match="line 3"):
        read_entries(workspace)


def _register_some(root: Path, start: int) -> None:
    workspace = Workspace(root)
    for number in range(start, start + 10):
        register(workspace, f"d{number}", report_of(f"d{number}"))


def test_two_processes_lose_no_entry(workspace: Workspace) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_register_some, args=(workspace.root, start)) for start in (0, 10)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0, 0]
    assert set(read_entries(workspace)) == {f"d{number}" for number in range(20)}


def test_locked_file(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "_LOCK_SECONDS", 0.1)
    with (
        FileLock(workspace.datasets / ".dataset_info.lock"),
        pytest.raises(DataError, match="being changed by another program"),
    ):
        register(workspace, "x", report_of("x"))


# --- Prepared datasets ----------------------------------------------------------------------------


def test_list_and_find(workspace: Workspace) -> None:
    assert list_prepared(workspace) == []
    put_prepared(workspace, "b")
    put_prepared(workspace, "a")
    assert [one.name for one in list_prepared(workspace)] == ["a", "b"]
    assert find_prepared(workspace, "b").report == report_of("b")
    for missing in ("c", "", "../prepared/a", "a/../b", "x\0"):
        with pytest.raises(DataError, match="no prepared dataset"):
            find_prepared(workspace, missing)


@pytest.mark.parametrize("lost", [["a", "a_validation"], ["a"], ["a_validation"]])
def test_lost_entry_is_made_again(workspace: Workspace, lost: list[str]) -> None:
    """A crash between a folder and its entry, a registry that was removed as damaged, or a person
    who deleted one line of two: training with validation would end in "undefined dataset".
    """
    put_prepared(workspace, "a", validation=[record(9)])
    put_prepared(workspace, "b")
    before = read_entries(workspace)
    left = {name: entry for name, entry in before.items() if name not in lost}
    workspace.dataset_info.write_text(json.dumps(left))
    list_prepared(workspace)
    assert read_entries(workspace) == before


def test_a_foreign_entry_of_the_same_name_is_left_alone(workspace: Workspace) -> None:
    """A person points the name elsewhere by hand: that must not break the list for all others."""
    put_prepared(workspace, "a", validation=[record(9)])
    mine = {"a": {"file_name": "elsewhere.json"}}
    workspace.dataset_info.write_text(json.dumps(mine))
    assert [one.name for one in list_prepared(workspace)] == ["a"]
    assert read_entries(workspace) == mine


def test_folders_are_found_whatever_the_registry_says(workspace: Workspace) -> None:
    put_prepared(workspace, "a")
    workspace.dataset_info.write_text("{")
    assert [one.name for one in prepared_folders(workspace)] == ["a"]


def test_other_folders_are_no_datasets(workspace: Workspace) -> None:
    whole = json.dumps(report_of("x").to_json())
    reports = {"x": None, "y": "{", "z": "{}", "w": "[1]", ".preparing-1": whole}
    for name, report in reports.items():
        (workspace.prepared_datasets / name).mkdir()
        if report is not None:
            (workspace.prepared_datasets / name / "report.json").write_text(report)
    (workspace.prepared_datasets / "file").write_text("")
    assert list_prepared(workspace) == []


def test_delete(workspace: Workspace) -> None:
    put_prepared(workspace, "a", validation=[record(9)])
    put_prepared(workspace, "b", validation=[record(9)])
    delete_prepared(workspace, "a")
    assert [one.name for one in list_prepared(workspace)] == ["b"]
    assert set(read_entries(workspace)) == {"b", "b_validation"}
    left = [path.name for path in workspace.prepared_datasets.iterdir() if path.is_dir()]
    assert left == ["b"]
    with pytest.raises(DataError, match="no prepared dataset"):
        delete_prepared(workspace, "a")


def test_lessons_are_read_line_by_line(workspace: Workspace) -> None:
    """U+2028 ends a line for Python's ``splitlines`` and for no JSON reader."""
    rows = [
        {"instruction": "Answer.", "input": "Why?", "output": "a\u2028b", "system": "Be brief."},
        record(2),
    ]
    prepared = put_prepared(workspace, "x", rows, [record(7)])
    assert [(one.question, one.output) for one in lessons_of(prepared)] == [
        ("Answer.\nWhy?", "a\u2028b"),
        ("question 2", "answer 2"),
    ]
    assert [one.system for one in lessons_of(prepared)] == ["Be brief.", ""]
    assert [one.question for one in lessons_of(prepared, validation=True)] == ["question 7"]
    assert list(lessons_of(put_prepared(workspace, "y"), validation=True)) == []
