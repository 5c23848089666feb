"""The checkpoints of a run, and whether each is whole.

A checkpoint that a crash, a full disk or an impatient person cut short lies in the folder like any
other; loading it fails much later and less clearly than looking at it does here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.files import read_json
from backend.library.weights import read_header, weight_files

FINAL = "final"
_STATE = "trainer_state.json"
_ADAPTER = "adapter_model.safetensors"


@dataclass(frozen=True)
class Checkpoint:
    """Weights that a run has saved.

    Attributes:
        name: ``checkpoint-20``, or ``final`` for what the run saved at its end.
        step: The optimiser step that the weights are from.
        path: The folder that holds them; for ``final`` the run's own.
        complete: All of its files are whole.
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


def _saved(folder: Path) -> Iterator[Checkpoint]:
    for path in folder.glob("checkpoint-*"):
        number = path.name.removeprefix("checkpoint-")
        if number.isascii() and number.isdigit() and path.is_dir():
            # The trainer's state is the last file that transformers writes into a checkpoint.
            complete = _step(path) == int(number) and _whole(path)
            yield Checkpoint(path.name, int(number), path, complete)


def _step(folder: Path) -> int | None:
    state = read_json(folder / _STATE)
    step = state.get("global_step") if isinstance(state, dict) else None
    return step if isinstance(step, int) else None


def _weights(folder: Path) -> tuple[Path, ...]:
    """The files that hold an adapter's weights, or a model's."""
    adapter = folder / _ADAPTER
    return (adapter,) if adapter.is_file() else weight_files(folder)


def _whole(folder: Path) -> bool:
    """Whether there are weights, each file as long as its own header says."""
    files = _weights(folder)
    headers = [read_header(file) for file in files]
    return bool(files) and all(
        header is not None and header.file_size == file.stat().st_size
        for file, header in zip(files, headers, strict=True)
    )
