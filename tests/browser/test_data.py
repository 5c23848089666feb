"""The Data tab as a person uses it: what is wrong with a file is found, and trained past."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from backend.data.tasks import read_task
from backend.processes import ProcessId, end_group
from backend.workspace import Workspace
from tests.browser.bad_line import BadLine
from tests.browser.conftest import Open
from tests.browser.person import PATIENCE, PREPARING, Person
from tests.fakes.seeded_rows import SEEDED, seeded
from tests.fakes.server import Server, serving
from tests.fakes.trainers import end_trainers

pytestmark = pytest.mark.browser

TRAINING = 240_000


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.open(tmp_path_factory.mktemp("data") / "workspace")


@pytest.fixture(scope="module")
def medtune(workspace: Workspace) -> Iterator[Server]:
    arguments = ["app.py", "--no-browser", "--port", "0", "--workspace", workspace.root]
    with serving(arguments) as server:
        try:
            yield server
        finally:
            end_trainers(workspace)
            end_tasks(workspace)
        assert "Traceback" not in server.output()


@pytest.fixture
def me(medtune: Server, open_page: Open) -> Person:
    person = Person(open_page(medtune.address).page)
    person.arrives()
    return person


def end_tasks(workspace: Workspace) -> None:
    """End every process that works at a data file."""
    for file in workspace.cache.glob("*/*/process.json"):
        if read_task(file.parent):
            end_group(ProcessId(**json.loads(file.read_text(encoding="utf-8"))))


def opens(me: Person, name: str) -> None:
    """Choose a file and wait until all of it is checked."""
    me.goes_to("data")
    me.chooses("data-source", re.compile(re.escape(name)))
    expect(me.sees("checks").locator(".mt-check-list")).to_be_visible(timeout=PATIENCE)


def finding(me: Person, check: str) -> Locator:
    return me.sees("checks").locator(f"li[data-check={check}]")


def does(me: Person, check: str, action: str) -> None:
    finding(me, check).locator(f"button[data-action={action}]").click()


def taught(me: Person, rows: int) -> None:
    expect(me.sees("data-summary")).to_contain_text(f"{rows} of", timeout=PATIENCE)


def prepared(workspace: Workspace, name: str, file: str) -> list[dict[str, Any]]:
    lines = (workspace.prepared_datasets / name / file).read_text(encoding="utf-8")
    return [json.loads(line) for line in lines.splitlines()]


def test_seeded_faults_in_real_rows_are_found_taken_out_and_trained_past(
    me: Person, workspace: Workspace, real_rows: Path, tmp_path: Path
) -> None:
    rows = seeded(json.loads(real_rows.read_bytes()))
    source = workspace.raw_datasets / "seeded.json"
    source.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    evaluation = workspace.raw_datasets / "exam.json"
    evaluation.write_text(json.dumps(SEEDED.exam, ensure_ascii=False), encoding="utf-8")
    before = source.read_bytes()

    opens(me, "seeded.json")
    for check in SEEDED.faults:
        expect(finding(me, check)).to_be_visible(timeout=PATIENCE)
    me.chooses("data-evaluation", "exam.json")
    expect(finding(me, "evaluation_overlap")).to_be_visible(timeout=PATIENCE)

    # Each is shown with its evidence, and can be taken out or kept.
    does(me, "refusal", "show")
    shown = me.sees("rows").locator("article")
    expect(shown).to_have_count(1, timeout=PATIENCE)
    expect(shown).to_have_attribute("data-row", str(SEEDED.row_of("refusal")))
    expect(shown.locator("mark").first).to_be_visible()
    expect(shown).to_have_attribute("data-fate", "by_check")
    shown.locator("button[data-action=restore]").click()
    expect(shown).to_have_attribute("data-fate", "taught", timeout=PATIENCE)
    me.presses("decisions-undo")
    expect(shown).to_have_attribute("data-fate", "by_check", timeout=PATIENCE)
    for check in SEEDED.not_advised:
        does(me, check, "apply")
        expect(finding(me, check).locator("button[data-action=spare]")).to_be_visible()

    me.types("data-name", "clean")
    me.presses("data-start")
    expect(me.sees("data-result")).to_contain_text("“clean” is ready", timeout=PREPARING)
    left_out = {line["row"] for line in prepared(workspace, "clean", "left_out.jsonl")}
    assert left_out == SEEDED.rows_to_exclude
    kept = prepared(workspace, "clean", "data.jsonl") + prepared(
        workspace, "clean", "validation.jsonl"
    )
    assert len(kept) + len(left_out) == len(rows)
    words = json.dumps(kept, ensure_ascii=False)
    assert not [secret for secret in SEEDED.secrets if secret in words]
    assert source.read_bytes() == before
    trains(me, dataset="clean")


def trains(me: Person, *, dataset: str) -> None:
    me.goes_to("hyperparameters")
    me.chooses("field-dataset", dataset)
    me.types("field-run_name", "few-steps")
    me.types("field-cutoff_len", "256")
    me.opens_all_folds()
    me.types("field-max_steps", "3")
    expect(me.sees("config-yaml")).to_contain_text("max_steps: 3", timeout=PATIENCE)
    me.presses("go-training")
    me.presses("run-start")
    status = me.sees("run-status").locator(".mt-run")
    expect(status).to_have_attribute("data-state", "finished", timeout=TRAINING)


def test_a_table_with_names_of_its_own_is_understood_by_choosing_columns(
    me: Person, workspace: Workspace
) -> None:
    with (workspace.raw_datasets / "table.csv").open("w", encoding="gb18030", newline="") as file:
        table = csv.writer(file, delimiter=";")
        table.writerow(["编号", "病人说", "想法", "医生说"])
        for n in range(30):
            said = [f"第{n}个病人：头痛;三天", f"先问危险信号，第{n}步。", f"休息，多喝水（{n}）。"]
            table.writerow([n, *said])
    me.goes_to("data")
    me.chooses("data-source", re.compile("table.csv"))
    expect(me.sees("data-survey")).to_contain_text("GB18030", timeout=PATIENCE)
    me.page.get_by_role("tab", name="Format").click()
    me.chooses("format-shape", re.compile("medical-o1"))
    for role, column in (("question", "病人说"), ("reasoning", "想法"), ("answer", "医生说")):
        me.chooses(f"role-{role}", re.compile(column))
    first = me.sees("rows").locator("article").first
    expect(first.locator(".mt-tag")).to_have_text(["<think>", "</think>"], timeout=PATIENCE)
    # What is typed into a template shows in the rows with each key.
    me.page.locator("#format-prompt textarea").fill("编号 {编号}：{question}")
    expect(first).to_contain_text("编号 0：第0个病人", timeout=PATIENCE)
    me.page.locator("#format-prompt textarea").fill("{nothing}")
    expect(me.sees("format-evidence")).to_contain_text("nothing", timeout=PATIENCE)
    me.page.locator("#format-prompt textarea").fill("编号 {编号}：{question}")
    me.page.locator("#format-prompt textarea").blur()
    expect(me.sees("data-summary")).to_contain_text("All 30 rows", timeout=PATIENCE)
    me.types("data-name", "table")
    me.presses("data-start")
    expect(me.sees("data-result")).to_contain_text("“table” is ready", timeout=PREPARING)
    lines = prepared(workspace, "table", "data.jsonl")
    assert all(re.match(r"编号 \d+：第\d+个病人", line["instruction"]) for line in lines)


def test_tokens_lengths_and_a_cutoff_that_is_dragged(me: Person, workspace: Workspace) -> None:
    opens(me, "medical_en")
    row = me.sees("rows").locator("article").first
    row.locator("button[data-action=tokens]").click()
    expect(me.sees("tokens").locator(".mt-tokens")).to_contain_text("<think>", timeout=PREPARING)
    expect(me.sees("parity")).to_contain_text("only when served")
    me.page.get_by_role("tab", name="Lengths").click()
    me.presses("lengths-measure")
    chart = me.sees("data-lengths").locator(".mt-lengths")
    expect(chart).to_have_attribute("data-rows", "64", timeout=PREPARING)
    smallest = chart.locator("button.mt-lengths-enough")
    smallest.click()
    cut = chart.locator("[data-figure=answers]")
    expect(cut).to_contain_text("0 of 64")
    chart.get_by_role("slider").press("ArrowLeft")
    expect(cut).not_to_contain_text("0 of 64")
    me.sees("lengths-drop").locator("input").check()
    expect(me.sees("data-summary")).to_contain_text("over the cutoff length", timeout=PATIENCE)
    me.types("data-name", "short")
    me.presses("data-start")
    expect(me.sees("data-result")).to_contain_text("“short” is ready", timeout=PREPARING)
    reasons = {line["why"] for line in prepared(workspace, "short", "left_out.jsonl")}
    assert reasons == {"over_cutoff"}
    me.sees("lengths-drop").locator("input").uncheck()
    expect(me.sees("data-summary")).to_contain_text("All 64 rows", timeout=PATIENCE)


def test_an_answer_that_overtakes_another_does_not_undo_it(me: Person) -> None:
    """The reply that says which event an answer is of may come after the answer: the page of before
    was drawn last."""
    opens(me, "medical_en")
    first = me.sees("rows").locator("article").first
    expect(first).to_have_attribute("data-row", "1")
    line = BadLine(me, "rows-forth")
    me.presses("rows-forth")
    line.has_begun(1)
    me.presses("rows-forth")
    line.has_begun(2)
    me.page.wait_for_timeout(1000)
    line.lets_go()
    expect(first).to_have_attribute("data-row", "11")
    me.page.wait_for_timeout(500)
    expect(first).to_have_attribute("data-row", "11")
    expect(me.page.locator("#rows-first input").first).to_have_value("11")


def test_rows_are_searched_filtered_and_found_by_chance(me: Person) -> None:
    opens(me, "medical_en")
    rows = me.sees("rows").locator("article")
    box = me.page.locator("#rows-search textarea, #rows-search input").first
    box.fill("ANAPHYLAXIS")
    box.press("Enter")
    expect(rows.first).to_have_attribute("data-row", "3", timeout=PATIENCE)
    expect(rows.first.locator("mark").first).to_be_visible()
    box.fill("no such words anywhere")
    box.press("Enter")
    expect(me.sees("rows-said")).to_contain_text("No row from row", timeout=PATIENCE)
    me.presses("rows-chance")
    expect(rows.first).to_be_visible(timeout=PATIENCE)
    me.types("rows-first", "64")
    me.page.locator("#rows-first input").press("Enter")
    expect(rows).to_have_count(1, timeout=PATIENCE)
    rows.first.locator("button[data-action=exclude]").click()
    expect(rows.first).to_have_attribute("data-fate", "by_hand", timeout=PATIENCE)
    # It is kept on disk: another page sees it.
    me.page.reload()
    opens(me, "medical_en")
    expect(me.sees("by-hand")).to_contain_text("Row 64")
    me.sees("by-hand").locator("button[data-action=forget_all]").click()
    expect(me.sees("data-summary")).to_contain_text("All 64 rows", timeout=PATIENCE)


def test_two_versions_are_compared_one_is_deleted_and_a_registry_is_repaired(
    me: Person, workspace: Workspace
) -> None:
    opens(me, "medical_zh")
    for name, seed in (("one", "1"), ("two", "2")):
        me.types("data-seed", seed)
        me.types("data-name", name)
        me.presses("data-start")
        expect(me.sees("data-result")).to_contain_text(f"“{name}” is ready", timeout=PREPARING)
    cards = me.sees("prepared").locator("article")
    for name in ("one", "two"):
        cards.and_(me.page.locator(f"[data-prepared={name}]")).locator(
            "button[data-action=compare]"
        ).click()
    comparison = me.sees("prepared").locator(".mt-compare")
    expect(comparison).to_contain_text("Seed", timeout=PATIENCE)
    two = cards.and_(me.page.locator("[data-prepared=two]"))
    two.locator("button[data-action=delete]").click()
    two.locator("button[data-action=delete_now]").click()
    expect(two).to_be_hidden(timeout=PATIENCE)
    assert not (workspace.prepared_datasets / "two").exists()

    whole = json.loads(workspace.dataset_info.read_bytes())
    torn = json.dumps(whole, indent=2)[:-10]
    workspace.dataset_info.write_text(torn, encoding="utf-8")
    me.goes_to("training")
    me.goes_to("data")
    expect(me.sees("prepared")).to_contain_text("is damaged at line", timeout=PATIENCE)
    me.sees("prepared").locator("button[data-action=repair]").click()
    expect(me.sees("prepared")).not_to_contain_text("is damaged", timeout=PATIENCE)
    assert json.loads(workspace.dataset_info.read_bytes()) == whole
