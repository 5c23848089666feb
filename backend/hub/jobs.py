"""A download as it stands on disk: what was asked for, who works at it, how far it is.

    downloads/<job>/
        job.json        what is fetched, from where, and how patiently
        wanted.json     that it should pause, or was given up; absent while it should go on
        process.json    which process works at it, or did last
        progress.json   how far each file is; replaced twice a second
        outcome.json    how it ended; absent until it has
        files/          what has come, until all of it is there
        reserve         room for outcome.json on a disk that is full
        download.log    what the process said

Everything shown of a download is read from here, so that every page, a second dashboard and the
next start of the dashboard see the same.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from typing import Any, TypeGuard

from backend.errors import DownloadError, MedTuneError, WorkspaceError
from backend.files import read_json
from backend.hub.job_values import (
    FILE_STATES,
    FileProgress,
    FileState,
    Job,
    JobState,
    Patience,
    Remains,
    Request,
    job_id,
)
from backend.hub.repository import HUBS, Listing, RemoteFile, Repository, checked_files
from backend.problems import Problem
from backend.processes import ProcessId
from backend.text import LANGUAGES
from backend.workspace import Workspace, check_name

__all__ = [
    "FileProgress",
    "FileState",
    "Job",
    "JobState",
    "Patience",
    "Remains",
    "Request",
    "bytes_in",
    "find_job",
    "job_id",
    "list_jobs",
    "list_remains",
    "problem_of",
    "process_of",
    "read_job",
    "read_problem",
    "read_request",
]

JOB = "job.json"
WANTED = "wanted.json"
PROCESS = "process.json"
PROGRESS = "progress.json"
OUTCOME = "outcome.json"
FILES = "files"
LOG = "download.log"
LOCK = "lock"
RESERVE = "reserve"


def list_jobs(workspace: Workspace) -> list[Job]:
    """All downloads of a workspace, the newest first; a damaged one is left out."""
    folders = [file.parent for file in workspace.downloads.glob(f"*/{JOB}")]
    jobs = [job for folder in folders if (job := read_job(folder))]
    return sorted(jobs, key=lambda job: (job.request.created, job.id), reverse=True)


def list_remains(workspace: Workspace) -> list[Remains]:
    """The folders of downloads whose request is damaged, by name: their bytes are on the disk."""
    found = []
    for folder in sorted(workspace.downloads.iterdir()):
        # A link or a hidden folder is nothing that a download makes.
        if folder.is_symlink() or not _is_name(folder.name):
            continue
        # One that begins has its folders a moment before its request.
        ours = (folder / JOB).exists() or bytes_in(folder / FILES) > 0
        if ours and read_request(folder) is None:
            found.append(Remains(folder.name, bytes_in(folder)))
    return found


def _is_name(name: str) -> bool:
    try:
        return check_name(name) == name
    except WorkspaceError:
        return False


def find_job(workspace: Workspace, wanted: str) -> Job:
    """The download of that id.

    Raises:
        DownloadError: there is none.
    """
    folder = workspace.named(workspace.downloads, check_name(wanted))
    job = read_job(folder)
    if job is None:
        raise DownloadError("hub.errors.job_missing")
    return job


def read_job(folder: Path) -> Job | None:
    """The download in a folder; None where there is none or its request is damaged."""
    request = read_request(folder)
    if request is None:
        return None
    # First the process: what one that has ended wrote last is there when it is looked for.
    process = process_of(folder)
    alive = process is not None and process.is_alive()
    outcome = _mapping(read_json(folder / OUTCOME))
    progress = _mapping(read_json(folder / PROGRESS))
    state = _state(folder, outcome, alive=alive)
    said = _mapping(progress.get("files"))
    files = tuple(
        _file_progress(file, _mapping(said.get(file.path)), state) for file in request.listing.files
    )
    speed = progress.get("speed")
    return Job(
        request=request,
        folder=folder,
        state=state,
        files=files,
        speed=float(speed) if state is JobState.RUNNING and _is_number(speed) else None,
        problem=read_problem(outcome.get("problem")) if state is JobState.FAILED else None,
        on_disk=bytes_in(folder / FILES),
    )


def bytes_in(folder: Path) -> int:
    """Bytes of all files in a folder; files may come and go meanwhile, and the folder itself."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with suppress(FileNotFoundError):
                status = os.stat(os.path.join(place, name))
                total += status.st_size if S_ISREG(status.st_mode) else 0
    return total


