"""The prepared datasets of a workspace, and LLaMA-Factory's ``dataset_info.json`` that names them.

A prepared dataset is its folder, which is there whole or not at all; the entry in
``dataset_info.json`` is made from it. Entries that a person wrote there by hand are left as they
are.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
from filelock import FileLock, Timeout

from backend.data.meaning.lesson import Lesson
from backend.data.meaning.records import entry_of, lesson_from
from backend.data.report import Report
from backend.errors import DataError
from backend.files import read_json, write_text
from backend.staging import staging
from backend.workspace import Workspace

TRAIN_FILE = "data.jsonl"
VALIDATION_FILE = "validation.jsonl"
REPORT_FILE = "report.json"
LEFT_OUT_FILE = "left_out.jsonl"
CARD_FILE = "README.md"

_LOCK_SECONDS = 10

Entries = dict[str, Any]


@dataclass(frozen=True)
class PreparedDataset:
    """A dataset that can be trained on."""

    name: str
    folder: Path
    report: Report

    @property
    def created(self) -> str:
        """When its report was written, ISO 8601 in UTC; empty where that is gone."""
        try:
            written = (self.folder / REPORT_FILE).stat().st_mtime
        except OSError:  # deleted by another page just now
            return ""
        return datetime.fromtimestamp(written, UTC).isoformat(timespec="seconds")

    @property
    def train_file(self) -> Path:
        return self.folder / TRAIN_FILE

    @property
    def validation_file(self) -> Path | None:
        """The rows kept for validation; None where there are none."""
        return self.folder / VALIDATION_FILE if self.report.validation_rows else None


def validation_name(name: str) -> str:
    """Under this name LLaMA-Factory knows the validation rows of a dataset."""
    return f"{name}_validation"


# --- Datasets -----------------------------------------------------------------------------------


def list_prepared(workspace: Workspace) -> list[PreparedDataset]:
    """All prepared datasets, by name. One that lacks its entry (a crash, a lost file) gets it.

    Raises:
        DataError: ``dataset_info.json`` is damaged: LLaMA-Factory could not train on any of them.
    """
    found = prepared_folders(workspace)
    entries = read_entries(workspace)
    for one in found:
        if _lacks_some(entries, entries_of(one.name, one.report)):
            register(workspace, one.name, one.report)
    return found


def _lacks_some(entries: Entries, wanted: Entries) -> bool:
    """Whether entries are missing that can be added; not where a person wrote others there."""
    foreign = any(entries.get(name, entry) != entry for name, entry in wanted.items())
    return not foreign and not wanted.keys() <= entries.keys()


def prepared_folders(workspace: Workspace) -> list[PreparedDataset]:
    """All prepared datasets, by name, whatever the registry says."""
    # glob, unlike iterdir, finds nothing where the folder was deleted under a running page.
    folders = sorted(workspace.prepared_datasets.glob("*"), key=lambda folder: folder.name)
    return [one for folder in folders if (one := _read_prepared(folder)) is not None]


def find_prepared(workspace: Workspace, name: str) -> PreparedDataset:
    """The prepared dataset of that name.

    Raises:
        DataError: there is none.
    """
    for one in list_prepared(workspace):
        if one.name == name:
            return one
    raise DataError("data.errors.prepared_missing", name=name[:80])


def delete_prepared(workspace: Workspace, name: str) -> None:
    """Delete a prepared dataset and its entry. What it was made from stays.

    Raises:
        DataError: there is none of that name.
    """
    prepared = find_prepared(workspace, name)
    with staging(workspace.prepared_datasets, ".deleting-") as away:
        unregister(workspace, name, prepared.report)
        prepared.folder.rename(away / name)


def lessons_of(prepared: PreparedDataset, *, validation: bool = False) -> Iterator[Lesson]:
    """What the rows teach, in order; none where there are no rows for validation."""
    path = prepared.validation_file if validation else prepared.train_file
    if path is None:
        return
    with path.open("rb") as file:
        for line in file:
            yield lesson_from(orjson.loads(line), prepared.report.target)


def _read_prepared(folder: Path) -> PreparedDataset | None:
    """The dataset in a folder; None where the folder is something else."""
    if folder.name.startswith("."):
        return None
    try:
        report = Report.from_json(read_json(folder / REPORT_FILE))
    except (AttributeError, KeyError, TypeError, ValueError):
        return None
    return PreparedDataset(folder.name, folder, report)


# --- dataset_info.json --------------------------------------------------------------------------


def register(workspace: Workspace, name: str, report: Report) -> None:
    """Add the entries of a prepared dataset.

    Raises:
        DataError: the file is damaged, is locked, or has other entries under these names.
    """
    with _changing(workspace) as entries:
        wanted = entries_of(name, report)
        if any(entries.get(key, entry) != entry for key, entry in wanted.items()):
            raise DataError("data.errors.name_registered", name=name)
        entries.update(wanted)


def unregister(workspace: Workspace, name: str, report: Report) -> None:
    """Remove the entries of a prepared dataset; others of the same name stay.

    Raises:
        DataError: the file is damaged or locked.
    """
    with _changing(workspace) as entries:
        for key, entry in entries_of(name, report).items():
            if entries.get(key) == entry:
                del entries[key]


def read_entries(workspace: Workspace) -> Entries:
    """What is in ``dataset_info.json``; empty where there is no such file.

    Raises:
        DataError: it is damaged.
    """
    path = workspace.dataset_info
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except json.JSONDecodeError as error:
        raise DataError("data.errors.registry_broken", file=path, line=error.lineno) from error
    except (OSError, ValueError, RecursionError) as error:  # ValueError: not UTF-8, a huge number
        raise DataError("data.errors.registry_unreadable", file=path) from error
    if not isinstance(entries, dict):
        raise DataError("data.errors.registry_broken", file=path, line=1)
    return entries


def entries_of(name: str, report: Report, *, folder: str = "") -> Entries:
    """The entries of a dataset.

    Args:
        folder: Where its files are, from the registry's own folder; where they belong if empty.
    """
    files = {name: TRAIN_FILE}
    if report.validation_rows:
        files[validation_name(name)] = VALIDATION_FILE
    place = folder or f"prepared/{name}"
    return {
        key: entry_of(f"{place}/{file}", report.target, system=report.system)
        for key, file in files.items()
    }


@contextmanager
def _changing(workspace: Workspace) -> Iterator[Entries]:
    """The entries, written back if the block changed them. One process at a time."""
    with locked_registry(workspace):
        entries = read_entries(workspace)
        before = json.dumps(entries)
        yield entries
        if json.dumps(entries) != before:
            # Escaped: LLaMA-Factory reads it in the system's encoding, be it UTF-8 or not.
            write_text(workspace.dataset_info, json.dumps(entries, indent=2) + "\n")


def locked_registry(workspace: Workspace) -> AbstractContextManager[object]:
    """Held while the registry is changed: one process at a time.

    Raises:
        DataError: another one has held it for long.
    """
    lock = FileLock(workspace.datasets / ".dataset_info.lock", timeout=_LOCK_SECONDS)
    try:
        return lock.acquire()
    except Timeout as error:
        raise DataError("data.errors.registry_locked", file=workspace.dataset_info) from error
