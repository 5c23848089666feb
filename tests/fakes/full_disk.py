"""A download into a disk that fills up in the middle of it, played to its end.

Run as ``python -m tests.fakes.full_disk FOLDER HUB`` where FOLDER is a small file system; in a
mount namespace of its own anyone may make one. Prints what was seen as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import cast

from backend.hub.jobs import Job
from backend.hub.repository import HubName
from backend.hub.room import SPARE
from backend.text import LANGUAGES
from tests.fakes.hub_jobs import MODEL, WEIGHTS, desk_running, files_in, noise, partials

MEGABYTE = 1_000_000
WEIGHT_BYTES = 20 * MEGABYTE
DISK_BYTES = SPARE + WEIGHT_BYTES + 20 * MEGABYTE


def main(folder: Path, name: HubName) -> dict[str, object]:
    content = noise(WEIGHT_BYTES)
    with desk_running(folder, name) as desk:
        desk.serve(content)
        hold = desk.hub.hold(MODEL, WEIGHTS, at=5 * MEGABYTE)
        job = desk.start()
        desk.until(job, lambda one: one.received >= 5 * MEGABYTE)
        filler = folder / "filler"
        fill(filler, leave=2 * MEGABYTE)
        hold.release()
        full = desk.ended(job)
        seen = {"full": told(full), "partial": partials(full).get(f"{WEIGHTS}.incomplete", 0)}
        seen["delivered"] = desk.target().exists()
        seen["sentences"] = [full.problem.sentence(one) for one in LANGUAGES if full.problem]
        filler.unlink()
        desk.downloads.resume(job.id)
        seen["resumed"] = told(desk.ended(job))
        seen["whole"] = files_in(desk.target()).get(WEIGHTS) == content
        seen["starts"] = [request.start or 0 for request in desk.hub.asked(MODEL, WEIGHTS)]
    return seen


def fill(path: Path, *, leave: int) -> None:
    """Take the room of a file system but for a little."""
    status = os.statvfs(path.parent)
    with path.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, status.f_bavail * status.f_frsize - leave)


def told(job: Job) -> list[str]:
    return [job.state.value, job.problem.key if job.problem else ""]


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]), cast(HubName, sys.argv[2]))))
