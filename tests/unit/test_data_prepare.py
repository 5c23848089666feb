"""Preparing a dataset: what is written, what is refused, and that nothing is left half done."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.data.checks.registry import CHECKS
from backend.data.decisions import Decisions
from backend.data.meaning.mapping import ColumnMap, Role, Shape
from backend.data.meaning.records import Target
from backend.data.prepare import Load, Plan, prepare
from backend.data.preparing import prepare_now
from backend.data.reading.reader import RowReader
from backend.data.recipe import PrepareSettings, Recipe
from backend.data.registry import find_prepared, lessons_of, list_prepared, read_entries
from backend.data.report import CheckReport, Report
from backend.data.studies import Request, columns_of, obtain_study
from backend.data.tasks import Progress
from backend.errors import DataError, WorkspaceError
from backend.problems import Problem
from backend.text import ASSETS
from backend.workspace import Workspace
from tests.conftest import ROOT
from tests.fakes.ready_workspace import medical_row, medical_rows

SAMPLE = ASSETS / "samples" / "medical_en.json"
FILES = ("data.jsonl", "validation.jsonl", "left_out.jsonl", "report.json", "README.md")


def quiet(_step: str, _done: int, _total: int) -> None:
    pass


def source_of(folder: Path, rows: Sequence[Any], name: str = "source.json") -> Path:
    path = folder / name
    path.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    return path


def plan_of(
    workspace: Workspace, source: Path, chosen: PrepareSettings, recipe: Recipe | None = None
) -> Plan:
    """What ``prepare_now`` makes of a file, to be prepared in another way."""
    reader = RowReader.open(source, cache=workspace.cache)
    recipe = recipe or Recipe(columns_of(reader))
    request = Request(source, recipe.columns, mended=recipe.decisions.mended)
    found = obtain_study(workspace, request, quiet)
    return Plan(source, reader.stamp, recipe, chosen, found)


def prepared(
    workspace: Workspace,
    source: Path,
    chosen: PrepareSettings,
    *,
    progress: Progress = quiet,
    load: Load | None = None,
) -> Report:
    return prepare(workspace, plan_of(workspace, source, chosen), progress=progress, load=load)


def recipe_of(source: Path, workspace: Workspace, decisions: Decisions) -> Recipe:
    return Recipe(columns_of(RowReader.open(source, cache=workspace.cache)), decisions)


NOTHING_APPLIED = Decisions({check.id: False for check in CHECKS})


def records(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_bytes().splitlines()] if file.exists() else []


def rows_in(workspace: Workspace, name: str = "x") -> list[list[dict[str, Any]]]:
    """The rows for training, for validation, and those left out."""
    folder = workspace.prepared_datasets / name
    return [records(folder / file) for file in FILES[:3]]


def left_behind(workspace: Workspace) -> list[str]:
    """Folders that a person or LLaMA-Factory could take for a dataset, and unfinished ones."""
    return sorted(path.name for path in workspace.prepared_datasets.iterdir() if path.is_dir())


# --- What is written ----------------------------------------------------------------------------


def test_sample(workspace: Workspace) -> None:
    made = prepare_now(workspace, SAMPLE, PrepareSettings("first", validation_share=0.1))
    assert {path.name for path in made.folder.iterdir()} == set(FILES)
    train, validation, left_out = rows_in(workspace, "first")
    source = json.loads(SAMPLE.read_bytes())
    assert (made.report.train_rows, made.report.validation_rows) == (len(train), len(validation))
    assert len(train) + len(validation) == made.report.source_rows == len(source)
    assert {one["instruction"] for one in train + validation} == {one["Question"] for one in source}
    assert len(validation) == round(0.1 * len(source))
    assert left_out == []
    assert read_entries(workspace)["first"]["file_name"] == "prepared/first/data.jsonl"
    assert read_entries(workspace)["first_validation"]["columns"]["query"] == "input"
    assert left_behind(workspace) == ["first"]


def test_a_row_says_what_it_teaches(workspace: Workspace, tmp_path: Path) -> None:
    prepare_now(workspace, source_of(tmp_path, [medical_row(7)]), PrepareSettings("x", 0))
    row = medical_row(7)
    output = f"<think>\n{row['Complex_CoT']}\n</think>\n\n{row['Response']}"
    expected = {"instruction": row["Question"], "input": "", "output": output, "system": ""}
    assert rows_in(workspace) == [[expected], [], []]


DAMAGED = "Remedy 1 — twice a day — helps."
ALIKE = {
    "a telephone number": ("Ring 13812345678 if it bleeds.", "Ring 13987654321 if it bleeds."),
    "a record number": ("MRN: 00482913 has it too.", "MRN: 55190022 has it too."),
    "an address": ("Write to li.na@example.org then.", "Write to w.wang@example.com then."),
    "an invisible character": ("It bleeds\u200b often.", "It bleeds often."),
    "a wrong encoding": (DAMAGED.encode().decode("cp1252"), DAMAGED),
}


@pytest.mark.parametrize("kind", ALIKE)
def test_rows_are_compared_as_they_are_taught(
    workspace: Workspace, tmp_path: Path, kind: str
) -> None:
    """Two rows that differed in a telephone number only were no duplicates; masked, they became one
    and the same text, which was taught twice or stood on both sides of the split.
    """
    rows: list[dict[str, str]] = medical_rows(20)
    for number, words in enumerate(ALIKE[kind]):
        rows[number * 11] = {**medical_row(90), "Response": words}
    made = prepare_now(workspace, source_of(tmp_path, rows), PrepareSettings("x", 0.4))
    train, validation, left_out = rows_in(workspace)
    outputs = [one["output"] for one in train + validation]
    assert len(set(outputs)) == len(outputs) == 19
    assert left_out == [{"row": 12, "why": "by_check", "checks": ["exact_duplicate"]}]
    assert made.report.checks["exact_duplicate"].rows == 1


@pytest.mark.parametrize("kind", ALIKE)
@pytest.mark.parametrize("seed", range(6))
def test_questions_that_become_one_stay_on_one_side(
    workspace: Workspace, tmp_path: Path, kind: str, seed: int
) -> None:
    """The same in questions: what was one once it was masked or repaired had groups of its own, so
    that the model was validated on questions that it was taught.
    """
    rows: list[dict[str, str]] = medical_rows(4)
    for number, words in enumerate(ALIKE[kind]):
        asked = f"What is done about this? {words}"
        rows.append({**medical_row(90 + number), "Question": asked})
    prepare_now(workspace, source_of(tmp_path, rows), PrepareSettings("x", 0.34, seed))
    train, validation, _ = rows_in(workspace)
    assert len(train) + len(validation) == 6 and validation
    assert not {one["instruction"] for one in train} & {one["instruction"] for one in validation}


def test_same_input_and_recipe_give_the_same_bytes(tmp_path: Path) -> None:
    """All of them: report and card had the time and the place in them, so that two people could not
    tell whether they have the same dataset.
    """
    made = []
    for name in ("one", "two"):
        workspace = Workspace.open(tmp_path / name)
        path = source_of(workspace.raw_datasets, [*medical_rows(60), {"Question": 1}])
        prepared = prepare_now(workspace, path, PrepareSettings("x", 0.2))
        os.utime(prepared.folder / "report.json", (0, 0) if name == "one" else None)
        made.append([(prepared.folder / file).read_bytes() for file in FILES])
        assert prepared.report.source == "datasets/raw/source.json"
        assert (prepared.created == "1970-01-01T00:00:00+00:00") is (name == "one")
    assert made[0] == made[1] and all(made[0])


def test_another_seed_keeps_other_rows(workspace: Workspace, tmp_path: Path) -> None:
    path = source_of(tmp_path, medical_rows(60))
    one, two = (
        prepare_now(workspace, path, PrepareSettings(f"seed{seed}", 0.2, seed=seed))
        for seed in (1, 2)
    )
    first, second = (list(lessons_of(each, validation=True)) for each in (one, two))
    assert first != second


def test_source_is_never_touched(workspace: Workspace, tmp_path: Path) -> None:
    path = source_of(tmp_path, medical_rows(5))
    path.chmod(0o444)
    before = path.read_bytes(), path.stat().st_mtime_ns
    prepare_now(workspace, path, PrepareSettings("x"))
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before
    assert list(tmp_path.glob("*.json")) == [path]


def test_no_validation_file_where_nothing_is_kept(workspace: Workspace, tmp_path: Path) -> None:
    """LLaMA-Factory can't load an empty file."""
    made = prepare_now(workspace, source_of(tmp_path, medical_rows(5)), PrepareSettings("x", 0))
    assert made.report.validation_rows == 0 and made.validation_file is None
    assert not (made.folder / "validation.jsonl").exists()
    assert list(read_entries(workspace)) == ["x"]