def read_request(folder: Path) -> Request | None:
    """What was asked for; None where that can't be read."""
    match read_json(folder / JOB):
        case {
            "id": str(name),
            "created": str(created),
            "endpoint": str(endpoint),
            "allow_pickle": bool(allow_pickle),
            "patience": {"tries": int(tries), "first": first, "longest": longest},
            "listing": dict(listing),
        } if name == folder.name and _is_number(first) and _is_number(longest):
            found = _read_listing(listing)
            patience = Patience(tries, float(first), float(longest))
            if found:
                return Request(name, created, found, endpoint, allow_pickle, patience)
    return None


def process_of(folder: Path) -> ProcessId | None:
    """The process that works at a job, or did last."""
    match read_json(folder / PROCESS):
        case {"pid": int(pid), "born": str(born)} if pid > 0:
            return ProcessId(pid, born)
    return None


def problem_of(error: MedTuneError) -> dict[str, Any]:
    """An error as it is written down; ``read_problem`` reads it."""
    params = {
        name: value if isinstance(value, int) else str(value)
        for name, value in error.params.items()
    }
    return {"key": error.key, "params": params}


def read_problem(value: Any) -> Problem | None:
    """The problem that was noted; None where it can't be said, e.g. by a key of another version."""
    match value:
        case {"key": str(key), "params": dict(params)}:
            problem = Problem(key, params)
            with suppress(KeyError, TypeError, ValueError):
                if all(problem.sentence(language) for language in LANGUAGES):
                    return problem
    return None


def _read_listing(value: Mapping[str, Any]) -> Listing | None:
    match value:
        case {
            "repository": {"hub": hub, "kind": kind, "id": str(name), "revision": str(revision)},
            "commit": str(commit),
            "licence": str(licence),
            "files": list(files),
        } if hub in HUBS and kind in ("model", "dataset"):
            try:
                # Checked again: the file may have been changed, and paths are written to.
                checked = checked_files(_read_file(one) for one in files)
            except (TypeError, DownloadError):
                return None
            return Listing(Repository(hub, kind, name, revision), commit, licence, checked)
    return None


def _read_file(value: Any) -> RemoteFile:
    """Raises TypeError: it is none."""
    match value:
        case {"path": str(path), "size": int() | None as size, "sha256": str() | None as sha256}:
            blob = value.get("blob")  # what an earlier version began has none
            revision = value.get("revision", "")
            known = isinstance(blob, str | None) and isinstance(revision, str)
            if known and (size is None or size >= 0):
                return RemoteFile(path, size, sha256, blob, revision)
    raise TypeError


def _state(folder: Path, outcome: Mapping[str, Any], *, alive: bool) -> JobState:
    wanted = _mapping(read_json(folder / WANTED)).get("state")
    if alive:
        return JobState.PAUSING if wanted else JobState.RUNNING
    match outcome.get("state"):
        case "done":
            return JobState.DONE
        case "failed":
            return JobState.FAILED
    match wanted:
        case "paused":
            return JobState.PAUSED
        case "cancelled":
            return JobState.CANCELLED
    return JobState.INTERRUPTED


def _file_progress(file: RemoteFile, said: Mapping[str, Any], state: JobState) -> FileProgress:
    received, wait = said.get("received"), said.get("wait")
    told = said.get("state")
    shown: FileState = next((known for known in FILE_STATES if known == told), "waiting")
    if state is JobState.DONE:
        shown = "done"
    elif not state.active and shown in ("checking", "fetching", "retrying"):
        shown = "waiting"
    count = int(received) if _is_number(received) else 0
    speed = said.get("speed")
    moves = state is JobState.RUNNING and shown == "fetching"
    if state is JobState.DONE and file.size is not None:
        count = file.size
    return FileProgress(
        path=file.path,
        size=file.size,
        received=max(count, 0),
        state=shown,
        problem=read_problem(said.get("problem")),
        breaks=int(said["breaks"]) if _is_number(said.get("breaks")) else 0,
        speed=float(speed) if moves and _is_number(speed) else None,
        wait=float(wait) if shown == "retrying" and _is_number(wait) else 0.0,
    )


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _is_number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)
