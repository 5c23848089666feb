"""The Training tab with a trainer that trains nothing: queue, stop, resume, compare, delete."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import expect

from backend.training.runs import RunState, find_run, list_runs
from backend.workspace import Workspace
from tests.browser.conftest import Open, wait_until
from tests.browser.person import Person
from tests.fakes.ready_workspace import VALUES, make_ready
from tests.fakes.server import Server, serving
from tests.fakes.trainers import end_trainers

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

SLOW = ("--steps", "100000", "--step-seconds", "0.02", "--save-steps", "1000000")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_ready(Workspace.open(tmp_path_factory.mktemp("tab") / "workspace"))


@pytest.fixture(scope="module")
def server(workspace: Workspace) -> Iterator[Server]:
    with serving(["-m", "tests.fakes.training_app", workspace.root, *SLOW]) as one:
        yield one
    end_trainers(workspace)


@pytest.fixture
def me(open_page: Open, server: Server) -> Person:
    person = Person(open_page(server.address).page)
    person.arrives()
    return person


def fills_in(me: Person, *, run: str) -> None:
    me.goes_to("hyperparameters")
    for field in ("model", "dataset", "template"):
        me.chooses(f"field-{field}", re.compile(rf"^{VALUES[field]}$"))
    me.types("field-run_name", run)
    expect(me.sees("config-yaml")).to_contain_text(run)


def starts(me: Person, *, run: str) -> None:
    fills_in(me, run=run)
    me.goes_to("training")
    me.presses("run-start")
    expect(me.sees("run-status")).to_contain_text(run)


def test_a_queue_moves_and_a_stopped_run_goes_on(me: Person, workspace: Workspace) -> None:
    status = me.sees("run-status").locator(".mt-run")
    starts(me, run="first")
    expect(status).to_have_attribute("data-state", "running")
    drawn = "() => Number(document.querySelector('.mt-chart').dataset.lastStep)"
    before = me.page.evaluate(drawn)
    wait_until(lambda: me.page.evaluate(drawn) > before + 50, "the chart goes on by itself")
    before = int(status.get_attribute("data-step") or 0)
    wait_until(lambda: int(status.get_attribute("data-step") or 0) > before, "and the figures")
    starts(me, run="second")
    expect(status).to_have_attribute("data-state", "queued")
    starts(me, run="third")
    queue = me.sees("run-queue").locator("li")
    expect(queue).to_have_text([re.compile("^second"), re.compile("^third")])
    expect(me.sees("activity")).to_contain_text("2 more")
    assert "first" in me.page.title() and "%" in me.page.title()

    queue.nth(1).get_by_role("button", name="Start third earlier").click()
    expect(queue).to_have_text([re.compile("^third"), re.compile("^second")])
    queue.nth(1).get_by_role("button", name="Take second out of the queue").click()
    expect(queue).to_have_count(1)
    assert find_run(workspace, "second").state is RunState.STOPPED

    me.chooses("run-choice", re.compile("^first"))
    expect(status).to_contain_text("first")
    me.presses("run-checkpoint")
    expect(me.sees("run-checkpoints")).to_contain_text("checkpoint-")
    me.presses("run-stop")
    expect(status).to_have_attribute("data-state", "stopped")
    wait_until(lambda: find_run(workspace, "third").state.active, "the next one starts by itself")

    # While the third trains, the first waits to go on from where it was stopped.
    stopped_at = max(one.step for one in find_run(workspace, "first").checkpoints())
    me.presses("run-resume")
    expect(status).to_have_attribute("data-state", "queued")
    me.chooses("run-choice", re.compile("^third"))
    expect(status).to_contain_text("third")
    me.presses("run-stop")
    wait_until(lambda: find_run(workspace, "first").state is RunState.RUNNING, "it goes on")
    wait_until(
        lambda: int(status.get_attribute("data-step") or 0) > 0, "the page follows the other run"
    )
    me.chooses("run-choice", re.compile("^first"))
    wait_until(lambda: int(status.get_attribute("data-step") or 0) > stopped_at, "beyond the stop")
    assert find_run(workspace, "first").attempts == 2
    me.presses("run-stop")
    expect(status).to_have_attribute("data-state", "stopped")


def test_runs_are_found_laid_over_noted_and_deleted(me: Person, workspace: Workspace) -> None:
    me.goes_to("training")
    me.chooses("run-choice", re.compile("^first"))
    me.page.locator("#run-rooms").get_by_role("tab", name="About this run").click()
    expect(me.sees("run-record")).to_contain_text("What first was made with")
    expect(me.sees("run-record")).to_contain_text(re.compile(r"torch \d"))
    me.types("run-tags", "baseline, 低学习率")
    me.types("run-note", "<img src=x onerror=alert(1)> the first")
    me.presses("run-save-note")
    me.page.locator("#run-rooms").get_by_role("tab", name="All runs").click()
    table = me.sees("runs")
    expect(table.locator("tbody tr")).to_have_count(3)
    expect(table).to_contain_text("低学习率")
    assert table.locator("img").count() == 0
    me.types("runs-search", "BASELINE stopped")
    expect(table.locator("tbody tr")).to_have_count(1)
    me.types("runs-search", "")
    expect(table.locator("tbody tr")).to_have_count(3)

    table.get_by_role("button", name="Lay over: third").click()
    drawn = "() => document.querySelector('.mt-chart').dataset.run"
    expect(table.get_by_role("button", name="Take off: third")).to_be_visible()
    wait_until(lambda: "first" in (me.page.evaluate(drawn) or ""), "the chart has its main run")

    table.get_by_role("button", name="Delete: second").click()
    expect(table).to_contain_text("can't be undone")
    table.get_by_role("button", name="Delete", exact=True).click()
    expect(table.locator("tbody tr")).to_have_count(2)
    assert {run.id for run in list_runs(workspace)} == {"first", "third"}
