"""What runs take on the disk, and which checkpoints can go."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from backend.errors import RunError
from backend.files import read_json
from backend.training import layout
from backend.training.record import commit, versions
from backend.training.runs import Run, RunState, find_run, list_runs
from backend.training.storage import best_checkpoint, size_of, storage_of, superfluous
from backend.workspace import Workspace
from tests.conftest import ROOT
from tests.fakes.ready_workspace import VALUES
from tests.fakes.trainers import Make, until


@pytest.fixture
def finished(ready: Workspace, make: Make) -> Run:
    """Twelve steps with a checkpoint after every third."""
    run = make("--steps", "12", "--save-steps", "3").start({**VALUES, "run_name": "done"})
    return until(ready, run, RunState.FINISHED)


def evaluate(run: Run, losses: dict[int, float]) -> None:
    """Write evaluation losses where transformers keeps them."""
    path = run.folder / "trainer_state.json"
    history = [{"step": step, "eval_loss": loss} for step, loss in losses.items()]
    state = {**read_json(path), "log_history": [{"step": 1, "loss": 0.001}, *history]}
    path.write_text(json.dumps(state), encoding="utf-8")


def names(run: Run) -> list[str]:
    return [one.name for one in run.checkpoints()]


def test_sizes_are_those_of_the_files(finished: Run) -> None:
    storage = storage_of(finished)
    assert list(storage.checkpoints) == [
        "checkpoint-3", "checkpoint-6", "checkpoint-9", "checkpoint-12", "final"
    ]  # fmt: skip
    files = [path for path in finished.folder.rglob("*") if path.is_file()]
    assert storage.total == sum(path.stat().st_size for path in files)
    assert storage.checkpoints["checkpoint-3"] == size_of(finished.folder / "checkpoint-3") > 0
    weights = ("adapter_model.safetensors", "adapter_config.json", "trainer_state.json")
    assert storage.checkpoints["final"] >= sum(
        (finished.folder / name).stat().st_size for name in weights
    )
    assert storage.checkpoints["final"] < storage.total


def test_a_file_with_two_names_and_a_link_count_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 1000)
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").symlink_to(tmp_path / "a")
    assert 1000 <= size_of(tmp_path) < 1500


def test_without_an_evaluation_only_the_last_is_kept(make: Make, finished: Run) -> None:
    """A low training loss is that of a few rows and no reason to delete anything."""
    assert best_checkpoint(finished) is None
    before = size_of(finished.folder)
    freed = make().keep_best_and_last(finished.id)
    assert names(finished) == ["checkpoint-12", "final"]
    assert freed > 0 and size_of(finished.folder) == before - freed


def test_the_best_by_evaluation_is_kept_beside_the_last(make: Make, finished: Run) -> None:
    # The lowest of all was measured where no checkpoint lies.
    evaluate(finished, {3: 1.5, 6: 1.1, 7: 0.9, 9: 1.2, 12: 1.4})
    best = best_checkpoint(finished)
    assert best is not None and best.name == "checkpoint-6"
    make().keep_best_and_last(finished.id)
    assert names(finished) == ["checkpoint-6", "checkpoint-12", "final"]
    assert superfluous(finished) == []


def test_the_last_is_the_last_that_can_be_resumed(make: Make, finished: Run) -> None:
    """The newest was cut short: keeping only that would have lost the training."""
    (finished.folder / "checkpoint-12" / "optimizer.pt").unlink()
    make().keep_best_and_last(finished.id)
    assert names(finished) == ["checkpoint-9", "final"]
    (finished.folder / "checkpoint-9" / "optimizer.pt").unlink()
    assert make().keep_best_and_last(finished.id) == 0, "nothing whole, nothing is touched"
    assert names(finished) == ["checkpoint-9", "final"]


def test_what_earlier_attempts_left_goes_too(ready: Workspace, make: Make, finished: Run) -> None:
    make("--steps", "12").resume(finished.id, "checkpoint-6")
    until(ready, finished, RunState.FINISHED)
    kept = finished.folder / layout.ATTEMPTS / "1"
    assert (kept / "checkpoint-9").is_dir()
    make().keep_best_and_last(finished.id)
    assert not (kept / "checkpoint-9").exists() and (kept / layout.EXIT).exists()


def test_a_run_and_a_checkpoint_are_deleted(ready: Workspace, make: Make, finished: Run) -> None:
    trainers = make("--steps", "1000", "--step-seconds", "0.05", "--save-steps", "1")
    assert trainers.delete_checkpoint(finished.id, "checkpoint-3") > 0
    assert "checkpoint-3" not in names(finished)
    for wrong in ("checkpoint-3", "final", "..", "../done"):
        with pytest.raises(RunError, match="no checkpoint named"):
            trainers.delete_checkpoint(finished.id, wrong)
    trainers.delete(finished.id)
    assert list_runs(ready) == [] and not finished.folder.exists()
    assert not [path for path in ready.runs.iterdir() if path.is_dir()]
    going = trainers.start(VALUES)
    for refused in (trainers.delete, trainers.keep_best_and_last):
        with pytest.raises(RunError, match="still going"):
            refused(going.id)
    assert find_run(ready, going.id).state.active


def test_the_record_says_what_the_result_depends_on(finished: Run) -> None:
    record = read_json(finished.folder / layout.RECORD)
    assert record["seed"] == 42 and len(record["data"]["source_sha256"]) == 64
    assert record["data"]["rows"] == {"train": 24, "validation": 0}
    assert [file["name"] for file in record["data"]["files"]] == ["data.jsonl"]
    assert record["model"]["id"] == "tiny" and record["model"]["files"][0]["size"] > 0
    assert record["versions"] == versions() and "llamafactory" in versions()


def test_the_commit_is_read_without_git(tmp_path: Path) -> None:
    sha, other = "a" * 40, "b" * 40
    git = tmp_path / ".git"
    (git / "refs" / "heads").mkdir(parents=True)
    assert commit(tmp_path) is None
    (git / "HEAD").write_text("ref: refs/heads/main\n", encoding="utf-8")
    (git / "packed-refs").write_text(f"# packed\n{other} refs/heads/main\n", encoding="utf-8")
    assert commit(tmp_path) == other
    (git / "refs" / "heads" / "main").write_text(sha + "\n", encoding="utf-8")
    assert commit(tmp_path) == sha
    (git / "HEAD").write_text(other + "\n", encoding="utf-8")
    assert commit(tmp_path) == other, "a detached head"
    linked = tmp_path / "linked"
    linked.mkdir()
    (linked / ".git").write_text(f"gitdir: {git}\n", encoding="utf-8")
    assert commit(linked) == other
    assert commit(ROOT) is None or len(commit(ROOT) or "") == 40
