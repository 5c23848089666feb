"""What a download is, as values. Knows nothing of where they are written; that is ``jobs.py``'s."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, get_args

from backend.hub.repository import Listing, Repository
from backend.problems import Problem

FileState = Literal["waiting", "checking", "fetching", "retrying", "done", "failed"]
FILE_STATES: tuple[FileState, ...] = get_args(FileState)


class JobState(StrEnum):
    """What a download is doing, from evidence."""

    RUNNING = "running"
    PAUSING = "pausing"
    PAUSED = "paused"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"
    FAILED = "failed"
    DONE = "done"

    @property
    def active(self) -> bool:
        """Whether a process works at it."""
        return self in (JobState.RUNNING, JobState.PAUSING)

    @property
    def can_go_on(self) -> bool:
        return self in (
            JobState.PAUSED,
            JobState.CANCELLED,
            JobState.INTERRUPTED,
            JobState.FAILED,
        )


@dataclass(frozen=True)
class Patience:
    """How long a download goes on without a byte.

    The count starts anew with every byte that comes, so that a bad line takes long and not for
    ever: with these numbers a dead one is given up after about five minutes.

    Attributes:
        tries: Tries in a row that bring nothing.
        first: Seconds before the second try; doubled for each further one.
        longest: Seconds between two tries at most, unless the hub asks for more.
    """

    tries: int = 9
    first: float = 1.0
    longest: float = 60.0


@dataclass(frozen=True)
class Request:
    """What was asked for; the content of ``job.json``.

    Attributes:
        id: Name of the job's folder.
        created: ISO date and time.
        endpoint: The hub's address, or that of a mirror.
        allow_pickle: The person agreed to weights that can run code.
    """

    id: str
    created: str
    listing: Listing
    endpoint: str
    allow_pickle: bool = False
    patience: Patience = field(default_factory=Patience)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class FileProgress:
    """How far one file is.

    Attributes:
        received: Bytes that are on disk.
        problem: Why it was last tried again, or has failed.
        breaks: How often it was tried again.
        wait: Seconds until the next try when this was written.
        speed: Bytes a second over the last seconds; None where it does not move.
    """

    path: str
    size: int | None
    received: int = 0
    state: FileState = "waiting"
    problem: Problem | None = None
    wait: float = 0.0
    breaks: int = 0
    speed: float | None = None

    @property
    def seconds_left(self) -> float | None:
        """At the speed of the last seconds; None where that can't be told."""
        if self.size is None:
            return None
        return _seconds_left(self.size - self.received, self.speed)


@dataclass(frozen=True)
class Job:
    """A download as it stands now.

    Attributes:
        speed: Bytes a second over the last seconds; None where nothing runs.
        problem: Why it failed.
        on_disk: Bytes in its folder that were not delivered yet.
    """

    request: Request
    folder: Path
    state: JobState
    files: tuple[FileProgress, ...]
    speed: float | None
    problem: Problem | None
    on_disk: int

    @property
    def id(self) -> str:
        return self.request.id

    @property
    def repository(self) -> Repository:
        return self.request.listing.repository

    @property
    def received(self) -> int:
        return sum(file.received for file in self.files)

    @property
    def total(self) -> int:
        """Bytes in all; what has come counts for a file whose size the hub does not say."""
        return sum(file.received if file.size is None else file.size for file in self.files)

    @property
    def missing(self) -> int:
        """Bytes that are still to be written."""
        # Of files that were on this machine already nothing is in the job's folder.
        return max(self.total - max(self.on_disk, self.received), 0)

    @property
    def seconds_left(self) -> float | None:
        """At the speed of the last seconds; None where that can't be told."""
        if self.state is not JobState.RUNNING:
            return None
        return _seconds_left(self.total - self.received, self.speed)


def _seconds_left(missing: int, speed: float | None) -> float | None:
    return None if speed is None or speed < 1 else max(missing, 0) / speed


@dataclass(frozen=True)
class Remains:
    """A download of which nobody can read any more what was asked for.

    Attributes:
        id: Name of its folder.
        on_disk: Bytes in it.
    """

    id: str
    on_disk: int


def job_id(repository: Repository) -> str:
    """The name of a repository's job: one for each, so that what came is found again."""
    parts = (repository.hub, repository.kind, repository.id)
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()[:8]
    return f"{repository.id.split('/')[-1][:40].strip('.-')}-{digest}"