def test_progress(workspace: Workspace, tmp_path: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    source = source_of(tmp_path, medical_rows(1100))
    prepared(
        workspace,
        source,
        PrepareSettings("x"),
        progress=lambda *told: seen.append(told),
        load=all_of,
    )
    assert seen == [("write", done, 1100) for done in (500, 1000, 1100)] + [("load", 0, 0)]


WORDS = st.text(max_size=12)


@settings(deadline=None, max_examples=30)
@given(
    rows=st.lists(
        st.tuples(st.sampled_from(["Why?", "Where?", " why? "]) | WORDS, WORDS, WORDS), min_size=1
    ),
    share=st.floats(0, 0.99),
)
def test_every_row_is_in_one_file_and_taught_word_for_word(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, str, str]], share: float
) -> None:
    """With all remedies off nothing is changed and nothing is left out but what teaches nothing."""
    folder = tmp_path_factory.mktemp("prepare")
    workspace = Workspace.open(folder / "workspace")
    rows = [*rows, ("Who?", "Hm.", "Me.")]
    names = ("Question", "Complex_CoT", "Response")
    source = source_of(folder, [dict(zip(names, row, strict=True)) for row in rows])
    columns = {Role(role): (name,) for role, name in zip(ROLES, names, strict=True)}
    recipe = Recipe(ColumnMap(Shape.MEDICAL_O1, columns), NOTHING_APPLIED)
    made = prepare_now(workspace, source, PrepareSettings("x", share), recipe)
    train, validation, left_out = rows_in(workspace)
    assert not {r["instruction"] for r in train} & {r["instruction"] for r in validation}
    missing = {one["row"] for one in left_out}
    assert len(missing) == len(left_out) == made.report.left_out_rows
    assert len(train) + len(validation) + len(left_out) == len(rows)
    taught = [row for number, row in enumerate(rows, start=1) if number not in missing]
    assert sorted((one["instruction"], one["output"]) for one in train + validation) == sorted(
        (question, as_output(reasoning, answer)) for question, reasoning, answer in taught
    )
    assert all(not (rows[n - 1][0].strip() and rows[n - 1][2].strip()) for n in missing)


