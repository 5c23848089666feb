"""Put what has come where it belongs, with a manifest that says what it is."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

from backend.hub.jobs import Request
from backend.hub.repository import RemoteFile
from backend.library.hashing import hash_file
from backend.library.manifest import (
    Checked,
    Manifest,
    ManifestFile,
    merged,
    read_manifest,
    write_manifest,
)


def deliver(request: Request, *, staging: Path, target: Path) -> Manifest:
    """Move the files of a job to their place; called when all have come.

    A new folder appears whole, manifest and all. Into one that exists the files go one by one, and
    the manifest last: killed in between, the next process finds them there and goes on.

    Raises:
        OSError: the disk can't be read or written.
    """
    here = {file.path: staging / file.path for file in request.listing.files}
    for path in here.values():
        if path.exists():
            _settle(path)
    new = _manifest(request, staging=staging, target=target)
    if not target.exists():
        write_manifest(staging, new)
        _clear_empty(staging)
        target.parent.mkdir(parents=True, exist_ok=True)
        staging.rename(target)
        return new
    for name, path in here.items():
        if path.exists():
            place = target / name
            place.parent.mkdir(parents=True, exist_ok=True)
            path.replace(place)
    whole = merged(read_manifest(target), new)
    write_manifest(target, whole)
    return whole


def _settle(path: Path) -> None:
    """See to it that a file is on the disk before anything says that it is."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())


def _manifest(request: Request, *, staging: Path, target: Path) -> Manifest:
    listing = request.listing
    return Manifest(
        source={
            "hub": listing.repository.hub,
            "id": listing.repository.id,
            "revision": listing.repository.revision,
            "commit": listing.commit,
            "licence": listing.licence,
            "endpoint": request.endpoint,
        },
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        pickles_allowed=request.allow_pickle,
        files=tuple(_entry(file, staging=staging, target=target) for file in listing.files),
    )


def _entry(file: RemoteFile, *, staging: Path, target: Path) -> ManifestFile:
    path = staging / file.path
    if not path.exists():
        path = target / file.path
    status = path.stat()
    # With a hash of the hub's the client has compared it; without one ours is for the next check.
    return ManifestFile(
        path=file.path,
        size=status.st_size,
        sha256=file.sha256 or hash_file(path),
        checked=_checked(file),
        modified_ns=status.st_mtime_ns,
        revision=file.revision,
    )


def _checked(file: RemoteFile) -> Checked:
    if file.sha256 is not None:
        return "sha256"
    if file.blob is not None:
        return "git"
    return "none" if file.size is None else "size"


def _clear_empty(folder: Path) -> None:
    """Remove folders that hold nothing, e.g. those of files that were here already."""
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_dir() and not any(path.iterdir()):
            path.rmdir()
