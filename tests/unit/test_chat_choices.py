"""Which bases and checkpoints can answer."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from backend.chat import choices
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


def keys(workspace: Workspace, base: str = DEMO) -> list[str]:
    found = choices.columns(workspace, choices.find_base(workspace, base))
    return [column.key for column in found]


def test_the_base_comes_first_then_the_newest_run(workspace: Workspace) -> None:
    make_run(workspace, "old", day=1)
    make_run(workspace, "new", day=2)
    assert keys(workspace) == [
        "base",
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
    assert keys(workspace) == ["base"]
    ids = [base.id for base in choices.bases(workspace)]
    assert ids == [DEMO, "whole/checkpoint-10", "whole/checkpoint-20"]
    assert choices.find_base(workspace, "whole/checkpoint-20").template == "deepseekr1"


def test_a_run_finds_its_base_and_its_questions_when_they_are_there(workspace: Workspace) -> None:
    make_run(workspace, "run")
    assert choices.base_of(workspace, find_run(workspace, "run")).id == DEMO
    assert choices.training_questions(workspace, "run") == []
    assert choices.training_questions(workspace, "../run") == []


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_run_without_a_checkpoint_says_so(workspace: Workspace, method: str) -> None:
    """It was answered with the base alone, chosen without a word."""
    folder = make_run(workspace, "young", method=method)
    for checkpoint in [*folder.glob("checkpoint-*"), *folder.glob("*.safetensors")]:
        shutil.rmtree(checkpoint) if checkpoint.is_dir() else checkpoint.unlink()
    with pytest.raises(EngineError, match="no complete checkpoint"):
        choices.base_of(workspace, find_run(workspace, "young"))


def test_a_full_run_is_compared_from_its_own_last_checkpoint(workspace: Workspace) -> None:
    make_run(workspace, "whole", method="full")
    assert choices.base_of(workspace, find_run(workspace, "whole")).id == "whole/checkpoint-20"


def test_a_run_finds_its_base_after_the_checkout_has_moved(workspace: Workspace) -> None:
    """config.yaml holds absolute paths; those of a moved folder lead nowhere."""
    folder = make_run(workspace, "run")
    moved = {"model_name_or_path": "/gone/demo_model", "finetuning_type": "lora"}
    write_text(folder / layout.CONFIG, to_yaml(moved))
    assert choices.base_of(workspace, find_run(workspace, "run")).id == DEMO
    values = {"model": "org/other", "dataset": "gone"}
    write_json(folder / layout.RUN, {"created": "2026-01-01T00:00:00+00:00", "values": values})
    with pytest.raises(EngineError) as caught:
        choices.base_of(workspace, find_run(workspace, "run"))
    assert caught.value.key == "chat.errors.base_gone"


def test_a_base_that_is_gone_is_named(workspace: Workspace) -> None:
    with pytest.raises(EngineError) as caught:
        choices.find_base(workspace, "org/gone")
    assert caught.value.params == {"name": "org/gone"}
