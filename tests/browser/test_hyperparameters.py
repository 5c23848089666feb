"""The Hyperparameters tab: import, save, compare, load, other arguments, sweep."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from backend.training.runs import list_runs
from backend.workspace import Workspace
from tests.browser.conftest import Open
from tests.browser.person import Person
from tests.fakes.ready_workspace import DATASET, MODEL, make_ready
from tests.fakes.server import Server, serving
from tests.fakes.trainers import end_trainers

pytestmark = pytest.mark.browser

SLOW = ("--steps", "100000", "--step-seconds", "0.02", "--save-steps", "1000000")

FILE = f"""
model_name_or_path: {MODEL}
dataset: {DATASET}
template: qwen3
finetuning_type: lora
lora_rank: 16
learning_rate: 3e-4
max_steps: 50
trust_remote_code: true
dataloader_num_workers: 2
"""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return make_ready(Workspace.open(tmp_path_factory.mktemp("form") / "workspace"))


@pytest.fixture(scope="module")
def server(workspace: Workspace) -> Iterator[Server]:
    with serving(["-m", "tests.fakes.training_app", workspace.root, *SLOW]) as one:
        yield one
    end_trainers(workspace)


def test_settings_come_from_a_file_are_kept_under_a_name_and_swept(
    server: Server, open_page: Open, workspace: Workspace, tmp_path: Path
) -> None:
    me = Person(open_page(server.address).page)
    me.arrives()
    me.goes_to("hyperparameters")
    me.opens_all_folds()
    yaml = me.sees("config-yaml")

    # A file fills the form; what is not taken says why.
    (tmp_path / "theirs.yaml").write_text(FILE, encoding="utf-8")
    with me.page.expect_file_chooser() as chooser:
        me.presses("config-import-upload")
    chooser.value.set_files(tmp_path / "theirs.yaml")
    expect(me.sees("config-import-words").locator("textarea")).to_have_value(
        re.compile("lora_rank: 16")
    )
    me.presses("config-import-take")
    expect(me.sees("config-import-result")).to_contain_text("trust_remote_code")
    expect(yaml).to_contain_text("lora_rank: 16")
    expect(yaml).to_contain_text("lora_alpha: 32")
    assert me.value_of("field-extra") == "dataloader_num_workers: 2\n"
    expect(me.sees("config-command")).to_contain_text("llamafactory-cli train")

    # An argument by name: refused with the reason, or in the file.
    me.types("field-extra", "output_dir: /etc")
    expect(me.sees("config-summary")).to_contain_text("outside of the run")
    me.types("field-extra", "tf32: false")
    expect(me.sees("config-summary")).not_to_contain_text("outside of the run")

    # Who comes by the preset on the way through the form has not chosen it again.
    preset = me.sees("preset").locator("input").first
    preset.focus()
    expect(preset).to_be_focused()
    preset.press("Tab")
    me.page.wait_for_timeout(1000)
    expect(yaml).to_contain_text("lora_rank: 16")
    preset.click()
    preset.press("Escape")
    me.sees("config-command").click()
    me.page.wait_for_timeout(1000)
    expect(yaml).to_contain_text("lora_rank: 16")

    # Saved, changed, compared, loaded again.
    me.types("saved-name", "theirs")
    me.presses("saved-save")
    me.is_told("saved as “theirs”")
    me.types("field-lora_rank", "4")
    expect(yaml).to_contain_text("lora_rank: 4")
    me.chooses("saved-source", "theirs")
    expect(me.sees("saved-difference").locator("tbody tr")).to_have_text(
        re.compile("LoRA rank.*16.*4")
    )
    me.presses("saved-load")
    expect(yaml).to_contain_text("lora_rank: 16")
    me.page.reload()
    me.arrives()
    me.goes_to("hyperparameters")
    expect(yaml).to_contain_text("lora_rank: 16")  # the browser keeps what was loaded
    me.opens_all_folds()
    assert me.value_of("field-extra") == "tf32: false"

    # A sweep is shown before it starts.
    me.chooses("sweep-field-0", "LoRA rank")
    me.types("sweep-values-0", "4, 8")
    me.chooses("sweep-field-1", "Seed")
    me.types("sweep-values-1", "1, x")
    expect(me.sees("sweep-plan")).to_contain_text("Seed must be a number")
    me.types("sweep-values-1", "1, 2")
    expect(me.sees("sweep-plan").locator("tbody tr")).to_have_count(4)
    assert not list_runs(workspace)
    me.presses("sweep-start")
    expect(me.sees("run-queue")).to_contain_text("Waiting: 3")
    ranks = sorted((run.values["lora_rank"], run.values["seed"]) for run in list_runs(workspace))
    assert ranks == [(4, 1), (4, 2), (8, 1), (8, 2)]
