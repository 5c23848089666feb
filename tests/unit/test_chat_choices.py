"""Which bases and checkpoints can answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from backend.chat import choices
from backend.chat.sources import evaluation_losses, source_of, sources
from backend.errors import EngineError
from backend.files import write_json, write_text
from backend.library.models import find_model
from backend.training import layout
from backend.training.config import to_yaml
from backend.training.runs import find_run
from backend.workspace import Workspace

DEMO = "medtune/demo"


def save_weights(folder: Path, name: str, step: int) -> None:
    """A checkpoint as far as the page can tell: whole weights and the trainer's state."""
    folder.mkdir(exist_ok=True)
    header = b'{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}'
    (folder / name).write_bytes(len(header).to_bytes(8, "little") + header + b"0")
    write_json(folder / "trainer_state.json", {"global_step": step})


def make_run(workspace: Workspace, name: str, *, method: str = "lora", day: int = 1) -> Path:
    """A finished run on the demo model with two checkpoints and the final weights."""
    folder = workspace.runs / name
    folder.mkdir()
    base = find_model(workspace, DEMO).path
    write_text(
        folder / layout.CONFIG,
        to_yaml(
            {
                "model_name_or_path": str(base.resolve()),
                "finetuning_type": method,
                "template": "deepseekr1",
            }
        ),
    )
    values = {"model": DEMO, "dataset": "gone", "max_samples": 0}
    created = f"2026-01-{day:02}T00:00:00+00:00"
    write_json(folder / layout.RUN, {"id": name, "created": created, "values": values})
    weights = "adapter_model.safetensors" if method == "lora" else "model.safetensors"
    for step in (10, 20):
        save_weights(folder / f"checkpoint-{step}", weights, step)
    save_weights(folder, weights, 20)
    return folder


def keys(workspace: Workspace) -> list[str]:
    return [source.key for source in sources(workspace)]


def test_the_base_comes_first_then_the_newest_run(workspace: Workspace) -> None:
    make_run(workspace, "old", day=1)
    make_run(workspace, "new", day=2)
    assert keys(workspace) == [
        "base:medtune/demo",
        "new/checkpoint-10",
        "new/checkpoint-20",
        "old/checkpoint-10",
        "old/checkpoint-20",
    ]


def test_the_last_weights_are_offered_once(workspace: Workspace) -> None:
    """The last step is saved as checkpoint-20 and as the run's end: one column, not two."""
    folder = make_run(workspace, "run")
    assert [one.name for one in find_run(workspace, "run").checkpoints()] == [
        "checkpoint-10",
        "checkpoint-20",
        "final",
    ]
    assert "run/final" not in keys(workspace)
    save_weights(folder, "adapter_model.safetensors", 25)
    assert keys(workspace)[-1] == "run/final"


def test_a_checkpoint_cut_short_is_not_offered(workspace: Workspace) -> None:
    folder = make_run(workspace, "run")
    (folder / "checkpoint-10" / "adapter_model.safetensors").write_bytes(b"\x08")
    assert "run/checkpoint-10" not in keys(workspace)


def test_a_fully_fine_tuned_checkpoint_is_a_base_of_its_own(workspace: Workspace) -> None:
    make_run(workspace, "whole", method="full")
    assert keys(workspace) == ["base:medtune/demo", "whole/checkpoint-10", "whole/checkpoint-20"]
    ids = [base.id for base in choices.bases(workspace)]
    assert ids == [DEMO, "whole/checkpoint-10", "whole/checkpoint-20"]
    assert choices.bases(workspace)[-1].template == "deepseekr1"


