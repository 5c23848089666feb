"""Which manifest tells of a data file: that of a folder that it is in, or a note of its own.

A file directly under the raw datasets has no folder of its own; what is known of it lies in one
register for all such files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.library.manifest import (
    MANIFEST,
    Manifest,
    ManifestFile,
    read_manifest,
    write_manifest,
)
from backend.library.register import Register
from backend.workspace import Workspace


@dataclass(frozen=True)
class Record:
    """A manifest, and the folder that its paths start from."""

    manifest: Manifest
    folder: Path

    def file(self, path: Path) -> ManifestFile | None:
        """The entry of a file in the folder."""
        return self.manifest.file(path.relative_to(self.folder).as_posix())


def record_of(workspace: Workspace, path: Path) -> Record | None:
    """The manifest that tells of a file or folder under the raw datasets; None where none does."""
    raw = workspace.raw_datasets
    if not path.is_relative_to(raw):
        return None
    for folder in (path, *path.parents):
        if folder == raw:
            break
        if manifest := read_manifest(folder):
            return Record(manifest, folder)
    note = _loose(workspace).entries().get(path.relative_to(raw).as_posix())
    return Record(note, raw) if note else None


def note_file(workspace: Workspace, file: Path, manifest: Manifest) -> None:
    """Keep the manifest of a file directly under the raw datasets.

    Raises:
        OSError: it can't be written.
    """
    _loose(workspace).add({file.name: manifest})


def forget_files(workspace: Workspace, files: Sequence[Path]) -> None:
    """Take files that are gone out of the manifest that tells of them.

    Raises:
        OSError: it can't be written.
    """
    record = record_of(workspace, files[0]) if files else None
    if record is None:
        return
    paths = [file.relative_to(record.folder).as_posix() for file in files]
    if record.folder == workspace.raw_datasets:
        _loose(workspace).remove(paths)
        return
    left = record.manifest.without(paths)
    if left.files:
        write_manifest(record.folder, left)
    else:
        (record.folder / MANIFEST).unlink(missing_ok=True)


def mark(workspace: Workspace, folder: Path, file: ManifestFile, *, damaged: bool) -> None:
    """Note in the manifest that tells of a file whether it was found damaged.

    Raises:
        OSError: it can't be written.
    """
    if folder == workspace.raw_datasets:
        note = _loose(workspace).entries().get(file.path)
        if note is not None:
            _loose(workspace).add({file.path: note.marked(file, damaged=damaged)})
        return
    manifest = read_manifest(folder)
    if manifest is not None:
        write_manifest(folder, manifest.marked(file, damaged=damaged))


def _loose(workspace: Workspace) -> Register:
    return Register(workspace.raw_datasets / MANIFEST)
