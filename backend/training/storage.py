"""What runs take on the disk, and what of it can go."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.files import read_json
from backend.training import layout
from backend.training.checkpoints import FINAL, STATE, Checkpoint, faults, list_checkpoints
from backend.training.metrics import finite, whole_number
from backend.training.runs import Run, past_attempts

_DELETING = ".deleting-"


@dataclass(frozen=True)
class Storage:
    """Bytes on the disk: of a run, and of each of its checkpoints by name.

    ``final`` counts the weights that lie in the run's own folder.
    """

    total: int
    checkpoints: dict[str, int]


def storage_of(run: Run) -> Storage:
    """What a run takes. A file that has several names counts once; a link counts as itself."""
    sizes = {
        one.name: _own_size(one.path) if one.name == FINAL else size_of(one.path)
        for one in list_checkpoints(run.folder)
    }
    return Storage(size_of(run.folder), sizes)


def size_of(folder: Path) -> int:
    """Bytes that a folder takes, with all in it. What vanishes meanwhile counts nothing."""
    seen: dict[tuple[int, int], int] = {}
    for parent, _, names in os.walk(folder):
        for name in names:
            try:
                status = os.lstat(os.path.join(parent, name))
            except FileNotFoundError:
                continue
            seen[status.st_dev, status.st_ino] = status.st_size
    return sum(seen.values())


def best_checkpoint(run: Run) -> Checkpoint | None:
    """The whole checkpoint with the lowest evaluation loss.

    None where no checkpoint was evaluated: a training loss is that of a few rows, and falls with
    every epoch even while the model gets worse, so it is no ground to keep or delete anything.
    """
    found = [one for one in list_checkpoints(run.folder) if one.name != FINAL and one.complete]
    losses = _evaluations(run.folder, found)
    judged = [(losses[one.step], one.step, one) for one in found if one.step in losses]
    return min(judged, key=lambda entry: entry[:2])[2] if judged else None


def superfluous(run: Run) -> list[Path]:
    """The folders that go when only the best and the last checkpoint are kept.

    The last is the newest from which the run can be resumed. Checkpoints that earlier attempts left
    go too. The weights in the run's own folder always stay.
    """
    found = [one for one in list_checkpoints(run.folder) if one.name != FINAL]
    last = next((one for one in reversed(found) if not faults(one)), None)
    if last is None:  # nothing whole: what is there may be all that can be saved
        return []
    best = best_checkpoint(run)
    kept = {last.name, best.name if best else last.name}
    old = [path for past in past_attempts(run.folder) for path in past.glob("checkpoint-*")]
    half_deleted = list(run.folder.glob(f"{_DELETING}*"))
    return [one.path for one in found if one.name not in kept] + old + half_deleted


def remove(folders: Sequence[Path]) -> int:
    """Delete folders; the bytes that this freed.

    Each gets a hidden name first, so that what a crash leaves is no half checkpoint.

    Raises:
        OSError: one can't be deleted.
    """
    freed = 0
    for folder in folders:
        freed += size_of(folder)
        hidden = folder.with_name(f"{_DELETING}{folder.name}")
        if hidden.exists():
            shutil.rmtree(hidden)
        folder.rename(hidden)
        shutil.rmtree(hidden)
    return freed


def _own_size(folder: Path) -> int:
    """Of the files of ``final``: those in the run's folder that are none of the run's records."""
    records = {value for name, value in vars(layout).items() if name.isupper()}
    files = (file for file in folder.iterdir() if file.is_file() and not file.is_symlink())
    return sum(file.stat().st_size for file in files if file.name not in records)


def _evaluations(folder: Path, checkpoints: Sequence[Checkpoint]) -> dict[int, float]:
    """Evaluation losses by step, from the newest record that transformers kept of the training."""
    states = [folder / STATE, *(one.path / STATE for one in reversed(checkpoints))]
    losses: dict[int, float] = {}
    for path in states:
        state = read_json(path)
        history = state.get("log_history") if isinstance(state, dict) else None
        for entry in history if isinstance(history, list) else ():
            if not isinstance(entry, dict):
                continue
            step, loss = whole_number(entry.get("step")), finite(entry.get("eval_loss"))
            if step is not None and loss is not None:
                losses.setdefault(step, loss)
        if losses:
            break
    return losses
