"""Whether there is room on the disk: for a download, beside those that are under way."""

from __future__ import annotations

import shutil
from dataclasses import dataclass

from backend import units
from backend.errors import DownloadError
from backend.hub.jobs import list_jobs
from backend.workspace import Workspace

SPARE = 64_000_000
"""Bytes that must stay free on the disk."""


@dataclass(frozen=True)
class Room:
    """The disk of a workspace, in bytes.

    Attributes:
        free: As the system says it.
        reserved: What the downloads under way are still going to write.
    """

    free: int
    reserved: int = 0

    def missing(self, needed: int) -> int:
        """How much more has to be free for so many bytes; 0 where they fit."""
        return max(needed + self.reserved + SPARE - self.free, 0)

    def check(self, needed: int) -> None:
        """Raises DownloadError: so many bytes don't fit."""
        missing = self.missing(needed)
        if not missing:
            return
        sizes = {"needed": needed, "free": self.free, "missing": missing}
        if self.reserved:
            sizes["reserved"] = self.reserved
        key = "hub.errors.disk_reserved" if self.reserved else "hub.errors.disk_full"
        raise DownloadError(key, **{name: units.size(value) for name, value in sizes.items()})


def room_of(workspace: Workspace, *, besides: str = "") -> Room:
    """The room that there is now.

    Args:
        besides: Id of a download that is not counted, as it is about to begin or go on.
    """
    reserved = sum(
        job.missing for job in list_jobs(workspace) if job.state.active and job.id != besides
    )
    return Room(shutil.disk_usage(workspace.root).free, reserved)
