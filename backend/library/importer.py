"""Bring a model folder or data files of this machine into the workspace: copied or linked.

Nothing is moved. Copies run in threads into hidden folders that take their name when they are
whole. What is refused, fails or is cancelled leaves nothing behind; what a killed process left is
removed at the next start.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from backend.errors import LibraryError
from backend.library import Kind
from backend.library.copying import Piece, pieces_in
from backend.library.datasets import KINDS, ending_of, is_data_file
from backend.library.import_job import STAGING, ImportJob, disk_full
from backend.library.links import target_of
from backend.library.manifest import Manifest, Way, local_manifest
from backend.library.models import check_model_folder
from backend.library.removal import REMOVING
from backend.library.weights import PICKLES, pickle_files
from backend.staging import clear_leftovers
from backend.workspace import NAME_LIMIT, Workspace, check_name

__all__ = ["ImportJob", "Importer"]

_SPARE = 64_000_000
"""Bytes that must stay free on the disk."""


class Importer:
    """The imports of one dashboard."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._jobs: list[ImportJob] = []
        self._lock = threading.Lock()
        for parent in (workspace.models, workspace.raw_datasets):
            for prefix in (STAGING, REMOVING):
                clear_leftovers(parent, prefix)

    def jobs(self) -> list[ImportJob]:
        """All imports since the start, the oldest first."""
        with self._lock:
            return list(self._jobs)

    def import_model(
        self,
        source: Path,
        name: str | None = None,
        *,
        link: bool = False,
        allow_pickle: bool = False,
    ) -> ImportJob:
        """Start to bring in a model folder; ``name`` is ``"org/name"`` or ``"name"``.

        Pickles are not copied: they run code when they are loaded.

        Args:
            link: Leave the files where they are and link to their folder.
            allow_pickle: The person agrees to weights that are there as pickles only.

        Raises:
            WorkspaceError: the name can't be one.
            LibraryError: the source is no whole model, or can't be brought there.
        """
        source = self._source(source)
        if not source.is_dir():
            raise LibraryError("library.errors.not_a_folder", path=source)
        if problems := check_model_folder(source, pickles_allowed=allow_pickle):
            raise LibraryError(problems[0].key, **problems[0].params)
        pickles = frozenset(pickle_files(source))
        pieces = pieces_in(
            source, lambda file: file in pickles or file.suffix.lower() not in PICKLES
        )
        place = _model_place(name or _usable_name(source.name))
        if link:
            pieces = [Piece(source, Path(), sum(piece.size for piece in pieces))]
        way: Way = "link" if link else "copy"
        manifest = local_manifest(source, way, pickles_allowed=bool(pickles))
        return self._start("model", place, pieces, manifest)

    def import_dataset(
        self, source: Path, name: str | None = None, *, link: bool = False
    ) -> ImportJob:
        """Start to bring in a data file, or the data files of a folder.

        Args:
            link: Leave the files where they are and link to each.

        Raises:
            WorkspaceError: the name can't be one.
            LibraryError: there is no data file, or it can't be brought there.
        """
        given, source = source, self._source(source)
        if source.is_dir():
            pieces = pieces_in(source, is_data_file)
            place = Path(check_name(name or _usable_name(source.name)))
        else:
            # Its name is that of the link: the file's own is a hash in Hugging Face's cache.
            usable = is_data_file(given.expanduser())
            pieces = [Piece(source, Path(), source.stat().st_size)] if usable else []
            place = _file_place(given, name)
        if not any(piece.size for piece in pieces):
            endings = ", ".join(KINDS)
            raise LibraryError("library.errors.no_data_file", path=source, endings=endings)
        if link:
            pieces = [Piece(piece.source.resolve(), piece.place, piece.size) for piece in pieces]
        way: Way = "link" if link else "copy"
        return self._start("dataset", place, pieces, local_manifest(source, way))

    def _source(self, path: Path) -> Path:
        """The source with links followed.

        Raises:
            WorkspaceError: it is not among what may be imported.
            LibraryError: it is missing, can't be read, or holds the workspace or is held by it.
        """
        if path == Path():
            raise LibraryError("library.errors.source_empty")
        self._workspace.check_source(path)
        try:
            source = path.expanduser().resolve(strict=True)
        except FileNotFoundError as error:
            raise LibraryError("library.errors.source_missing", path=path) from error
        except (OSError, RuntimeError, ValueError) as error:  # a circle of links, a NUL byte
            raise LibraryError("library.errors.unreadable", path=path, reason=error) from error
        library = (self._workspace.models, self._workspace.raw_datasets)
        if any(
            source.is_relative_to(folder) or folder.is_relative_to(source) for folder in library
        ):
            raise LibraryError("library.errors.source_inside", path=source)
        return source

    def _start(
        self, kind: Kind, place: Path, pieces: Sequence[Piece], manifest: Manifest
    ) -> ImportJob:
        self._workspace.check_writable()
        for piece in pieces:
            _check_text(piece.source)
        link = target_of(manifest) is not None
        parent = self._workspace.home(kind)
        total = sum(piece.size for piece in pieces)
        if not link and shutil.disk_usage(parent).free < total + _SPARE:
            raise disk_full(total, parent)
        # What has the name already may be a link out of the workspace: that is for the next check.
        target = self._workspace.inside((parent / place).parent) / place.name
        job = ImportJob(kind, place.as_posix(), target, total, link=link)
        with self._lock:
            if self._is_taken(job.target, parent):
                raise LibraryError("library.errors.name_taken", name=job.name)
            self._jobs.append(job)
        work = partial(job.make_links if link else job.copy, self._workspace, pieces, manifest)
        threading.Thread(target=job.run, args=(work,), daemon=True).start()
        return job

    def _is_taken(self, target: Path, parent: Path) -> bool:
        """Whether something has the name, gets it now, or is a model that it would lie in."""
        copying = (job.target for job in self._jobs if job.state == "copying")
        inside_model = target.parent != parent and (target.parent / "config.json").exists()
        return os.path.lexists(target) or inside_model or target in copying


def _model_place(name: str) -> Path:
    parts = name.strip("/").split("/")
    if len(parts) > 2:
        raise LibraryError("library.errors.name_deep", name=name)
    return Path(*map(check_name, parts))


def _file_place(source: Path, name: str | None) -> Path:
    ending = ending_of(source.name) or source.suffix.lower()
    own = source.name[: len(source.name) - len(ending)]
    stem = name.removesuffix(ending) if name else _usable_name(own)
    return Path(check_name(stem) + ending)


def _usable_name(name: str) -> str:
    """A file's own name, with what a name can't have replaced."""
    return re.sub(r"[^\w.\-]+", "-", name).strip("-.")[:NAME_LIMIT] or "imported"


def _check_text(path: Path) -> None:
    """Refuse a path that is no text, which a file system allows and a manifest can't hold."""
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(path).decode(errors="replace")
        raise LibraryError("library.errors.name_not_text", path=shown) from error
