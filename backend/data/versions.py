"""Prepared datasets beside each other: what differs between two, what uses one, and deleting it."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import orjson

from backend.data.meaning.records import Target, lesson_from
from backend.data.registry import PreparedDataset, delete_prepared, find_prepared
from backend.errors import DataError
from backend.training.runs import list_runs
from backend.training.start_lock import one_at_a_time
from backend.workspace import Workspace

EXAMPLES = 5
"""So many rows that only one has are shown."""

EXAMPLE_CHARACTERS = 200


@dataclass(frozen=True)
class Difference:
    """A setting that differs.

    Attributes:
        name: As in ``report.json``, with points between: ``decisions.remedies.refusal``.
        old, new: Its values; None where there is none. Of lists only what the other lacks.
    """

    name: str
    old: Any
    new: Any


@dataclass(frozen=True)
class Comparison:
    """Two prepared datasets.

    Attributes:
        settings: What they were made by and differs.
        only_old, only_new, both: Rows, for training and validation together; a row that is there
            twice counts twice.
        examples_old, examples_new: What is asked in a few of the rows that only one has.
    """

    old: PreparedDataset
    new: PreparedDataset
    settings: tuple[Difference, ...]
    only_old: int
    only_new: int
    both: int
    examples_old: tuple[str, ...] = ()
    examples_new: tuple[str, ...] = ()


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
        examples_old=_examples(first, rows_of_first - rows_of_second),
        examples_new=_examples(second, rows_of_second - rows_of_first),
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
        RunError: runs are being started for so long that nothing can be told.
    """
    with one_at_a_time(workspace):
        active, _ = users_of_prepared(workspace, name)
        if active:
            raise DataError("data.errors.prepared_in_use", name=name, run=active[0])
        delete_prepared(workspace, name)


def _rows(prepared: PreparedDataset) -> Counter[bytes]:
    """How often each row is there, by a digest of its line."""
    return Counter(map(_digest, _lines(prepared)))


def _lines(prepared: PreparedDataset) -> Iterator[bytes]:
    try:
        for path in filter(None, (prepared.train_file, prepared.validation_file)):
            with path.open("rb") as file:
                yield from file
    except OSError as error:
        raise DataError("data.errors.prepared_missing", name=prepared.name) from error


def _digest(line: bytes) -> bytes:
    return blake2b(line, digest_size=16).digest()


def _examples(prepared: PreparedDataset, wanted: Counter[bytes]) -> tuple[str, ...]:
    """What is asked in the first few of some rows."""
    found: list[str] = []
    for line in _lines(prepared) if wanted else ():
        if wanted[_digest(line)] > 0:
            wanted[_digest(line)] -= 1
            found.append(_asked_in(line, prepared.report.target))
        if len(found) == EXAMPLES:
            break
    return tuple(found)


def _asked_in(line: bytes, target: Target) -> str:
    """The question of a row, shortened; what stands there of one that was changed by hand."""
    try:
        words = lesson_from(orjson.loads(line), target).question
    except (ValueError, KeyError, TypeError, IndexError, AttributeError):
        words = line.decode("utf-8", "replace")
    return textwrap.shorten(words, EXAMPLE_CHARACTERS, placeholder=" …")


def _count(prepared: PreparedDataset) -> int:
    return prepared.report.train_rows + prepared.report.validation_rows


def _differences(old: PreparedDataset, new: PreparedDataset) -> Iterator[Difference]:
    before, after = _flat(_made_by(old)), _flat(_made_by(new))
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield _difference(name, before.get(name), after.get(name))


def _difference(name: str, old: Any, new: Any) -> Difference:
    if isinstance(old, list) and isinstance(new, list):
        # Two thousand rows that are left out are the same in both; the two that are not count.
        others = set(new)
        only_old = [one for one in old if one not in others]
        others = set(old)
        only_new = [one for one in new if one not in others]
        if only_old or only_new:
            return Difference(name, only_old, only_new)
    return Difference(name, old, new)


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
