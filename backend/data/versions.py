"""Prepared datasets beside each other: what differs between two, what uses one, and deleting it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

from backend.data.registry import PreparedDataset, delete_prepared, find_prepared
from backend.errors import DataError
from backend.training.runs import list_runs
from backend.workspace import Workspace


@dataclass(frozen=True)
class Comparison:
    """Two prepared datasets.

    Attributes:
        settings: What they were made by and differs: its name, its value in the one and the other.
        only_old, only_new, both: Rows, for training and validation together; a row that is there
            twice counts twice.
    """

    old: PreparedDataset
    new: PreparedDataset
    settings: tuple[tuple[str, str, str], ...]
    only_old: int
    only_new: int
    both: int


def compare(workspace: Workspace, old: str, new: str) -> Comparison:
    """Compare two prepared datasets row by row.

    Raises:
        DataError: one of them is not there, or can't be read.
    """
    first, second = find_prepared(workspace, old), find_prepared(workspace, new)
    rows_of_first, rows_of_second = _rows(first), _rows(second)
    shared = rows_of_first.keys() & rows_of_second.keys()
    both = sum(min(rows_of_first[row], rows_of_second[row]) for row in shared)
    return Comparison(
        old=first,
        new=second,
        settings=tuple(_differences(first, second)),
        only_old=_count(first) - both,
        only_new=_count(second) - both,
        both=both,
    )


def users_of_prepared(workspace: Workspace, name: str) -> tuple[list[str], list[str]]:
    """Ids of the runs that train on a dataset now, and of those that were trained on it."""
    using = [run for run in list_runs(workspace) if run.values.get("dataset") == name]
    active = [run.id for run in using if run.state.pending]
    return active, [run.id for run in using if not run.state.pending]


def delete_version(workspace: Workspace, name: str) -> None:
    """Delete a prepared dataset that no run is training on. What it was made from stays.

    Raises:
        DataError: there is none of that name, or a run is training on it.
    """
    active, _ = users_of_prepared(workspace, name)
    if active:
        raise DataError("data.errors.prepared_in_use", name=name, run=active[0])
    delete_prepared(workspace, name)


def _rows(prepared: PreparedDataset) -> Counter[bytes]:
    """How often each row is there, by a digest of its line."""
    counts: Counter[bytes] = Counter()
    try:
        for path in filter(None, (prepared.train_file, prepared.validation_file)):
            with path.open("rb") as file:
                counts.update(blake2b(line, digest_size=16).digest() for line in file)
    except OSError as error:
        raise DataError("data.errors.prepared_missing", name=prepared.name) from error
    return counts


def _count(prepared: PreparedDataset) -> int:
    return prepared.report.train_rows + prepared.report.validation_rows


def _differences(old: PreparedDataset, new: PreparedDataset) -> Iterator[tuple[str, str, str]]:
    before, after = _flat(_made_by(old)), _flat(_made_by(new))
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield name, _said(before.get(name)), _said(after.get(name))


def _made_by(prepared: PreparedDataset) -> dict[str, Any]:
    report = prepared.report
    settings = {key: value for key, value in report.settings.to_json().items() if key != "name"}
    return {
        "source": report.source,
        "source_sha256": report.source_sha256,
        **settings,
        **report.recipe.to_json(),
    }


def _flat(value: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, inner in value.items():
        if isinstance(inner, Mapping):
            flat |= _flat(inner, f"{before}{name}.")
        else:
            flat[f"{before}{name}"] = inner
    return flat


def _said(value: Any) -> str:
    match value:
        case None | "" | []:
            return "–"
        case list():
            shown = ", ".join(str(one) for one in value[:20])
            return f"{shown} …" if len(value) > 20 else shown
    return str(value)
