"""The main job, end to end, as a newcomer does it: the real page, trainer and engine."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import expect

from backend.files import read_json
from backend.training.curves import series_of
from backend.training.runs import find_run, list_runs, log_tail
from backend.workspace import Workspace
from tests.browser.conftest import Open, wait_until
from tests.browser.person import PATIENCE, PREPARING, Person
from tests.browser.watched import HEAVY, Watched, watched
from tests.conftest import REAL_ROWS
from tests.fakes.medical_rows import write_medical_rows
from tests.fakes.server import serving
from tests.fakes.trainers import end_trainers

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1500)]

TRAINING = 600_000
"""Milliseconds for a short training on a slow, busy machine."""


@pytest.fixture
def medtune(tmp_path: Path) -> Iterator[Watched]:
    workspace = tmp_path / "workspace"
    with watched(workspace) as running:
        try:
            yield running
        finally:
            end_trainers(Workspace(workspace))


@pytest.fixture
def medical_o1(tmp_path: Path) -> Path:
    """Real rows of medical-o1 where they lie beside this checkout, else as many of the samples."""
    file = tmp_path / REAL_ROWS.name
    return Path(shutil.copy(REAL_ROWS, file)) if REAL_ROWS.is_file() else write_medical_rows(file)


def test_from_a_medical_o1_file_to_two_checkpoints_side_by_side(
    medtune: Watched, open_page: Open, medical_o1: Path, tmp_path: Path
) -> None:
    """The whole of it, in a web process that never loads what trains, however much it is used."""
    me = Person(open_page(medtune.server.address).page)
    workspace = Workspace(tmp_path / "workspace")
    before = medical_o1.read_bytes()
    rows = len(json.loads(before))
    assert rows >= 190
    me.arrives()
    imports(me, medical_o1)
    prepares(me, medical_o1.stem, name="real", rows=rows)
    looks_at_tokens(me)
    chooses_hyperparameters(me, dataset="real", run="first")
    watches_training(me, workspace, run="first")
    reads_the_log(me, workspace, run="first")
    compares(me, run="first")
    stops_an_answer(me, medtune)
    unloads(me, medtune)
    assert medical_o1.read_bytes() == before
    assert not medtune.loaded() & HEAVY
    assert "Traceback" not in medtune.server.output()


def imports(me: Person, file: Path) -> None:
    expect(me.sees("models")).to_contain_text("medtune/demo")
    me.types("import-path", str(file))
    me.presses("import-start")
    expect(me.sees("datasets")).to_contain_text(file.stem, timeout=PATIENCE)


def prepares(me: Person, file: str, *, name: str, rows: int) -> None:
    me.goes_to("data")
    me.chooses("data-source", re.compile(re.escape(file)))
    expect(me.sees("data-survey")).to_contain_text(f"{rows}", timeout=PATIENCE)
    expect(me.sees("data-survey")).to_contain_text("medical-o1")
    first = me.sees("rows").locator("article").first
    expect(first).to_contain_text("Complex_CoT")
    expect(first.locator(".mt-tag")).to_have_text(["<think>", "</think>"])
    me.presses("rows-forth")
    expect(me.sees("rows").locator("article").first).to_have_attribute("data-row", "6")
    me.types("data-name", name)
    me.presses("data-start")
    expect(me.sees("data-result")).to_contain_text(f"“{name}” is ready", timeout=PREPARING)
    expect(me.sees("prepared")).to_contain_text(name, timeout=PATIENCE)


def looks_at_tokens(me: Person) -> None:
    me.sees("rows").locator("button[data-action=tokens]").first.click()
    expect(me.sees("tokens").locator(".mt-tokens")).to_contain_text("<think>", timeout=PREPARING)


def chooses_hyperparameters(me: Person, *, dataset: str, run: str) -> None:
    me.goes_to("hyperparameters")
    me.chooses("field-dataset", dataset)
    me.types("field-run_name", run)
    me.types("field-cutoff_len", "256")
    me.types("field-per_device_train_batch_size", "4")
    me.types("field-save_steps", "5")
    me.opens_all_folds()
    me.types("field-max_steps", "30")
    expect(me.sees("config-yaml")).to_contain_text("cutoff_len: 256", timeout=PATIENCE)
    expect(me.sees("config-yaml")).to_contain_text("dataset: real")
    expect(me.sees("config-summary")).to_contain_text("Effective batch size")
    me.presses("go-training")
    expect(me.sees("run-start")).to_be_visible(timeout=PATIENCE)


def watches_training(me: Person, workspace: Workspace, *, run: str) -> None:
    expect(me.sees("run-plan")).to_contain_text("real", timeout=PATIENCE)
    me.presses("run-start")
    status = me.sees("run-status").locator(".mt-run")
    expect(status).to_have_attribute("data-state", "running", timeout=TRAINING)
    # Another start would be queued; of the same name it is refused, and the run is left alone.
    me.presses("run-start")
    me.is_told(f"There is already a run named “{run}”")
    chart = me.sees("tab-training").locator(".mt-chart")
    expect(chart).not_to_have_attribute("data-points", "0", timeout=TRAINING)
    # A reload in the middle: the run is still there and still moving.
    me.page.reload()
    me.goes_to("training")
    expect(status).to_contain_text(run, timeout=PATIENCE)
    expect(me.sees("activity")).to_contain_text(run)
    expect(status).to_have_attribute("data-state", "finished", timeout=TRAINING)
    losses = series_of(workspace.runs / run).loss.tolist()
    assert len(losses) == 30
    expect(chart).to_have_attribute("data-points", "30", timeout=PATIENCE)
    assert me.losses_on_the_chart() == losses
    expect(me.sees("run-checkpoints")).to_contain_text("checkpoint-20")
    assert [one.id for one in list_runs(workspace)] == [run]


def reads_the_log(me: Person, workspace: Workspace, *, run: str) -> None:
    me.page.get_by_role("tab", name="Log", exact=True).click()
    log = me.sees("run-log").locator(".mt-log-lines")
    expect(log).to_contain_text("train_runtime")
    last = log_tail(find_run(workspace, run)).strip().splitlines()[-1]
    expect(log).to_contain_text(last)


def compares(me: Person, *, run: str) -> None:
    """The base and, of six checkpoints, the first, the last and one that is added."""
    me.presses("run-chat")
    expect(me.sees("tab-chat")).to_be_visible(timeout=PATIENCE)
    chosen = me.sees("chat-columns").locator(".token")
    expect(chosen).to_have_count(3, timeout=PATIENCE)
    me.adds("chat-columns", "checkpoint-15")
    expect(chosen).to_have_count(4)
    me.presses("chat-load")
    expect(me.sees("chat-status")).to_contain_text("Columns loaded: 4", timeout=TRAINING)
    me.opens_all_folds()
    me.types("chat-max_tokens", "40")
    me.types("chat-question", "What lowers a fever?")
    me.presses("chat-send")
    names = ["medtune/demo", *(f"{run} · checkpoint-{step}" for step in (5, 30, 15))]
    for number, name in enumerate(names, 1):
        expect(me.sees(f"column-{number}-head")).to_contain_text(name)
        expect(me.figures(number)).to_contain_text("tokens/s", timeout=PATIENCE)
        expect(me.sees(f"column-{number}-chat")).to_contain_text("What lowers a fever?")
    # Reasoning is folded above the answer, and there to be read.
    thought = me.thoughts(1).last
    expect(thought.locator(".mt-reasoning")).to_be_hidden()
    thought.locator("summary").click()
    assert len(thought.locator(".mt-reasoning").inner_text()) > 10
    # A column moves with what it has said, and goes without the others.
    last = me.last_answer(4)
    me.sees("column-4").get_by_role("button", name="Move to the left").click()
    expect(me.sees("column-3-head")).to_contain_text("checkpoint-15")
    assert me.last_answer(3) == last
    me.sees("column-3").get_by_role("button", name="Remove this column").click()
    expect(me.sees("column-4")).to_have_count(0)
    expect(me.sees("column-3-head")).to_contain_text("checkpoint-30")
    expect(chosen).to_have_count(3)


def stops_an_answer(me: Person, medtune: Watched) -> None:
    """The demo model answers in a second; its engine is held, so that there is time to stop it."""
    me.presses("chat-clear")
    expect(me.sees("column-1-chat").locator(".mt-turn")).to_have_count(0)
    (engine,) = engines(medtune)
    engine.suspend()
    try:
        me.types("chat-question", "What lowers a fever?")
        me.presses("chat-send")
        expect(me.sees("column-3-chat")).to_contain_text("What lowers a fever?")
        me.presses("chat-stop")
        for number in (1, 2, 3):
            expect(me.figures(number)).to_contain_text("stopped")
    finally:
        engine.resume()


def unloads(me: Person, medtune: Watched) -> None:
    """The engine's process ends, which is what gives its memory back."""
    (engine,) = engines(medtune)
    me.presses("chat-unload")
    expect(me.sees("chat-status")).to_contain_text("process has ended", timeout=PATIENCE)
    wait_until(lambda: not engine.is_running(), "the engine's process is gone")
    assert engines(medtune) == []


