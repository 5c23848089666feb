"""The raw data files on this machine: the samples that come with MedTune and what was brought in.

Knows where they are, not what is in them: that is ``backend.data``'s.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.errors import LibraryError, WorkspaceError
from backend.library import links
from backend.library.manifest import MANIFEST, Manifest
from backend.library.records import record_of
from backend.problems import Problem
from backend.text import ASSETS, text
from backend.workspace import Workspace

SAMPLES = ASSETS / "samples"

KINDS = (".json", ".jsonl", ".ndjson", ".csv", ".tsv", ".parquet")
PACKED = ".gz"

ENDINGS = frozenset({*KINDS, *(kind + PACKED for kind in KINDS)})
"""Of the files that may hold rows, ``".json.gz"`` among them."""

_METADATA = frozenset({"dataset_info.json", "dataset_infos.json", "configuration.json", MANIFEST})
"""Files that hubs, and MedTune, put beside the data."""


@dataclass(frozen=True)
class RawDataset:
    """A data file.

    Attributes:
        id: ``"sample/…"`` for one that comes with MedTune, else its place under the raw datasets.
        bundled: It comes with MedTune.
        size: Bytes.
        problems: Why it can't be used.
        linked: The real file of a link that a person made; None for any other.
        manifest: Where it is from, with the files that came together; None where that is unknown.
    """

    id: str
    path: Path
    bundled: bool
    size: int
    problems: tuple[Problem, ...] = ()
    linked: Path | None = None
    manifest: Manifest | None = None


def list_raw_datasets(workspace: Workspace) -> list[RawDataset]:
    """The samples, then the files of the workspace by name, in folders of any depth."""
    samples = [
        RawDataset(f"sample/{file.stem}", file, bundled=True, size=file.stat().st_size)
        for file in data_files(SAMPLES)
    ]
    raw = workspace.raw_datasets
    files = sorted({*data_files(raw), *links.lost(workspace, raw)})
    return samples + [_in_workspace(workspace, file) for file in files]


def said_of_unusable(datasets: Iterable[RawDataset], language: str) -> str:
    """Which data files can't be chosen and why, in a line for a person; empty where all can."""
    found = [one for one in datasets if one.problems]
    said = [
        text(
            language,
            "data.unusable.one",
            name=one.id if len(one.id) <= _SHOWN_NAME else f"{one.id[: _SHOWN_NAME - 1]}…",
            reason=one.problems[0].sentence(language),
        )
        for one in found[:_SHOWN_UNUSABLE]
    ]
    if len(found) > _SHOWN_UNUSABLE:
        said.append(text(language, "data.unusable.more", count=len(found) - _SHOWN_UNUSABLE))
    return text(language, "data.unusable.line", files=" ".join(said)) if said else ""


_SHOWN_UNUSABLE = 3
_SHOWN_NAME = 60
"""Files that are named in one line, and characters of a name: the shelf lists all of them."""


def find_raw_dataset(workspace: Workspace, dataset_id: str) -> RawDataset:
    """The data file of that id.

    Raises:
        LibraryError: there is none.
    """
    for dataset in list_raw_datasets(workspace):
        if dataset.id == dataset_id:
            return dataset
    raise LibraryError("library.errors.dataset_missing", id=dataset_id[:200])


def ready_raw_dataset(workspace: Workspace, dataset_id: str) -> RawDataset:
    """The data file of that id, if it can be used.

    Raises:
        LibraryError: there is none, or its first problem.
    """
    dataset = find_raw_dataset(workspace, dataset_id)
    if dataset.problems:
        problem = dataset.problems[0]
        raise LibraryError(problem.key, **problem.params)
    return dataset


def data_files(folder: Path) -> Iterator[Path]:
    """The files in a folder and its folders that may hold rows, by name; hidden ones not."""
    for file in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
        if not hidden and is_data_file(file):
            yield file


def is_data_file(file: Path) -> bool:
    """Whether a file may hold rows, by its name."""
    return bool(ending_of(file.name)) and file.name not in _METADATA and os.path.isfile(file)


def ending_of(name: str) -> str:
    """The ending by which a file may hold rows, in lower case; empty where it has none of them."""
    lower = name.lower()
    return next((ending for ending in ENDINGS if lower.endswith(ending)), "")


def _in_workspace(workspace: Workspace, file: Path) -> RawDataset:
    dataset_id = file.relative_to(workspace.raw_datasets).as_posix()
    link = links.linked(workspace, file)
    record = record_of(workspace, file)
    try:
        size, problems = _look_at(links.trusted(workspace, file))
    except WorkspaceError:
        size, problems = 0, (Problem("library.problems.outside"),)
    return RawDataset(
        id=dataset_id,
        path=file,
        bundled=False,
        size=size,
        problems=problems,
        linked=links.target_of(link),
        manifest=link or (record.manifest if record else None),
    )


def _look_at(file: Path) -> tuple[int, tuple[Problem, ...]]:
    """The size of a file, and why it can't be used."""
    try:
        size = file.stat().st_size
    except FileNotFoundError:
        return 0, (Problem("library.problems.link_lost", {"path": str(file)}),)
    except OSError as error:
        reason = error.strerror or str(error)
        return 0, (Problem("library.problems.unreadable", {"reason": reason}),)
    return size, () if size else (Problem("library.problems.file_empty"),)