ROLES = ("question", "reasoning", "answer")


def as_output(reasoning: str, answer: str) -> str:
    """R1's form, where there is any reasoning; line ends beside the tags are the form's own."""
    if not reasoning.strip():
        return answer
    inside = reasoning.strip("\r\n")
    return f"<think>\n{inside}\n</think>\n\n{answer}"


# --- What is left out, repaired and kept --------------------------------------------------------

REFUSAL = "I'm sorry, but I can't help with that."


def faulty_rows() -> list[Any]:
    """Twenty rows: 3 refuses, with a telephone number, 5 lacks its answer, 8 repeats row 2, 9 asks
    what row 1 asks, 12 has a telephone number, 14 a zero-width space, 16 is no object, 17 refuses.
    """
    rows: list[Any] = medical_rows(20)
    rows[2] = {**rows[2], "Response": f"{REFUSAL} Call 13812345678."}
    rows[4] = {**rows[4], "Response": ""}
    rows[7] = rows[1]
    rows[8] = {**rows[8], "Question": rows[0]["Question"]}
    rows[11] = {**rows[11], "Response": "Call 13812345678, then take Remedy 11."}
    rows[13] = {**rows[13], "Response": "Remedy\u200b 13, twice a day, helps."}
    rows[15] = 5
    rows[16] = {**rows[16], "Response": REFUSAL}
    return rows