def test_a_run_is_compared_by_its_base_and_what_changed_most(workspace: Workspace) -> None:
    make_run(workspace, "run")
    run = find_run(workspace, "run")
    keys = choices.keys_to_compare(workspace, run)
    assert keys == ["base:medtune/demo", "run/checkpoint-10", "run/checkpoint-20"]
    one = choices.keys_to_compare(workspace, run, "checkpoint-20")
    assert one == ["base:medtune/demo", "run/checkpoint-20"]


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_run_without_a_checkpoint_says_so(workspace: Workspace, method: str) -> None:
    """It was answered with the base alone, chosen without a word."""
    folder = make_run(workspace, "young", method=method)
    for checkpoint in [*folder.glob("checkpoint-*"), *folder.glob("*.safetensors")]:
        shutil.rmtree(checkpoint) if checkpoint.is_dir() else checkpoint.unlink()
    with pytest.raises(EngineError, match="no complete checkpoint"):
        choices.keys_to_compare(workspace, find_run(workspace, "young"))


def test_a_full_run_is_compared_from_its_own_last_checkpoint(workspace: Workspace) -> None:
    make_run(workspace, "whole", method="full")
    keys = choices.keys_to_compare(workspace, find_run(workspace, "whole"))
    assert keys == ["whole/checkpoint-20"]


def test_a_run_finds_its_base_after_the_checkout_has_moved(workspace: Workspace) -> None:
    """config.yaml holds absolute paths; those of a moved folder lead nowhere."""
    folder = make_run(workspace, "run")
    moved = {"model_name_or_path": "/gone/demo_model", "finetuning_type": "lora"}
    write_text(folder / layout.CONFIG, to_yaml(moved))
    first = choices.keys_to_compare(workspace, find_run(workspace, "run"))[0]
    assert first == "base:medtune/demo"
    values = {"model": "org/other", "dataset": "gone"}
    write_json(folder / layout.RUN, {"created": "2026-01-01T00:00:00+00:00", "values": values})
    with pytest.raises(EngineError) as caught:
        choices.keys_to_compare(workspace, find_run(workspace, "run"))
    assert caught.value.key == "chat.errors.base_gone"


def test_a_run_that_was_trained_without_reasoning_is_asked_so(workspace: Workspace) -> None:
    folder = make_run(workspace, "run")
    tuned = {source.key: source for source in sources(workspace)}["run/checkpoint-20"]
    assert tuned.column().thinking is None
    config = (folder / layout.CONFIG).read_text(encoding="utf-8")
    write_text(folder / layout.CONFIG, f"{config}enable_thinking: false\n")
    tuned = {source.key: source for source in sources(workspace)}["run/checkpoint-20"]
    assert tuned.column().thinking is False


def test_a_checkpoint_says_what_it_is(workspace: Workspace) -> None:
    folder = make_run(workspace, "run")
    log = [
        '{"current_steps": 10, "loss": 2.0}',
        '{"current_steps": 10, "eval_loss": 1.75}',
        '{"current_steps": 20, "eval_loss": 1.5}',
        '{"current_steps": 20, "eval_loss": 1.25}',
        '{"current_steps": 30, "eval_loss": ',
    ]
    write_text(folder / layout.TRAINER_LOG, "\n".join(log))
    assert evaluation_losses(find_run(workspace, "run")) == {10: 1.75, 20: 1.25}
    first = {one.key: one for one in sources(workspace)}["run/checkpoint-10"]
    saved = first.saved()
    assert (saved.kind, saved.model, saved.run, saved.step) == ("lora", DEMO, "run", 10)
    assert (saved.evaluation_loss, saved.template) == (1.75, "deepseekr1")
    assert first.column().adapter_path == folder / "checkpoint-10"


def test_a_source_that_is_gone_is_named(workspace: Workspace) -> None:
    saved = {one.key: one for one in sources(workspace)}["base:medtune/demo"].saved()
    saved.key, saved.label = "run/checkpoint-5", "run · checkpoint-5"
    with pytest.raises(EngineError, match="checkpoint-5"):
        source_of(saved, {})
    remote = sources(workspace, [("http://127.0.0.1:8000/v1", "qwen")])[-1]
    assert remote.kind == "remote" and source_of(remote.saved(), {}) == remote
