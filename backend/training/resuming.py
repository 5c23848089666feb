"""Takes a run back to one of its checkpoints, so that its training can go on from there.

What came after the checkpoint is kept in ``attempts/<n>/``: log lines, later checkpoints, how the
attempt ended. The logs in the run's folder then end at the checkpoint's step, so that the curves
continue as if nothing had happened. At any moment of it a crash leaves the run as it was or taken
back, and taking it back once more is harmless. Knows nothing about queues or processes.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.errors import RunError
from backend.files import read_json, replacing, write_json, write_text
from backend.training import layout
from backend.training.checkpoints import (
    FINAL,
    STATE,
    Checkpoint,
    faults,
    list_checkpoints,
    newest_whole,
)
from backend.training.metrics import entry_of, whole_number
from backend.training.runs import Run, past_attempts
from backend.training.schema import FieldError

_KEPT = (
    layout.CONFIG, layout.RUN, layout.LAUNCH, layout.PROCESS, layout.STOP, layout.RESUME,
    layout.EXIT, layout.RECORD,
)  # fmt: skip
"""Small files of an attempt that are worth keeping."""

_OF_ONE_ATTEMPT = (layout.STOP, layout.CHECKPOINT, layout.PROCESS, layout.LAUNCH, layout.EXIT_ROOM)
"""Files that would be taken for the next attempt's."""

FIXED = frozenset(
    {
        "model", "run_name", "finetuning_type", "lora_rank", "lora_target", "use_dora",
        "pissa_init", "freeze_trainable_layers", "freeze_trainable_modules", "freeze_extra_modules",
        "quantization_bit", "quantization_method", "optim", "deepspeed", "fsdp",
    }
)  # fmt: skip
"""Fields that make the shapes and files in a checkpoint, which can't be loaded with others."""


class CheckpointError(RunError):
    """A training can't go on from a checkpoint; ``offer`` names the whole one before, if any."""

    def __init__(self, key: str, offer: str | None, **params: object) -> None:
        super().__init__(key, **params)
        self.offer = offer


def check_changes(values: Mapping[str, Any], changes: Mapping[str, Any]) -> None:
    """Refuse changes with which a checkpoint can't be loaded.

    Raises:
        FieldError: one of ``FIXED`` is among them.
    """
    for name, value in changes.items():
        if name in FIXED and value != values.get(name):
            raise FieldError("training.errors.resume_fixed", name)


def chosen(run: Run, name: str | None) -> Checkpoint:
    """The checkpoint of that name, or the newest whole one, from which the run can go on.

    Raises:
        CheckpointError: it is damaged, with the files named, or there is none.
    """
    found = list_checkpoints(run.folder)
    wanted = newest_whole(found) if name is None else name
    if wanted is None:
        raise CheckpointError("training.errors.no_checkpoint", None, run=run.id)
    checkpoint = next((one for one in found if one.name == wanted), None)
    if checkpoint is None:
        offer = newest_whole(found)
        raise CheckpointError("training.errors.checkpoint_missing", offer, name=wanted[:80])
    if checkpoint.name == FINAL:
        raise CheckpointError("training.errors.checkpoint_final", newest_whole(found))
    if wrong := faults(checkpoint):
        before = newest_whole(found, below=checkpoint.step)
        key = "training.errors.checkpoint_damaged" if before else "training.errors.checkpoint_lost"
        files = ", ".join(str(one.params.get("file", one.params.get("reason"))) for one in wrong)
        raise CheckpointError(key, before, name=checkpoint.name, files=files, before=before or "–")
    return checkpoint


def check_rest(checkpoint: Checkpoint, changes: Mapping[str, Any]) -> None:
    """Refuse to go on where nothing is left to do.

    Raises:
        RunError: the checkpoint is of the last step, and the steps are not to become more.
    """
    state = read_json(checkpoint.path / STATE)
    total = whole_number(state.get("max_steps")) if isinstance(state, dict) else None
    longer = {"max_steps", "num_train_epochs"} & set(changes)
    if total is not None and checkpoint.step >= total and not longer:
        raise RunError("training.errors.nothing_left", name=checkpoint.name, total=total)


def take_back(run: Run, checkpoint: Checkpoint, *, config: str, record: Mapping[str, Any]) -> None:
    """Make the run's folder one whose trainer will go on from ``checkpoint``.

    Args:
        config: Text of ``config.yaml`` for what follows.
        record: Content of ``run.json`` for what follows.

    Raises:
        OSError: the folder can't be written.
    """
    folder, step = run.folder, checkpoint.step
    kept = _keep(folder, step)
    for name in (layout.TRAINER_LOG, layout.METRICS):
        _cut(folder / name, step)
    for later in list_checkpoints(folder):
        if later.name != FINAL and later.step > step:
            later.path.rename(kept / later.name)
    if (folder / STATE).exists():  # else the weights saved at the end would seem the newest
        (folder / STATE).replace(kept / STATE)
    write_text(folder / layout.CONFIG, config)
    write_json(folder / layout.RUN, dict(record))
    state = read_json(checkpoint.path / STATE)
    tokens = whole_number(state.get("num_input_tokens_seen")) or 0
    resume = {"checkpoint": checkpoint.name, "step": step, "tokens": tokens}
    write_json(folder / layout.RESUME, resume)
    for name in _OF_ONE_ATTEMPT:
        (folder / name).unlink(missing_ok=True)


def _keep(folder: Path, step: int) -> Path:
    """``attempts/<n>`` with the small files and the log lines after ``step``, whole or absent."""
    past = past_attempts(folder)
    number = int(past[-1].name) + 1 if past else 1
    target = folder / layout.ATTEMPTS / str(number)
    building = target.with_name(f".{number}")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    for name in _KEPT:
        if (folder / name).is_file():
            shutil.copy2(folder / name, building / name)
    for name in (layout.TRAINER_LOG, layout.METRICS):
        _, after = _split(folder / name, step)
        if after:
            write_text(building / name, "".join(after))
    building.rename(target)
    return target


def _cut(log: Path, step: int) -> None:
    """Replace a log by its lines up to ``step``: a new file, which its readers notice."""
    before, after = _split(log, step)
    if after:
        with replacing(log) as file:
            file.writelines(line.encode("utf-8") for line in before)


def _split(log: Path, step: int) -> tuple[list[str], list[str]]:
    """A log's lines up to a step and the others, among them what is no entry or only half one."""
    before: list[str] = []
    after: list[str] = []
    try:
        content = log.read_bytes().decode("utf-8", errors="replace")
    except FileNotFoundError:
        return before, after
    for line in content.splitlines(keepends=True):
        (before if _belongs(line, step) else after).append(line)
    return before, after


def _belongs(line: str, step: int) -> bool:
    entry = entry_of(line.encode("utf-8")) if line.endswith("\n") else None
    if entry is None:
        return False
    if "current_steps" not in entry:  # of metrics.jsonl
        number = whole_number(entry.get("step"))
        return number is not None and number <= step
    # The trainer repeats its last step without a loss when it ends: that end was none.
    number = whole_number(entry["current_steps"])
    return number is not None and number <= step and ("loss" in entry or "eval_loss" in entry)