def test_every_row_that_is_missing_is_named_with_its_reason(
    workspace: Workspace, tmp_path: Path
) -> None:
    source = source_of(tmp_path, faulty_rows())
    recipe = recipe_of(source, workspace, Decisions().leave_out([6]).put_back([17]))
    made = prepare_now(workspace, source, PrepareSettings("x", 0.2), recipe)
    train, validation, left_out = rows_in(workspace)
    assert left_out == [
        {"row": 3, "why": "by_check", "checks": ["refusal"]},
        {
            "row": 5,
            "why": "unusable",
            "problem": "data.problems.empty_answer",
            "params": {"column": "Response"},
        },
        {"row": 6, "why": "by_hand"},
        {"row": 8, "why": "by_check", "checks": ["exact_duplicate"]},
        {
            "row": 16,
            "why": "unusable",
            "problem": "data.problems.row_not_object",
            "params": {"near": "5"},
        },
    ]
    assert len(train) + len(validation) == 15
    assert made.report.left_out == {"by_check": 2, "by_hand": 1, "unusable": 2}
    outputs = " ".join(one["output"] for one in train + validation)
    assert outputs.count(REFUSAL) == 1, "row 17 was kept by hand, row 3 was not"


def test_what_is_taught_is_repaired_and_masked(workspace: Workspace, tmp_path: Path) -> None:
    made = prepare_now(workspace, source_of(tmp_path, faulty_rows()), PrepareSettings("x", 0.2))
    train, validation, _ = rows_in(workspace)
    whole = json.dumps(train + validation, ensure_ascii=False)
    assert "13812345678" not in whole and "\u200b" not in whole
    assert "then take Remedy 11." in whole and "Remedy 13, twice a day, helps." in whole
    assert made.report.mended == 2


def test_what_nobody_wants_repaired_stays(workspace: Workspace, tmp_path: Path) -> None:
    source = source_of(tmp_path, faulty_rows())
    recipe = recipe_of(source, workspace, NOTHING_APPLIED)
    made = prepare_now(workspace, source, PrepareSettings("x", 0.2), recipe)
    train, validation, left_out = rows_in(workspace)
    whole = json.dumps(train + validation, ensure_ascii=False)
    assert "13812345678" in whole and "Remedy\u200b 13" in whole
    assert (made.report.mended, [one["row"] for one in left_out]) == (0, [5, 16])


@pytest.mark.parametrize("seed", range(5))
def test_relatives_are_never_on_both_sides(workspace: Workspace, tmp_path: Path, seed: int) -> None:
    """Each question comes three times, with one answer and with others: kept, they all go to one
    side, or the loss in validation is that of what was learned by heart.
    """
    rows = [
        {**medical_row(number), "Response": f"{medical_row(number)['Response']} {tail}".strip()}
        for tail in ("", "", "Or rest.")
        for number in range(12)
    ]
    source = source_of(tmp_path, rows)
    recipe = recipe_of(source, workspace, NOTHING_APPLIED)
    prepare_now(workspace, source, PrepareSettings("x", 0.3, seed=seed), recipe)
    train, validation, _ = rows_in(workspace)
    assert (len(train), len(validation)) == (27, 9)
    assert not {r["instruction"] for r in train} & {r["instruction"] for r in validation}


def test_rows_over_the_cutoff_are_dropped(workspace: Workspace, tmp_path: Path) -> None:
    source = source_of(tmp_path, faulty_rows())
    plan = plan_of(workspace, source, PrepareSettings("x", 0))
    over = np.zeros(20, dtype=bool)
    over[[0, 2, 19]] = True
    decisions = Decisions().put_back([20])
    recipe = replace(plan.recipe, decisions=decisions)
    report = prepare(workspace, replace(plan, over=over, recipe=recipe), progress=quiet)
    left_out = {one["row"]: one["why"] for one in rows_in(workspace)[2]}
    assert left_out[1] == "over_cutoff"
    assert left_out[3] == "by_check", "the check's word comes first"
    assert 20 not in left_out, "a person kept it"
    assert report.left_out["over_cutoff"] == 1


