"""All runs in rows that can be compared: state, settings, losses, duration, tokens, tags.

A row's figures are made once for each state of the run's log: a hundred runs cost a look at a
hundred folders, not a hundred logs read again.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from backend.training import layout
from backend.training.notes import Note, read_note
from backend.training.runs import Run

Order = Literal["created", "run", "model", "dataset", "best", "last", "duration", "tokens"]

MOST_KEPT = 1_000
"""Runs whose figures stay in memory."""


@dataclass(frozen=True)
class Figures:
    """What a run's log comes to.

    Attributes:
        best: Lowest validation loss, None where none was logged.
        last: Training loss logged last.
        seconds: Of training, all attempts together, pauses between them not counted.
        tokens: Input tokens seen, padding included.
    """

    best: float | None = None
    last: float | None = None
    seconds: float | None = None
    tokens: float | None = None


@dataclass(frozen=True)
class RunRow:
    """One run in a table."""

    run: Run
    note: Note
    figures: Figures

    @property
    def model(self) -> str:
        return str(self.run.values.get("model") or "")

    @property
    def dataset(self) -> str:
        return str(self.run.values.get("dataset") or "")


class Overview:
    """Rows of runs, whose figures are kept while the logs stay as they are. Safe among threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[Path, tuple[object, Figures]] = OrderedDict()

    def rows(
        self, runs: Sequence[Run], *, words: str = "", order: Order = "created"
    ) -> list[RunRow]:
        """The rows of the runs that have all of ``words``, sorted; what lacks a figure comes last.

        Args:
            words: Each is looked for, in any case, in name, state, model, dataset, method, tags and
                note.
            order: The newest, the lowest loss, the longest and the most tokens come first; names
                rise.
        """
        rows = [RunRow(run, read_note(run.folder), self._figures(run)) for run in runs]
        found = [row for row in rows if _has(row, words)]
        key, falling = _SORTS[order]
        known = sorted((row for row in found if key(row) is not None), key=key, reverse=falling)
        return known + [row for row in found if key(row) is None]

    def _figures(self, run: Run) -> Figures:
        path = run.folder / layout.TRAINER_LOG
        try:
            status = path.stat()
        except FileNotFoundError:
            return Figures()
        stamp = (status.st_ino, status.st_size, status.st_mtime_ns)
        with self._lock:
            kept = self._kept.get(path)
            if kept is not None and kept[0] == stamp:
                self._kept.move_to_end(path)
                return kept[1]
        figures = _read(run.folder)
        with self._lock:
            self._kept[path] = (stamp, figures)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)
        return figures


def differences(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """The settings in which two runs differ: name, the first one's value, the second one's.

    Their names are left out, which always differ; a setting that one lacks is None there.
    """
    names = list(dict.fromkeys([*first, *second]))
    return [
        (name, first.get(name), second.get(name))
        for name in names
        if name != "run_name" and first.get(name) != second.get(name)
    ]


def _read(folder: Path) -> Figures:
    # numpy comes with it, which a dashboard that shows no run does without.
    from backend.training.curves import read_curves

    curves = read_curves(folder)
    series = curves.series
    return Figures(
        best=_least(series.eval_loss),
        last=_last(series.loss),
        seconds=_last(curves.elapsed),
        tokens=_last(series.tokens),
    )


def _least(values: Any) -> float | None:
    finite = values[values == values]
    return float(finite.min()) if len(finite) else None


def _last(values: Any) -> float | None:
    finite = values[values == values]
    return float(finite[-1]) if len(finite) else None


def _has(row: RunRow, words: str) -> bool:
    place = " ".join(
        [
            row.run.id, row.run.state.value, row.model, row.dataset,
            str(row.run.values.get("finetuning_type") or ""), *row.note.tags, row.note.note,
        ]
    ).casefold()  # fmt: skip
    return all(word in place for word in words.casefold().split())


_SORTS: Mapping[Order, tuple[Callable[[RunRow], Any], bool]] = {
    "created": (lambda row: row.run.created, True),
    "run": (lambda row: row.run.id.casefold(), False),
    "model": (lambda row: row.model.casefold(), False),
    "dataset": (lambda row: row.dataset.casefold(), False),
    "best": (lambda row: row.figures.best, False),
    "last": (lambda row: row.figures.last, False),
    "duration": (lambda row: row.figures.seconds, True),
    "tokens": (lambda row: row.figures.tokens, True),
}

ORDERS: tuple[Order, ...] = tuple(_SORTS)
