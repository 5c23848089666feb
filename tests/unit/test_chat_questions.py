"""Where questions come from, and whether a run has seen them."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest

from backend.chat import questions as module
from backend.chat.dataset_questions import (
    Seen,
    dataset_questions,
    file_questions,
    seen_datasets,
    some_validation,
    typed_questions,
    unseen_question,
)
from backend.chat.questions import add_own_question, own_questions, remove_own_question
from backend.chat.sheets import Question
from backend.data.reading.reader import RowReader
from backend.data.registry import LEFT_OUT_FILE, find_prepared
from backend.errors import EngineError
from backend.files import write_json
from backend.workspace import Workspace
from tests.fakes.prepared_datasets import put_prepared, record
from tests.fakes.ready_workspace import DATASET_WITH_VALIDATION

# --- The own list -------------------------------------------------------------------------------


def test_the_own_list_is_kept(workspace: Workspace) -> None:
    add_own_question(workspace, " Tired? ", "Ferritin.")
    add_own_question(workspace, "Fever?")
    assert own_questions(workspace) == [
        Question("Tired?", "own", reference="Ferritin."),
        Question("Fever?", "own"),
    ]
    add_own_question(workspace, "Tired?", "Iron.")
    assert [one.reference for one in own_questions(workspace)] == ["Iron.", ""]
    remove_own_question(workspace, "Tired?")
    remove_own_question(workspace, "never there")
    assert [one.text for one in own_questions(workspace)] == ["Fever?"]


def test_what_the_own_list_does_not_take(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_OWN", 1)
    add_own_question(workspace, "Tired?")
    for text, said in (("  ", "empty"), ("x" * 100_001, "100000"), ("Fever?", "holds 1")):
        with pytest.raises(EngineError, match=said):
            add_own_question(workspace, text)
    assert [one.text for one in own_questions(workspace)] == ["Tired?"]


@pytest.mark.parametrize("value", [[], {"questions": 3}, {"questions": [3, {}, {"text": " "}]}])
def test_a_damaged_list_is_an_empty_one(workspace: Workspace, value: object) -> None:
    write_json(workspace.chats / "questions" / "own.json", value)
    assert own_questions(workspace) == []


# --- Rows ---------------------------------------------------------------------------------------


def seen(workspace: Workspace, train: int = 6, validation: int = 4, **more: object) -> Seen:
    rows = [record(number) for number in range(train)]
    aside = [record(100 + number) for number in range(validation)]
    dataset = put_prepared(workspace, "notes", rows, aside, **more)
    return Seen(dataset, "first", train)


def test_rows_say_whether_they_were_trained_on(workspace: Workspace) -> None:
    found = seen(workspace)
    (trained,) = dataset_questions(workspace, found, "trained", [2])
    assert (trained.text, trained.reference) == ("question 2", "answer 2")
    assert (trained.origin, trained.source, trained.row) == ("trained", "notes", 3)
    (kept,) = dataset_questions(workspace, found, "validation", [3, 4])
    assert (kept.text, kept.origin, kept.row) == ("question 103", "validation", 4)
    fewer = replace(found, trained=2)
    assert len(dataset_questions(workspace, fewer, "trained", range(9))) == 2


def test_a_page_of_a_large_dataset_costs_that_page(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = seen(workspace, train=3000)
    dataset_questions(workspace, found, "trained", [0])  # the index is made once
    read: list[int] = []
    page = RowReader.page
    monkeypatch.setattr(
        RowReader, "page", lambda self, start, size: read.append(size) or page(self, start, size)
    )
    rows = dataset_questions(workspace, found, "trained", range(2000, 2005))
    assert [row.text for row in rows] == [f"question {number}" for number in range(2000, 2005)]
    assert sum(read) == 5


def test_the_same_validation_rows_are_drawn_each_time(workspace: Workspace) -> None:
    found = seen(workspace, validation=20)
    drawn = some_validation(workspace, found, 5)
    assert drawn == some_validation(workspace, found, 5)
    rows = [one.row for one in drawn]
    assert len(set(rows)) == 5 and rows == sorted(rows)
    assert len(some_validation(workspace, found, 99)) == 20


def test_the_dataset_of_a_run_is_that_which_it_was_trained_on(ready: Workspace) -> None:
    dataset = find_prepared(ready, DATASET_WITH_VALIDATION)
    folder = ready.runs / "first"
    folder.mkdir()
    values = {"dataset": dataset.name, "max_samples": 5}
    write_json(folder / "run.json", {"created": "2026-01-01T00:00:00+00:00", "values": values})
    (found,) = seen_datasets(ready, ["first", "", "gone", "first"])
    assert (found.run, found.trained, found.certain) == ("first", 5, False)
    report = dataset.report
    data = {
        "source_sha256": report.source_sha256,
        "recipe": report.recipe.to_json(),
        "settings": report.settings.to_json(),
    }
    write_json(folder / "record.json", {"data": data})
    assert seen_datasets(ready, ["first"])[0].certain
    every = seen_datasets(ready, [])
    assert {one.dataset.name for one in every} == {"notes", DATASET_WITH_VALIDATION}


# --- Rows that were not seen --------------------------------------------------------------------


def drawn(workspace: Workspace, found: Seen, times: int = 60) -> set[tuple[str, str]]:
    chance = random.Random(0)
    every = [unseen_question(workspace, found, chance) for _ in range(times)]
    return {(one.origin, one.text) for one in every}


def test_an_unseen_row_is_none_that_was_trained_on(workspace: Workspace) -> None:
    found = replace(seen(workspace, validation=2), trained=5)
    assert drawn(workspace, found) == {
        ("validation", "question 100"),
        ("validation", "question 101"),
        ("beyond", "question 5"),
    }


def test_a_row_that_was_left_out_is_read_from_the_source(ready: Workspace, tmp_path: Path) -> None:
    """One that was left out since it repeats another was seen: its twin was trained on."""
    dataset = find_prepared(ready, "notes")
    left_out = [
        {"row": 3, "why": "by_hand"},
        {"row": 5, "why": "by_check", "checks": ["near_duplicate"]},
        {"row": 7, "why": "by_check", "checks": ["very_short"]},
        {"row": 999, "why": "by_hand"},
    ]
    lines = "".join(json.dumps(one) + "\n" for one in left_out)
    (dataset.folder / LEFT_OUT_FILE).write_text(lines, encoding="utf-8")
    report = replace(dataset.report, left_out={"by_hand": 2, "by_check": 2})
    found = Seen(replace(dataset, report=report), "first", report.train_rows)
    source = json.loads((ready.raw_datasets / "notes.json").read_text(encoding="utf-8"))
    assert drawn(ready, found) == {
        ("left_out", source[2]["Question"]),
        ("left_out", source[6]["Question"]),
    }
    (ready.raw_datasets / "notes.json").write_text(json.dumps(source[1:]), encoding="utf-8")
    with pytest.raises(EngineError, match="no usable row"):
        unseen_question(ready, found, random.Random(0))


def test_that_all_was_seen_is_said(workspace: Workspace) -> None:
    with pytest.raises(EngineError, match="no usable row"):
        unseen_question(workspace, seen(workspace, validation=0), random.Random(0))


# --- Typed, and in files ------------------------------------------------------------------------


def test_a_line_is_a_question_and_a_block_between_blank_lines_too() -> None:
    assert [one.text for one in typed_questions("Tired?\n Fever? \n")] == ["Tired?", "Fever?"]
    blocks = "A man, 60.\nTired.\n\nA woman, 20.\n \nFever."
    assert [one.text for one in typed_questions(blocks)] == [
        *("A man, 60.\nTired.", "A woman, 20.", "Fever.")
    ]
    assert typed_questions(" \n ") == []


def test_questions_are_found_in_files(workspace: Workspace, tmp_path: Path) -> None:
    full = tmp_path / "full.json"
    rows = [{"Question": f"q {n}", "Complex_CoT": "hm", "Response": "r"} for n in range(4)]
    full.write_text(json.dumps(rows), encoding="utf-8")
    found = file_questions(workspace, full, most=3)
    assert [(one.text, one.row) for one in found] == [("q 0", 1), ("q 1", 2), ("q 2", 3)]
    assert found[0].reference == "<think>\nhm\n</think>\n\nr"
    asked = tmp_path / "asked.csv"
    asked.write_text("id,问题\n1,Tired?\n2,\n3,Fever?\n", encoding="utf-8")
    assert [one.text for one in file_questions(workspace, asked, most=9)] == ["Tired?", "Fever?"]
    lines = tmp_path / "lines.txt"
    lines.write_text("Tired?\nFever?\n", encoding="utf-8")
    assert [one.source for one in file_questions(workspace, lines, most=9)] == ["lines.txt"] * 2
    other = tmp_path / "other.csv"
    other.write_text("height,weight\n180,80\n", encoding="utf-8")
    with pytest.raises(EngineError, match="No column"):
        file_questions(workspace, other, most=9)
