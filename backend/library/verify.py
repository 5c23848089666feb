"""Read what is on the disk once more, and compare it with what was noted when it arrived.

A disk that fails and a file that was changed by hand both show as another hash. What came without
a manifest has nothing to be compared with: its hashes are computed, for a person to compare, and
its form is checked.
"""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from backend.errors import LibraryError, WorkspaceError
from backend.library import Kind, links
from backend.library.copying import pieces_in
from backend.library.datasets import find_raw_dataset
from backend.library.hashing import hash_file
from backend.library.job import Job, State
from backend.library.manifest import ManifestFile, read_manifest
from backend.library.models import check_model_folder, find_model
from backend.library.records import Record, mark, record_of
from backend.problems import Problem
from backend.workspace import Workspace


class _Mark(Protocol):
    def __call__(self, folder: Path, file: ManifestFile, *, damaged: bool) -> None: ...


@dataclass
class Verification(Job):
    """A check under way or ended. Anyone may read it; only its thread changes it.

    Attributes:
        id: Of the model, the data file or the folder of data files.
        total: Bytes to read.
        checked: Bytes so far.
        current: The file that is read now.
        result: What is wrong; empty where all is well. Final when ``state`` is ``"done"``.
        note: Why the result says less than it could; None where all was compared.
        files: What was read, with the hashes that it has now.
    """

    kind: Kind
    id: str
    total: int = 0
    checked: int = 0
    current: str = ""
    state: State = field(default="checking", kw_only=True)
    result: tuple[Problem, ...] = ()
    note: Problem | None = None
    files: tuple[ManifestFile, ...] = ()

    def compare(self, folder: Path, expected: Sequence[ManifestFile], mark: _Mark) -> None:
        """Read files and note what is not as expected; called in the job's thread.

        Args:
            mark: Remembers that a file is damaged, or is not any more. Otherwise the next download
                would take it for what its manifest says, by a date that a failing disk leaves.
        """
        self.total = sum(file.size for file in expected)
        for file in expected:
            before = self.checked
            found = self._read(folder, file.path, expected=file.size)
            if found is not None:
                problems = tuple(_differences(found, file))
                self._note(problems)
                if bool(problems) != file.damaged:
                    with suppress(OSError):  # what was found is told all the same
                        mark(folder, file, damaged=bool(problems))
            self.checked = before + file.size

    def hash_all(self, folder: Path, paths: Sequence[tuple[str, int]]) -> None:
        """Read files, by path and size, that there is nothing to compare with."""
        self.note = Problem("library.verify.nothing_to_compare")
        self.total = sum(size for _, size in paths)
        for path, _ in paths:
            self._read(folder, path)

    def _note(self, problems: Iterable[Problem]) -> None:
        self.result += tuple(problems)

    def _read(self, folder: Path, path: str, *, expected: int | None = None) -> ManifestFile | None:
        """A file as it is now, without its hash where it has not the expected size; None if gone.

        What can't be read is noted, and the others are read all the same.
        """
        self.go_on()
        self.current = path
        try:
            status = _regular(folder / path)
            same = expected is None or expected == status.st_size
            sha256 = hash_file(folder / path, self._count) if same else ""
        except (FileNotFoundError, NotADirectoryError):
            self._note([Problem("library.verify.missing", {"file": path})])
            return None
        except OSError as error:
            reason = error.strerror or str(error)
            self._note([Problem("library.verify.unreadable", {"file": path, "reason": reason})])
            return None
        found = ManifestFile(path, status.st_size, sha256, "none", status.st_mtime_ns)
        self.files += (found,)
        return found

    def _count(self, size: int) -> None:
        self.go_on()
        self.checked += size

    def _told(self, error: OSError) -> LibraryError:
        reason = error.strerror or str(error)
        return LibraryError(
            "library.errors.unreadable", path=error.filename or self.id, reason=reason
        )


_Work = Callable[[Verification], None]


class Verifier:
    """The checks of one dashboard."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._jobs: list[Verification] = []
        self._lock = threading.Lock()

    def jobs(self) -> list[Verification]:
        """All checks since the start, the oldest first."""
        with self._lock:
            return list(self._jobs)

    def start(self, kind: Kind, item_id: str) -> Verification:
        """Start to check a model, a data file, or a folder of data files that has a manifest.

        One that is being checked already is not read twice at once: the result is that check.

        Raises:
            LibraryError: there is no such thing.
            WorkspaceError: it is a link out of the workspace that nobody made on purpose.
        """
        self._workspace.check_writable()
        work = self._model(item_id) if kind == "model" else self._dataset(item_id)
        with self._lock:
            for job in self._jobs:
                if (job.kind, job.id, job.state) == (kind, item_id, "checking"):
                    return job
            job = Verification(kind, item_id)
            self._jobs.append(job)
        threading.Thread(target=job.run, args=(lambda: work(job),), daemon=True).start()
        return job

    def forget(self, kind: Kind, item_id: str) -> None:
        """Drop the checks of what is gone: its name may be given again."""
        with self._lock:
            gone = [job for job in self._jobs if (job.kind, job.id) == (kind, item_id)]
            self._jobs = [job for job in self._jobs if job not in gone]
        for job in gone:
            job.cancel()

    def _model(self, model_id: str) -> _Work:
        model = find_model(self._workspace, model_id)
        folder = model.path if model.bundled else links.trusted(self._workspace, model.path)
        manifest = model.manifest
        allowed = manifest is not None and manifest.pickles_allowed

        def work(job: Verification) -> None:
            if manifest is not None and manifest.files:
                job.compare(folder, manifest.files, self._mark)
                return
            pieces = pieces_in(folder, lambda _: True)
            job.hash_all(folder, [(piece.place.as_posix(), piece.size) for piece in pieces])
            job.result += check_model_folder(folder, pickles_allowed=allowed)

        return work

    def _dataset(self, dataset_id: str) -> _Work:
        if record := self._folder(dataset_id):
            return lambda job: job.compare(record.folder, record.manifest.files, self._mark)
        dataset = find_raw_dataset(self._workspace, dataset_id)
        if not dataset.bundled:
            links.trusted(self._workspace, dataset.path)
        found = record_of(self._workspace, dataset.path)
        if found and (entry := found.file(dataset.path)):
            return lambda job: job.compare(found.folder, [entry], self._mark)

        def work(job: Verification) -> None:
            job.hash_all(dataset.path.parent, [(dataset.path.name, dataset.size)])
            job.result += dataset.problems

        return work

    def _mark(self, folder: Path, file: ManifestFile, *, damaged: bool) -> None:
        mark(self._workspace, folder, file, damaged=damaged)

    def _folder(self, place: str) -> Record | None:
        """The manifest in a folder of data files; None where the place is something else."""
        raw = self._workspace.raw_datasets
        try:
            folder = self._workspace.inside(raw / place)
        except WorkspaceError:
            return None
        manifest = read_manifest(folder) if raw in folder.parents else None
        return Record(manifest, folder) if manifest else None


def _regular(file: Path) -> os.stat_result:
    """Raises FileNotFoundError: there is no file, or a folder or a pipe in its place."""
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):
        raise FileNotFoundError(file)
    return status


def _differences(found: ManifestFile, expected: ManifestFile) -> Iterator[Problem]:
    if found.size != expected.size:
        sizes: dict[str, str | int] = {"size": found.size, "expected": expected.size}
        yield Problem("library.verify.size", {"file": found.path, **sizes})
    elif found.sha256 != expected.sha256:
        yield Problem("library.verify.hash", {"file": found.path})
