"""Delete a model or a data file, after saying what uses it.

To others it is there whole or gone: it is renamed to a hidden name and deleted there. What a killed
process left of that is removed at the next start. A link is removed, never what it leads to.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from backend.data.registry import REPORT_FILE
from backend.errors import LibraryError
from backend.files import read_json
from backend.library import Kind, links
from backend.library.datasets import data_files, find_raw_dataset
from backend.library.manifest import MANIFEST
from backend.library.models import find_model
from backend.library.records import forget_files, record_of
from backend.problems import Problem
from backend.staging import staging
from backend.training.runs import list_runs
from backend.workspace import Workspace

REMOVING = ".removing-"
"""Start of the hidden names."""

_NAMED = 3


def users_of(
    workspace: Workspace,
    kind: Kind,
    item_id: str,
    *,
    loaded: Sequence[str] = (),
    downloading: Sequence[str] = (),
) -> tuple[Problem, ...]:
    """What uses a model or data file; first what forbids its deletion (see ``obstacles``).

    Args:
        loaded: Ids of the bases that chat engines hold.
        downloading: Ids of the models, or folders of data files, that a download writes into.

    Raises:
        LibraryError: there is no such thing.
    """
    item = _found(workspace, kind, item_id)
    using = _trained(workspace, item_id) if kind == "model" else _prepared(workspace, item)
    forbidding = obstacles(workspace, kind, item_id, loaded=loaded, downloading=downloading)
    return (*forbidding, *using)


def obstacles(
    workspace: Workspace,
    kind: Kind,
    item_id: str,
    *,
    loaded: Sequence[str] = (),
    downloading: Sequence[str] = (),
) -> tuple[Problem, ...]:
    """Why a model or data file can't be deleted now; arguments as for ``users_of``."""
    found: list[Problem] = []
    if any(item_id == place or item_id.startswith(f"{place}/") for place in downloading):
        found.append(Problem("library.uses.downloading"))
    if kind == "model":
        if item_id in loaded:
            found.append(Problem("library.uses.loaded"))
        runs = (run for run in list_runs(workspace) if run.state.pending)
        found += [
            Problem("library.uses.training", {"run": run.id})
            for run in runs
            if run.values.get("model") == item_id
        ]
    return tuple(found)


def freed(workspace: Workspace, kind: Kind, item_id: str) -> int:
    """Bytes that deleting gives back: what a link leads to and what has other names stay.

    Raises:
        LibraryError: there is no such thing.
    """
    item = _found(workspace, kind, item_id)
    return _bytes([item.path, *_companions(workspace, item)])


def remove(
    workspace: Workspace,
    kind: Kind,
    item_id: str,
    *,
    loaded: Sequence[str] = (),
    downloading: Sequence[str] = (),
) -> int:
    """Delete a model or data file; arguments as for ``users_of``.

    With the last data file of a folder goes what came with it, as the manifest tells.

    Returns:
        The bytes that this gave back.

    Raises:
        LibraryError: there is no such thing, it comes with MedTune, is in use, or can't be deleted.
        WorkspaceError: it lies in a folder that is a link out of the workspace.
    """
    item = _found(workspace, kind, item_id)
    if item.bundled:
        raise LibraryError("library.errors.bundled", name=item_id)
    for problem in obstacles(workspace, kind, item_id, loaded=loaded, downloading=downloading):
        raise LibraryError(problem.key, **problem.params)
    workspace.inside(item.path.parent)
    paths = [item.path, *_companions(workspace, item)]
    given_back = _bytes(paths)
    try:
        _take_away(workspace, kind, paths)
    except OSError as error:
        there = os.path.lexists(item.path)
        key = "library.errors.remove_failed" if there else "library.errors.remove_incomplete"
        reason = error.strerror or str(error)
        raise LibraryError(key, name=item_id, reason=reason) from error
    return given_back


