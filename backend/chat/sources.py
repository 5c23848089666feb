"""Who can answer in a column: models, checkpoints of runs, adapters from elsewhere, remote models.

A source is what lies on disk or behind an address now; ``conversations.SavedColumn`` is what is
kept of it with what it said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import orjson

from backend.chat.choices import (
    Base,
    bases,
    distinct,
    is_base,
    is_lora,
    key_of,
    template_of,
    thinking_of,
)
from backend.chat.columns import Column
from backend.chat.conversations import ColumnKind, SavedColumn
from backend.errors import EngineError
from backend.library.adapters import list_adapters
from backend.training.layout import TRAINER_LOG
from backend.training.runs import Run, list_runs
from backend.workspace import Workspace

REMOTE = "remote:"


@dataclass(frozen=True)
class Source:
    """What can answer; the fields are those of ``SavedColumn``.

    Attributes:
        folder: The weights that are loaded first: the base of an adapter. None for "remote".
        adapter: The folder of an adapter on it.
        thinking: False where the training had all reasoning taken out.
    """

    key: str
    label: str
    kind: ColumnKind
    model: str
    template: str = ""
    folder: Path | None = None
    adapter: Path | None = None
    address: str = ""
    run: str = ""
    checkpoint: str = ""
    step: int | None = None
    evaluation_loss: float | None = None
    thinking: bool | None = None

    def column(self) -> Column:
        """What an engine is told of it."""
        return Column(self.key, self.adapter, self.template, self.thinking)

    def saved(self) -> SavedColumn:
        """A column with it that has said nothing yet."""
        return SavedColumn(
            key=self.key,
            label=self.label,
            kind=self.kind,
            model=self.model,
            address=self.address,
            run=self.run,
            checkpoint=self.checkpoint,
            step=self.step,
            evaluation_loss=self.evaluation_loss,
            template=self.template,
        )


def remote(address: str, model: str) -> Source:
    """A model behind an OpenAI-compatible address, which ends in ``/v1``."""
    return Source(
        key=f"{REMOTE}{model}@{address}",
        label=model,
        kind="remote",
        model=model,
        address=address,
    )


def sources(workspace: Workspace, remotes: Sequence[tuple[str, str]] = ()) -> list[Source]:
    """All that can answer: each model, what was trained on it, newest run first; then the rest.

    Args:
        remotes: Pairs of an address and a model there.
    """
    known = bases(workspace)
    runs = list_runs(workspace)
    found: list[Source] = []
    for base in known:
        found.append(_of_full(base) if base.run else _of_base(base))
        found += [one for run in runs for one in _of_run(base, run)]
    by_id = {base.id: base for base in known}
    for adapter in list_adapters(workspace):
        if under := by_id.get(adapter.base):
            key, template = f"adapter:{adapter.name}", adapter.template or under.template
            found.append(
                Source(key, adapter.name, "imported", under.id, template, under.path, adapter.path)
            )
    return found + [remote(address, model) for address, model in remotes]


def source_of(column: SavedColumn, known: Mapping[str, Source]) -> Source:
    """What answers in a column now.

    Raises:
        EngineError: it is not there any more.
    """
    if column.kind == "remote":
        return remote(column.address, column.model)
    if column.key not in known:
        raise EngineError("chat.errors.source_gone", name=column.label)
    return known[column.key]


def _of_base(base: Base) -> Source:
    return Source(f"base:{base.id}", base.id, "base", base.id, base.template, base.path)


def _of_run(base: Base, run: Run) -> list[Source]:
    if not is_lora(run) or not is_base(base, run):
        return []
    losses = evaluation_losses(run)
    return [
        Source(
            key=key_of(run, one),
            label=f"{run.id} · {one.name}",
            kind="lora",
            model=base.id,
            template=template_of(run),
            thinking=thinking_of(run),
            folder=base.path,
            adapter=one.path,
            run=run.id,
            checkpoint=one.name,
            step=one.step,
            evaluation_loss=losses.get(one.step),
        )
        for one in distinct(run)
    ]


def _of_full(base: Base) -> Source:
    run, checkpoint = base.run, base.checkpoint
    assert run is not None and checkpoint is not None
    return Source(
        key=base.id,
        label=f"{run.id} · {checkpoint.name}",
        kind="full",
        model=base.id,
        template=base.template,
        thinking=thinking_of(run),
        folder=base.path,
        run=run.id,
        checkpoint=checkpoint.name,
        step=checkpoint.step,
        evaluation_loss=evaluation_losses(run).get(checkpoint.step),
    )


def evaluation_losses(run: Run) -> Mapping[int, float]:
    """Evaluation loss by step, as LLaMA-Factory logged it; a resumed step counts as logged last."""
    path = run.folder / TRAINER_LOG
    try:
        status = path.stat()
    except OSError:
        return {}
    return _losses(path, status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=256)
def _losses(path: Path, _size: int, _modified: int) -> Mapping[int, float]:
    found: dict[int, float] = {}
    try:
        with path.open("rb") as file:
            for line in file:
                # Most lines are of training steps, and reading them as JSON costs the most.
                if b'"eval_loss"' not in line:
                    continue
                try:
                    entry = orjson.loads(line)
                except orjson.JSONDecodeError:
                    continue
                match entry:
                    case {"current_steps": int(step), "eval_loss": float(loss)}:
                        found[step] = loss
    except OSError:
        return {}
    return found
