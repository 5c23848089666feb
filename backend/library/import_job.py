"""One import: files copied or linked into a hidden folder that takes its name when it is whole.

What fails or is cancelled leaves nothing behind.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from backend import units
from backend.errors import LibraryError
from backend.library import Kind, links
from backend.library.copying import Piece, copy_piece
from backend.library.job import Job, State
from backend.library.manifest import Manifest, ManifestFile, local_manifest, write_manifest
from backend.library.records import note_file
from backend.staging import staging
from backend.workspace import Workspace

STAGING = ".importing-"


@dataclass
class ImportJob(Job):
    """A copy under way or ended. Anyone may read it; only its thread changes it.

    Attributes:
        name: How it is listed in the library once it is done.
        copied: Bytes so far.
        total: Bytes in all.
        link: Nothing is copied; the files stay where they are.
    """

    kind: Kind
    name: str
    target: Path
    total: int
    copied: int = 0
    state: State = field(default="copying", kw_only=True)
    link: bool = field(default=False, kw_only=True)

    def copy(self, workspace: Workspace, pieces: Sequence[Piece], manifest: Manifest) -> None:
        """Copy the pieces; called once, in the job's thread.

        Args:
            manifest: Without its files: their hashes are computed on the way.
        """
        with staging(workspace.home(self.kind), STAGING) as folder:
            new = folder / "new"
            files = [self._copy(piece, new / piece.place) for piece in pieces]
            manifest = replace(manifest, files=tuple(sorted(files, key=lambda file: file.path)))
            if new.is_dir():
                write_manifest(new, manifest)
            self._publish(new)
        if self.target.is_file():
            self._note(workspace, manifest)

    def make_links(self, workspace: Workspace, pieces: Sequence[Piece], manifest: Manifest) -> None:
        """Link to the pieces' sources; called once, in the job's thread."""
        noted = {
            self.target / piece.place: local_manifest(
                piece.source, "link", pickles_allowed=manifest.pickles_allowed
            )
            for piece in pieces
        }
        with staging(workspace.home(self.kind), STAGING) as folder:
            new = folder / "new"
            for piece in pieces:
                place = new / piece.place
                place.parent.mkdir(parents=True, exist_ok=True)
                os.symlink(piece.source, place, target_is_directory=piece.source.is_dir())
            # Noted first: a link that nobody noted is one that nobody trusts.
            links.remember(workspace, noted)
            try:
                self._publish(new)
            except (LibraryError, OSError):
                links.forget(workspace, noted)
                raise
        self.copied = self.total

    def _copy(self, piece: Piece, place: Path) -> ManifestFile:
        sha256 = copy_piece(piece, place, self._count)
        status = place.stat()
        # A single file is its own place.
        path = piece.place.as_posix() if piece.place.parts else self.target.name
        return ManifestFile(path, status.st_size, sha256, "none", status.st_mtime_ns)

    def _count(self, size: int) -> None:
        self.go_on()
        self.copied += size

    def _publish(self, whole: Path) -> None:
        if os.path.lexists(self.target):
            raise LibraryError("library.errors.name_taken", name=self.name)
        self.target.parent.mkdir(exist_ok=True)
        whole.rename(self.target)

    def _note(self, workspace: Workspace, manifest: Manifest) -> None:
        try:
            note_file(workspace, self.target, manifest)
        except OSError:
            self.target.unlink()  # all or nothing
            raise

    def _told(self, error: OSError) -> LibraryError:
        reason = error.strerror or str(error)
        if self.link:
            return LibraryError("library.errors.link_failed", name=self.name, reason=reason)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            there = next(folder for folder in self.target.parents if folder.is_dir())
            return disk_full(self.total - self.copied, there)
        return LibraryError("library.errors.copy_failed", name=self.name, reason=reason)


def disk_full(needed: int, folder: Path) -> LibraryError:
    """That so many bytes have no room."""
    free = units.size(shutil.disk_usage(folder).free)
    return LibraryError("library.errors.disk_full", needed=units.size(needed), free=free)
