"""What a person has decided about a file so far, before a dataset is made of it.

A draft is a file in the workspace: it outlives a reload, a restart and another browser. It names
rows by number and holds nothing of what is in them.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from backend.data.decisions import Decisions
from backend.data.meaning.mapping import ColumnMap
from backend.errors import DataError
from backend.files import read_json, write_json
from backend.locks import held
from backend.workspace import Workspace

_LOCK_SECONDS = 10.0

UNDO_STEPS = 50
"""So many decisions can be taken back, the last one first."""


@dataclass(frozen=True)
class Draft:
    """Decisions about one file.

    Attributes:
        columns: How its rows are understood; None as long as that is what was found.
        evaluation: Id of the file on which a model will be scored; empty where none is.
        model: Id of the model whose tokenizer counts; empty until one is chosen.
        template: LLaMA-Factory's chat template.
        cutoff: Cutoff length in tokens, for the lengths and the token view.
        drop: Rows over the cutoff are dropped.
        before: Earlier decisions, the last one last.
    """

    columns: ColumnMap | None = None
    decisions: Decisions = field(default_factory=Decisions)
    evaluation: str = ""
    model: str = ""
    template: str = ""
    cutoff: int = 2048
    drop: bool = False
    before: tuple[Decisions, ...] = ()

    def decide(self, decisions: Decisions) -> Draft:
        """The same with other decisions, which can be undone."""
        if decisions == self.decisions:
            return self
        before = (*self.before, self.decisions)[-UNDO_STEPS:]
        return replace(self, decisions=decisions, before=before)

    def undo(self) -> Draft:
        """Take the last decision back; nothing happens where there is none."""
        if not self.before:
            return self
        return replace(self, decisions=self.before[-1], before=self.before[:-1])

    def to_json(self, source_id: str) -> dict[str, Any]:
        return {
            "source": source_id,
            "columns": self.columns and self.columns.to_json(),
            "decisions": self.decisions.to_json(),
            "evaluation": self.evaluation,
            "model": self.model,
            "template": self.template,
            "cutoff": self.cutoff,
            "drop": self.drop,
            "before": [one.to_json() for one in self.before],
        }

    @classmethod
    def from_json(cls, value: Any) -> Draft:
        """The draft in a file.

        Raises:
            KeyError, TypeError, ValueError, AttributeError: it is none.
        """
        columns = value["columns"]
        return cls(
            columns=ColumnMap.from_json(columns) if columns else None,
            decisions=Decisions.from_json(value["decisions"]),
            evaluation=str(value["evaluation"]),
            model=str(value["model"]),
            template=str(value["template"]),
            cutoff=int(value["cutoff"]),
            drop=bool(value["drop"]),
            before=tuple(Decisions.from_json(one) for one in value["before"]),
        )


def read_draft(workspace: Workspace, source_id: str) -> Draft:
    """The draft of a file; an empty one where there is none, or it is damaged."""
    value = read_json(_path(workspace, source_id))
    try:
        return Draft.from_json(value) if value is not None else Draft()
    except (AttributeError, KeyError, TypeError, ValueError):
        return Draft()


def write_draft(workspace: Workspace, source_id: str, draft: Draft) -> None:
    """Keep a draft.

    Raises:
        DataError: the disk does not take it.
    """
    try:
        write_json(_path(workspace, source_id), draft.to_json(source_id))
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError("data.errors.draft_not_written", reason=reason) from error


@contextmanager
def changing_drafts(workspace: Workspace) -> Iterator[None]:
    """Held while a draft is read, changed and written: of two events, or two pages, at the same
    time the second would otherwise undo the first.

    Raises:
        DataError: another program has held it for long.
    """
    home = workspace.datasets / "drafts"
    home.mkdir(exist_ok=True)
    busy = DataError("data.errors.task_busy")
    with held(home / ".lock", seconds=_LOCK_SECONDS, busy=busy):
        yield


def draft_age(workspace: Workspace, source_id: str) -> float:
    """Seconds since a draft was changed; infinite where there is none."""
    try:
        return time.time() - _path(workspace, source_id).stat().st_mtime
    except OSError:
        return math.inf


def _path(workspace: Workspace, source_id: str) -> Path:
    digest = blake2b(source_id.encode(errors="replace"), digest_size=12).hexdigest()
    return workspace.datasets / "drafts" / f"{digest}.json"
