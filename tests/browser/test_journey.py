"""The main job, end to end, as a newcomer does it: the real page, trainer and engine."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from backend.files import read_json
from backend.training.curves import series_of
from backend.workspace import Workspace
from tests.browser.conftest import Open
from tests.browser.person import PATIENCE, PREPARING, Person
from tests.fakes.server import Server, serving
from tests.fakes.trainers import end_trainers

pytestmark = pytest.mark.browser

TRAINING = 240_000
"""Milliseconds for a short training on a slow, busy machine."""


@pytest.fixture
def medtune(tmp_path: Path) -> Iterator[Server]:
    workspace = tmp_path / "workspace"
    with serving(["app.py", "--no-browser", "--port", "0", "--workspace", workspace]) as server:
        try:
            yield server
        finally:
            end_trainers(Workspace(workspace))


def test_from_a_medical_o1_file_to_two_checkpoints_side_by_side(
    medtune: Server, open_page: Open, real_rows: Path, tmp_path: Path
) -> None:
    me, workspace = Person(open_page(medtune.address).page), Workspace(tmp_path / "workspace")
    before = real_rows.read_bytes()
    me.arrives()
    imports(me, real_rows)
    prepares(me, "medical_o1_demo", name="real", rows=198)
    chooses_hyperparameters(me, dataset="real", run="first")
    watches_training(me, workspace, run="first")
    chats(me, run="first")
    assert real_rows.read_bytes() == before
    assert "Traceback" not in medtune.output()


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


def chooses_hyperparameters(me: Person, *, dataset: str, run: str) -> None:
    me.goes_to("hyperparameters")
    me.chooses("field-dataset", dataset)
    me.types("field-run_name", run)
    me.types("field-cutoff_len", "256")
    me.types("field-per_device_train_batch_size", "4")
    me.types("field-save_steps", "10")
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
    me.presses("run-start")
    me.is_told("first")
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


def chats(me: Person, *, run: str) -> None:
    me.presses("run-chat")
    expect(me.sees("tab-chat")).to_be_visible(timeout=PATIENCE)
    expect(me.sees("chat-columns")).to_contain_text("checkpoint-30", timeout=PATIENCE)
    me.presses("chat-load")
    expect(me.sees("chat-status")).to_contain_text("Columns loaded: 3", timeout=TRAINING)
    me.opens_all_folds()
    me.types("chat-max_tokens", "40")
    me.types("chat-question", "What lowers a fever?")
    me.presses("chat-send")
    for number in (1, 2, 3):
        stats = me.sees(f"column-{number}-stats")
        expect(stats).to_contain_text("tokens/s", timeout=PATIENCE)
        expect(me.sees(f"column-{number}-chat")).to_contain_text("What lowers a fever?")
    heads = [me.sees(f"column-{number}-head").inner_text() for number in (1, 2, 3)]
    assert "Base model" in heads[0] and "checkpoint-10" in heads[1] and "checkpoint-30" in heads[2]
    expect(me.sees("column-4")).to_be_hidden()
    me.presses("chat-unload")
    expect(me.sees("chat-status")).to_contain_text("process has ended", timeout=PATIENCE)


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
        with serving(arguments) as server:
            me.opens(server.address)
            me.goes_to("training")
            expect(status).to_have_attribute("data-state", "running", timeout=PATIENCE)
            expect(status).to_contain_text("survivor")
            assert int(status.get_attribute("data-step") or 0) >= reached
            me.presses("run-stop")
            expect(status).to_have_attribute("data-state", "stopped", timeout=TRAINING)
            expect(me.sees("run-checkpoints")).to_contain_text("complete")
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