def test_a_row_of_which_a_repair_leaves_nothing(workspace: Workspace, tmp_path: Path) -> None:
    """A zero-width space is something until it is repaired; LLaMA-Factory drops an empty answer."""
    rows = [*medical_rows(3), {**medical_row(3), "Complex_CoT": "", "Response": "\u200b\u200b"}]
    made = prepare_now(workspace, source_of(tmp_path, rows), PrepareSettings("x", 0), PLAIN)
    assert rows_in(workspace)[2] == [{"row": 4, "why": "emptied"}]
    assert made.report.left_out == {"emptied": 1}
    assert (made.report.train_rows, made.report.mended) == (3, 0)


def test_a_file_of_which_a_repair_leaves_nothing(workspace: Workspace, tmp_path: Path) -> None:
    row = {**medical_row(3), "Complex_CoT": "", "Response": "\u200b\u200b"}
    with pytest.raises(DataError, match="No row of “source.json” can be used: all 1 are left out"):
        prepare_now(workspace, source_of(tmp_path, [row]), PrepareSettings("x", 0), PLAIN)
    assert left_behind(workspace) == []


PLAIN = Recipe(ColumnMap(Shape.QA, {Role.QUESTION: ("Question",), Role.ANSWER: ("Response",)}))

# --- Forms of rows ------------------------------------------------------------------------------

CHATS = [
    {
        "messages": [
            {"role": "user", "content": row["Question"]},
            {"role": "assistant", "content": row["Response"]},
            {"role": "user", "content": f"And then, number {number}?"},
            {"role": "assistant", "content": row["Complex_CoT"]},
        ]
    }
    for number, row in enumerate(medical_rows(8))
]
PAIRS = [
    {"prompt": row["Question"], "chosen": row["Response"], "rejected": f"No. {row['Complex_CoT']}"}
    for row in medical_rows(8)
]


@pytest.mark.parametrize(
    ("rows", "target", "keys"),
    [
        (CHATS, Target.SHAREGPT, {"messages"}),
        (PAIRS, Target.RANKING, {"messages", "chosen", "rejected"}),
        (medical_rows(8), Target.ALPACA, {"instruction", "input", "output", "system"}),
    ],
    ids=["chat", "preference", "medical-o1"],
)
def test_each_shape_has_its_form_and_its_entry(
    workspace: Workspace, tmp_path: Path, rows: list[Any], target: Target, keys: set[str]
) -> None:
    made = prepare_now(workspace, source_of(tmp_path, rows), PrepareSettings("x", 0.25))
    train, validation, _ = rows_in(workspace)
    assert made.report.target is target
    assert (len(train), len(validation)) == (6, 2)
    assert all(set(row) == keys for row in train + validation)
    entries = read_entries(workspace)
    assert set(entries) == {"x", "x_validation"}
    for entry in entries.values():
        assert set(entry["columns"].values()) == keys - {"system"}
        assert entry.get("ranking", False) == (target is Target.RANKING)


def test_a_system_prompt_has_its_column(workspace: Workspace, tmp_path: Path) -> None:
    rows = [
        {"instruction": row["Question"], "output": row["Response"], "system": "Be brief."}
        for row in medical_rows(4)
    ]
    made = prepare_now(workspace, source_of(tmp_path, rows), PrepareSettings("x", 0))
    assert made.report.system
    assert read_entries(workspace)["x"]["columns"]["system"] == "system"
    assert {row["system"] for row in rows_in(workspace)[0]} == {"Be brief."}


# --- The report and the card --------------------------------------------------------------------


def test_the_report_says_what_was_done(workspace: Workspace, tmp_path: Path) -> None:
    source = source_of(tmp_path, faulty_rows())
    recipe = recipe_of(source, workspace, Decisions().choose("refusal", False))
    made = prepare_now(workspace, source, PrepareSettings("x", 0.2, seed=7), recipe)
    report = made.report
    assert find_prepared(workspace, "x").report == report
    assert (report.source, report.source_rows) == (str(source), 20)
    assert report.source_sha256 == sha256(source.read_bytes()).hexdigest()
    assert report.checks["refusal"] == CheckReport(2, False)
    assert report.checks["exact_duplicate"] == CheckReport(1, True)
    assert report.unusable == (
        (Problem("data.problems.empty_answer", {"column": "Response"}), 1),
        (Problem("data.problems.row_not_object", {"near": "5"}), 1),
    )
    assert (report.recipe, report.settings) == (recipe, PrepareSettings("x", 0.2, seed=7))
    assert report.train_rows + report.validation_rows + report.left_out_rows == 20


