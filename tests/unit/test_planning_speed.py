"""How fast earlier runs were, and how long a training like them would take."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from backend.files import write_json
from backend.planning import speed as module
from backend.planning.speed import Speeds
from backend.training import layout
from backend.training.schema import defaults
from backend.workspace import Workspace

VALUES: dict[str, Any] = {**defaults(), "model": "m", "dataset": "d"}


def put_run(
    workspace: Workspace,
    name: str,
    *,
    speed: float,
    steps: int = 40,
    devices: str = "cpu",
    **more: Any,
) -> Path:
    """A run that has logged so many steps at so many tokens a second."""
    folder = workspace.runs / name
    folder.mkdir()
    created = more.pop("created", "2026-11-20T10:00:00+00:00")
    record = {"id": name, "created": created, "values": {**VALUES, **more}, "asked": ""}
    write_json(folder / layout.RUN, record)
    write_json(folder / layout.LAUNCH, {"devices": devices, "processes": 1, "since": created})
    log_steps(folder, steps, speed)
    return folder


def log_steps(folder: Path, steps: int, speed: float) -> None:
    entry = {
        "current_steps": steps, "total_steps": 99, "loss": 1.0, "lr": 1e-4, "epoch": 1.0,
        "percentage": 1.0, "elapsed_time": "0:01:00", "remaining_time": "0:01:00",
        "throughput": speed, "total_tokens": 60 * speed,
    }  # fmt: skip
    with (folder / layout.TRAINER_LOG).open("a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")


def test_a_run_of_the_same_model_and_method_tells(workspace: Workspace) -> None:
    put_run(workspace, "a", speed=100.0)
    found = Speeds(workspace).of(VALUES, on_gpu=False)
    assert found is not None
    assert (found.source, found.tokens_per_second, found.near) == ("a", 100.0, True)


@pytest.mark.parametrize(
    "other",
    [
        {"model": "another"},
        {"finetuning_type": "full"},
        {"quantization_bit": "4"},
        {"devices": "0"},
        {"processes": 2},
        {"steps": 2},
    ],
)
def test_a_run_of_another_kind_tells_nothing(workspace: Workspace, other: dict[str, Any]) -> None:
    put_run(workspace, "a", speed=100.0, **other)
    assert Speeds(workspace).of(VALUES, on_gpu=False) is None


def test_a_run_on_a_gpu_tells_of_gpus(workspace: Workspace) -> None:
    put_run(workspace, "a", speed=100.0, devices="0")
    found = Speeds(workspace).of(VALUES, on_gpu=True)
    assert found is not None and found.source == "a"


def test_the_nearest_counts_then_the_newest(workspace: Workspace) -> None:
    put_run(workspace, "far", speed=1.0, cutoff_len=512, created="2026-11-23T10:00:00+00:00")
    assert getattr(Speeds(workspace).of(VALUES, on_gpu=False), "near", None) is False
    put_run(workspace, "old", speed=2.0, created="2026-11-21T10:00:00+00:00")
    put_run(workspace, "new", speed=3.0, created="2026-11-22T10:00:00+00:00")
    found = Speeds(workspace).of(VALUES, on_gpu=False)
    assert found is not None and (found.source, found.near) == ("new", True)


def test_what_is_off_is_what_older_runs_do_not_have(workspace: Workspace) -> None:
    put_run(workspace, "a", speed=100.0)
    later = {**VALUES, "quantization_bit": "none", "disable_gradient_checkpointing": False}
    found = Speeds(workspace).of(later, on_gpu=False)
    assert found is not None and found.near


def test_logs_are_read_again_only_when_they_have_grown(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = put_run(workspace, "a", speed=100.0)
    speeds = Speeds(workspace)
    assert speeds.of(VALUES, on_gpu=False) is not None
    read: list[Path] = []
    original = module.progress_of

    def noted(path: Path, *, active: bool) -> Any:
        read.append(path)
        return original(path, active=active)

    monkeypatch.setattr(module, "progress_of", noted)
    speeds.of(VALUES, on_gpu=False)
    assert read == []
    log_steps(folder, 50, 200.0)
    found = speeds.of(VALUES, on_gpu=False)
    assert read == [folder] and found is not None and found.tokens_per_second == 200.0


def test_a_run_that_was_deleted_is_forgotten(workspace: Workspace) -> None:
    folder = put_run(workspace, "a", speed=100.0)
    speeds = Speeds(workspace)
    assert speeds.of(VALUES, on_gpu=False) is not None
    folder.rename(workspace.root / "elsewhere")
    assert speeds.of(VALUES, on_gpu=False) is None
