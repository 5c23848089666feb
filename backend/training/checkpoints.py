"""The checkpoints of a run, whether each is whole, and whether a training can go on from it.

A checkpoint that a crash, a full disk or an impatient person cut short lies in the folder like any
other; loading it fails much later and less clearly than looking at it does here. Nothing is loaded:
each kind of file says in its own header or directory how long it should be.
"""

from __future__ import annotations

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.files import read_json
from backend.library.weights import INDEX, SINGLE, read_header, weight_files
from backend.problems import Problem

FINAL = "final"
STATE = "trainer_state.json"
_ADAPTER = "adapter_model.safetensors"
_ADAPTER_CONFIG = "adapter_config.json"
_OPTIMISER, _SCHEDULER, _RANDOM = "optimizer.pt", "scheduler.pt", "rng_state"

_SHARDED = ("global_step*", "optimizer_0", "optimizer.bin")
"""Where DeepSpeed and FSDP keep the optimiser's state, and DeepSpeed the schedule's."""


@dataclass(frozen=True)
class Checkpoint:
    """Weights that a run has saved.

    Attributes:
        name: ``checkpoint-20``, or ``final`` for what the run saved at its end.
        step: The optimiser step that the weights are from.
        path: The folder that holds them; for ``final`` the run's own.
        complete: The weights are whole: one can talk to them.
    """

    name: str
    step: int
    path: Path
    complete: bool


def list_checkpoints(folder: Path) -> list[Checkpoint]:
    """The checkpoints in a run's folder by step, the final one last."""
    found = sorted(_saved(folder), key=lambda checkpoint: checkpoint.step)
    step = _step(folder)
    if step is not None and _weights(folder):
        found.append(Checkpoint(FINAL, step, folder, _whole(folder)))
    return found


def faults(checkpoint: Checkpoint) -> tuple[Problem, ...]:
    """Each file for want of which a training can't go on from a checkpoint; empty if it can."""
    if checkpoint.name == FINAL:
        return (Problem("training.checkpoints.weights_only"),)
    try:
        return tuple(_faults(checkpoint.path, checkpoint.step))
    except OSError as error:
        reason = error.strerror or str(error)
        return (Problem("training.checkpoints.unreadable", {"reason": reason}),)


def newest_whole(checkpoints: Sequence[Checkpoint], *, below: int | None = None) -> str | None:
    """Name of the newest checkpoint from which a training can go on, of a step ``below``."""
    for one in sorted(checkpoints, key=lambda checkpoint: -checkpoint.step):
        if one.name != FINAL and (below is None or one.step < below) and not faults(one):
            return one.name
    return None


def _faults(folder: Path, step: int) -> Iterator[Problem]:
    yield from _weight_faults(folder)
    sharded = any(any(folder.glob(pattern)) for pattern in _SHARDED)
    if not sharded:
        for name in (_OPTIMISER, _SCHEDULER):
            yield from _archive_faults(folder / name)
    random = sorted(folder.glob(f"{_RANDOM}*.pth")) or [folder / f"{_RANDOM}.pth"]
    for file in random:
        yield from _archive_faults(file)
    if not (folder / STATE).is_file():
        yield _missing(STATE)
    elif _step(folder) != step:
        yield _damaged(STATE)


def _weight_faults(folder: Path) -> Iterator[Problem]:
    if (folder / _ADAPTER_CONFIG).is_file() or (folder / _ADAPTER).is_file():
        files: tuple[Path, ...] = (folder / _ADAPTER,)
        config = folder / _ADAPTER_CONFIG
    else:
        config = folder / "config.json"
        files = weight_files(folder)
        if not files and (folder / INDEX).is_file():
            yield _damaged(INDEX)
        elif not files:
            files = (folder / SINGLE,)
    for file in files:
        if not file.is_file():
            yield _missing(file.name)
        elif not _is_whole(file):
            yield _damaged(file.name)
    if not config.is_file():
        yield _missing(config.name)
    elif not isinstance(read_json(config), dict):
        yield _damaged(config.name)


def _archive_faults(file: Path) -> Iterator[Problem]:
    if not file.is_file():
        yield _missing(file.name)
    elif not _is_whole_archive(file):
        yield _damaged(file.name)


def _is_whole_archive(file: Path) -> bool:
    """Whether what ``torch.save`` wrote is all there: its directory is the file's end."""
    try:
        size = file.stat().st_size
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return False
    return bool(entries) and all(
        entry.header_offset + entry.compress_size <= size for entry in entries
    )


def _missing(name: str) -> Problem:
    return Problem("training.checkpoints.missing", {"file": name})


def _damaged(name: str) -> Problem:
    return Problem("training.checkpoints.damaged", {"file": name})


def _saved(folder: Path) -> Iterator[Checkpoint]:
    for path in folder.glob("checkpoint-*"):
        number = path.name.removeprefix("checkpoint-")
        if number.isascii() and number.isdigit() and path.is_dir():
            # The trainer's state is the last file that transformers writes into a checkpoint.
            complete = _step(path) == int(number) and _whole(path)
            yield Checkpoint(path.name, int(number), path, complete)


def _step(folder: Path) -> int | None:
    state = read_json(folder / STATE)
    step = state.get("global_step") if isinstance(state, dict) else None
    return step if isinstance(step, int) else None


def _weights(folder: Path) -> tuple[Path, ...]:
    """The files that hold an adapter's weights, or a model's."""
    adapter = folder / _ADAPTER
    return (adapter,) if adapter.is_file() else weight_files(folder)


def _whole(folder: Path) -> bool:
    """Whether there are weights, each file as long as its own header says."""
    files = _weights(folder)
    return bool(files) and all(_is_whole(file) for file in files)


def _is_whole(file: Path) -> bool:
    header = read_header(file)
    return header is not None and header.file_size == file.stat().st_size