SECRETS = ("Mr. Brown", "13812345678", "Wednesday")


def test_the_card_has_numbers_and_nothing_of_the_rows(workspace: Workspace, tmp_path: Path) -> None:
    """A card goes where the dataset goes, and may be read by people who must not read a patient's
    row: a fault such as "not valid JSON, near …" has brought a piece of one along.
    """
    rows = [json.dumps(row) for row in faulty_rows()]
    rows[3] = '{"Question": Mr. Brown on Wednesday, "Response": "x"}'
    source = tmp_path / "a_file.jsonl"
    source.write_text("\n".join(rows), encoding="utf-8")
    made = prepare_now(workspace, source, PrepareSettings("set_1", 0.2))
    card = (made.folder / "README.md").read_text("utf-8")
    report = made.report
    assert "Mr. Brown" in (made.folder / "report.json").read_text("utf-8"), "it is in the report"
    assert not [secret for secret in SECRETS if secret in card]
    for row in faulty_rows():
        if isinstance(row, dict):
            assert not [words for words in row.values() if words and words in card]
    assert f"`data.jsonl`: {report.train_rows} rows to train on" in card
    assert f"`validation.jsonl`: {report.validation_rows} rows kept" in card
    assert f"source_sha256: {report.source_sha256}" in card
    assert f"| by a check | {report.left_out['by_check']} |" in card
    assert "| can't be used | 3 |" in card
    assert "| Exact duplicates | 1 | yes |" in card
    assert "Repaired or masked: 2 rows" in card


def test_names_stand_in_the_card_as_they_are(workspace: Workspace, tmp_path: Path) -> None:
    """Between backticks a backslash is a backslash: there is no column "Complex\\_CoT"."""
    source = source_of(tmp_path, medical_rows(3), "my_`file`_[1].json")
    made = prepare_now(workspace, source, PrepareSettings("set_1", 0))
    card = (made.folder / "README.md").read_text("utf-8")
    assert "- reasoning: `Complex_CoT`" in card
    assert "``my_`file`_[1].json``" in card
    assert "# set\\_1" in card


def test_the_card_begins_with_yaml(workspace: Workspace, tmp_path: Path) -> None:
    source = source_of(tmp_path, medical_rows(3), 'a "quoted": #name\\.json')
    made = prepare_now(workspace, source, PrepareSettings("医学", 0))
    _, head, _ = (made.folder / "README.md").read_text("utf-8").split("---\n", 2)
    assert yaml.safe_load(head) == {
        "pretty_name": "医学",
        "size": 3,
        "source": 'a "quoted": #name\\.json',
        "source_sha256": made.report.source_sha256,
        "seed": 42,
    }


# --- Refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".x", "con", "x" * 81, "a\0b"])
def test_bad_names(workspace: Workspace, name: str) -> None:
    with pytest.raises(WorkspaceError):
        prepare_now(workspace, SAMPLE, PrepareSettings(name))
    assert left_behind(workspace) == []


@pytest.mark.parametrize("share", [-0.1, 1.0, 7.0, float("nan")])
def test_bad_shares(workspace: Workspace, share: float) -> None:
    with pytest.raises(DataError, match="share for validation"):
        prepare_now(workspace, SAMPLE, PrepareSettings("x", share))


def test_name_that_exists(workspace: Workspace) -> None:
    made = prepare_now(workspace, SAMPLE, PrepareSettings("x", 0.1))
    before = made.train_file.read_bytes()
    for taken in ("x", "x_validation"):
        with pytest.raises(DataError, match="exists already"):
            prepare_now(workspace, SAMPLE, PrepareSettings(taken, 0.2))
    assert made.train_file.read_bytes() == before


def test_name_whose_validation_rows_would_take_anothers_name(workspace: Workspace) -> None:
    prepare_now(workspace, SAMPLE, PrepareSettings("x_validation", 0))
    with pytest.raises(DataError, match="exists already"):
        prepare_now(workspace, SAMPLE, PrepareSettings("x"))