def engines(medtune: Watched) -> list[psutil.Process]:
    children = psutil.Process(medtune.server.process.pid).children(recursive=True)
    return [one for one in children if "backend.workers.engine" in one.cmdline()]


def test_a_run_outlives_the_dashboard(open_page: Open, tmp_path: Path) -> None:
    """Closing the laptop, or a crash of the web process, must not cost the training."""
    workspace = Workspace.open(tmp_path / "workspace")
    arguments = ["app.py", "--no-browser", "--port", "0", "--workspace", workspace.root]
    try:
        with serving(arguments, kill=True) as server:
            me = Person(open_page(server.address).page)
            me.arrives()
            prepares(me, "medical_en", name="sample", rows=64)
            me.goes_to("hyperparameters")
            me.types("field-run_name", "survivor")
            expect(me.sees("config-yaml")).to_contain_text("sample", timeout=PATIENCE)
            me.goes_to("training")
            me.presses("run-start")
            status = me.sees("run-status").locator(".mt-run")
            expect(status).to_have_attribute("data-state", "running", timeout=TRAINING)
            me.leaves()  # the laptop is closed, and then the dashboard crashes
        reached = len(series_of(workspace.runs / "survivor").step)
        with watched(workspace.root) as again:
            me.opens(again.server.address)
            me.goes_to("training")
            expect(status).to_have_attribute("data-state", "running", timeout=PATIENCE)
            expect(status).to_contain_text("survivor")
            assert int(status.get_attribute("data-step") or 0) >= reached
            me.presses("run-stop")
            expect(status).to_have_attribute("data-state", "stopped", timeout=TRAINING)
            expect(me.sees("run-checkpoints")).to_contain_text("complete")
            assert not again.loaded() & HEAVY
            me.leaves()
        state = read_json(
            next((workspace.runs / "survivor").glob("checkpoint-*/trainer_state.json"))
        )
        saved = {path.name for path in (workspace.runs / "survivor").glob("checkpoint-*/*")}
        assert state["global_step"] > 0
        assert {"optimizer.pt", "scheduler.pt", "rng_state.pth"} <= saved
    finally:
        end_trainers(workspace)
        shutil.rmtree(workspace.root, ignore_errors=True)