def _take_away(workspace: Workspace, kind: Kind, paths: Sequence[Path]) -> None:
    parent = workspace.home(kind)
    with staging(parent, REMOVING) as hidden:
        for number, path in enumerate(paths):
            path.rename(hidden / str(number))  # of a link, the link itself
        links.forget(workspace, paths)
        if kind == "dataset":
            forget_files(workspace, paths)
        for folder in dict.fromkeys(path.parent for path in paths):
            _clear_empty(folder, parent)
        for number in range(len(paths)):
            _delete(hidden / str(number))


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)  # removes links in it, not what they lead to
    else:
        path.unlink()


def _clear_empty(folder: Path, end: Path) -> None:
    while folder != end:
        try:
            folder.rmdir()
        except OSError:  # something is in it
            return
        folder = folder.parent


# --- What there is ------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Item:
    kind: Kind
    path: Path
    bundled: bool


def _found(workspace: Workspace, kind: Kind, item_id: str) -> _Item:
    if kind == "model":
        model = find_model(workspace, item_id)
        return _Item(kind, model.path, model.bundled)
    dataset = find_raw_dataset(workspace, item_id)
    return _Item(kind, dataset.path, dataset.bundled)


def _companions(workspace: Workspace, item: _Item) -> list[Path]:
    """What came with the last data file of a folder: a card, a licence."""
    record = record_of(workspace, item.path) if item.kind == "dataset" else None
    if record is None or record.folder == workspace.raw_datasets:
        return []
    if any(file != item.path for file in data_files(record.folder)):
        return []
    paths = (record.folder / file.path for file in record.manifest.files)
    return [
        path
        for path in paths
        if path != item.path
        and path.is_file()
        and path.parent.resolve().is_relative_to(record.folder.resolve())
    ]


def _bytes(paths: Sequence[Path]) -> int:
    """The room that files take: each once, and none that has a name elsewhere too."""
    seen: dict[tuple[int, int], tuple[int, int, int]] = {}
    for path in paths:
        for file in _files(path):
            with suppress(OSError):
                status = file.lstat()
                key = (status.st_dev, status.st_ino)
                _, _, names = seen.get(key, (0, 0, 0))
                seen[key] = (status.st_size, status.st_nlink, names + 1)
    return sum(size for size, links_, names in seen.values() if names >= links_)


def _files(path: Path) -> Iterator[Path]:
    """The file itself, or the files in a folder; links are neither."""
    if path.is_symlink():
        return
    if path.is_file() and path.name != MANIFEST:
        yield path
    for folder, _, names in os.walk(path):  # of a file, nothing
        for name in names:
            file = Path(folder, name)
            if name != MANIFEST and not file.is_symlink():
                yield file


# --- What uses it -------------------------------------------------------------------------------


def _trained(workspace: Workspace, model_id: str) -> list[Problem]:
    runs = [run for run in list_runs(workspace) if run.values.get("model") == model_id]
    ended = [run.id for run in runs if not run.state.pending]
    return _listed("library.uses.runs", ended)


def _prepared(workspace: Workspace, item: _Item) -> list[Problem]:
    """The datasets that were prepared from a file. They are copies, so they stay as they are."""
    # A report names the place in the workspace; an old one that on the disk, which may have moved.
    tail = "/" + item.path.relative_to(workspace.root).as_posix() if not item.bundled else None
    names = [
        file.parent.name
        for file in sorted(workspace.prepared_datasets.glob(f"[!.]*/{REPORT_FILE}"))
        if _is_source(read_json(file), item.path, tail)
    ]
    return _listed("library.uses.prepared", names)


def _is_source(report: object, file: Path, tail: str | None) -> bool:
    match report:
        case {"source": str(source)}:
            moved = tail and Path(source).as_posix().endswith(tail) and not os.path.exists(source)
            return source in (str(file), tail and tail[1:]) or bool(moved)
    return False


def _listed(key: str, names: Sequence[str]) -> list[Problem]:
    if not names:
        return []
    shown = ", ".join(names[:_NAMED]) + (" …" if len(names) > _NAMED else "")
    return [Problem(key, {"count": len(names), "names": shown})]