@pytest.mark.parametrize(
    "rows",
    [
        [{"Question": "q", "Complex_CoT": "c", "Response": ""}] * 3,
        [{"Question": f"{n}", "Complex_CoT": "c", "Response": REFUSAL} for n in range(3)],
        [{"other": 1}],
        [],
    ],
    ids=["unusable", "refusals", "another shape", "empty"],
)
def test_nothing_to_prepare(workspace: Workspace, tmp_path: Path, rows: list[Any]) -> None:
    with pytest.raises(DataError) as caught:
        prepare_now(workspace, source_of(tmp_path, rows), PrepareSettings("x"))
    assert caught.value.sentence("en") and caught.value.sentence("zh")
    assert left_behind(workspace) == []
    assert read_entries(workspace) == {}


# --- All or nothing -------------------------------------------------------------------------------


def test_broken_registry_is_refused_and_left_alone(workspace: Workspace) -> None:
    workspace.dataset_info.write_text('{"mine": {},}')
    with pytest.raises(DataError, match="damaged at line 1"):
        prepare_now(workspace, SAMPLE, PrepareSettings("x"))
    assert workspace.dataset_info.read_text() == '{"mine": {},}'
    assert left_behind(workspace) == []


def test_registry_that_breaks_meanwhile_takes_the_folder_back(workspace: Workspace) -> None:
    def damage(_step: str, _done: int, _total: int) -> None:
        workspace.dataset_info.write_text("{")

    with pytest.raises(DataError, match="damaged"):
        prepared(workspace, SAMPLE, PrepareSettings("x"), progress=damage)
    assert left_behind(workspace) == []


def test_a_name_that_is_registered_meanwhile(workspace: Workspace) -> None:
    mine = {"x": {"file_name": "mine.json"}}

    def register_other(_step: str, _done: int, _total: int) -> None:
        workspace.dataset_info.write_text(json.dumps(mine))

    with pytest.raises(DataError, match="another entry named “x”"):
        prepared(workspace, SAMPLE, PrepareSettings("x"), progress=register_other)
    assert left_behind(workspace) == []
    assert read_entries(workspace) == mine


def test_what_the_progress_raises_ends_it(workspace: Workspace) -> None:
    def stop(_step: str, _done: int, _total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepared(workspace, SAMPLE, PrepareSettings("x"), progress=stop)
    assert left_behind(workspace) == []
    assert read_entries(workspace) == {}


def test_full_disk(workspace: Workspace) -> None:
    plan = plan_of(workspace, SAMPLE, PrepareSettings("x"))
    full = OSError(28, "No space left on device")
    with (
        patch.object(os, "fsync", side_effect=full),
        pytest.raises(DataError, match="could not be written: No space left on device"),
    ):
        prepare(workspace, plan, progress=quiet)
    assert left_behind(workspace) == []
    assert read_entries(workspace) == {}


def test_source_that_changes_while_it_is_written(workspace: Workspace, tmp_path: Path) -> None:
    path = source_of(tmp_path, medical_rows(5))

    def change(_step: str, _done: int, _total: int) -> None:
        source_of(tmp_path, medical_rows(6))

    with pytest.raises(DataError, match="changed while it was being read"):
        prepared(workspace, path, PrepareSettings("x"), progress=change)
    assert left_behind(workspace) == []


@pytest.mark.parametrize("rows", [[], medical_rows(4), [*medical_rows(5), *medical_rows(2)]])
def test_source_that_changed_since_its_study(
    workspace: Workspace, tmp_path: Path, rows: list[Any]
) -> None:
    """Row numbers of the study are those of other rows now: what was left out would be taught."""
    path = source_of(tmp_path, medical_rows(5))
    plan = plan_of(workspace, path, PrepareSettings("x"))
    source_of(tmp_path, [*rows, medical_row(99)])
    with pytest.raises(DataError, match="changed while it was being read"):
        prepare(workspace, plan, progress=quiet)
    assert left_behind(workspace) == []


KILLED = """
    import sys, time
    from pathlib import Path
    from backend.data.prepare import Plan, prepare
    from backend.data.reading.reader import RowReader
    from backend.data.recipe import PrepareSettings, Recipe
    from backend.data.studies import Request, columns_of, obtain_study
    from backend.workspace import Workspace

    def hang(step, done, total):
        print("half way", flush=True)
        time.sleep(60)

    workspace, source = Workspace.open(Path(sys.argv[1])), Path(sys.argv[2])
    reader = RowReader.open(source, cache=workspace.cache)
    columns = columns_of(reader)
    study = obtain_study(workspace, Request(source, columns), lambda *told: None)
    plan = Plan(source, reader.stamp, Recipe(columns), PrepareSettings("x"), study)
    prepare(workspace, plan, progress=hang)
"""


def test_kill_in_the_middle_leaves_nothing(workspace: Workspace) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED), str(workspace.root), str(SAMPLE)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"half way\n"
        process.send_signal(signal.SIGKILL)
    assert list_prepared(workspace) == []
    assert read_entries(workspace) == {}
    prepare_now(workspace, SAMPLE, PrepareSettings("x"))  # the leftovers are cleared
    assert left_behind(workspace) == ["x"]


def test_two_at_once_make_one(workspace: Workspace) -> None:
    """A double click: the second finds the name taken when it is done, and leaves nothing."""

    def second(_step: str, _done: int, _total: int) -> None:
        prepare_now(workspace, SAMPLE, PrepareSettings("x", 0.2))

    with pytest.raises(DataError, match="A dataset named “x” exists already."):
        prepared(workspace, SAMPLE, PrepareSettings("x", 0.1), progress=second)
    assert find_prepared(workspace, "x").report.settings.validation_share == 0.2
    assert left_behind(workspace) == ["x"]


# --- Asking LLaMA-Factory -----------------------------------------------------------------------


def all_of(folder: Path, names: Sequence[str]) -> int:
    """Loads every row of the entries of a registry, as they are named there."""
    entries = json.loads((folder / "dataset_info.json").read_bytes())
    files = [folder / entries[name]["file_name"] for name in names]
    return sum(len(records(file)) for file in files)


def test_the_rows_that_are_tried_are_those_that_are_made(workspace: Workspace) -> None:
    seen: list[list[str]] = []

    def load(folder: Path, names: Sequence[str]) -> int:
        seen.append(list(names))
        assert list_prepared(workspace) == [], "nobody sees it before it has been loaded"
        assert not (workspace.prepared_datasets / "x").exists()
        return all_of(folder, names)

    report = prepared(workspace, SAMPLE, PrepareSettings("x", 0.1), load=load)
    assert seen == [["x", "x_validation"]]
    assert report.train_rows + report.validation_rows == 64
    assert left_behind(workspace) == ["x"]
    assert "dataset_info.json" not in {
        path.name for path in (workspace.prepared_datasets / "x").iterdir()
    }


@pytest.mark.parametrize("change", [-1, +1])
def test_a_load_of_fewer_rows_leaves_nothing(workspace: Workspace, change: int) -> None:
    """LLaMA-Factory drops rows that it does not take, and says so in a log that nobody reads."""

    def load(folder: Path, names: Sequence[str]) -> int:
        return all_of(folder, names) + change

    with pytest.raises(DataError, match=f"loads {64 + change} of the 64 rows of “x”"):
        prepared(workspace, SAMPLE, PrepareSettings("x", 0.1), load=load)
    assert left_behind(workspace) == []
    assert read_entries(workspace) == {}


def test_a_load_that_fails_leaves_nothing(workspace: Workspace) -> None:
    def load(_folder: Path, _names: Sequence[str]) -> int:
        raise DataError("data.errors.loading_failed", reason="no such column")

    with pytest.raises(DataError, match="can't load the dataset: no such column"):
        prepared(workspace, SAMPLE, PrepareSettings("x", 0.1), load=load)
    assert left_behind(workspace) == []
    assert read_entries(workspace) == {}


def test_real_rows(workspace: Workspace, real_rows: Path) -> None:
    made = prepare_now(workspace, real_rows, PrepareSettings("demo"))
    report = made.report
    assert (report.train_rows, report.validation_rows, report.left_out) == (188, 10, {})
    assert len(records(made.train_file)) == 188
