"""A training on a disk that fills up while it saves a checkpoint, played to its end.

Run as ``python -m tests.fakes.full_training_disk FOLDER`` where FOLDER is a small file system; in a
mount namespace of its own anyone may make one. Prints what was seen as JSON, in its last line.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from backend.text import LANGUAGES
from backend.training.checkpoints import faults, newest_whole
from backend.training.runs import Run, RunState, find_run
from backend.training.supervisor import Supervisor
from backend.workspace import Workspace
from tests.fakes.full_disk import fill
from tests.fakes.logged import logged
from tests.fakes.ready_workspace import VALUES, make_ready
from tests.fakes.trainers import end_trainers, wait_until

DISK_BYTES = 200_000_000
SECONDS = 300.0

VALUES_FULL = {**VALUES, "max_steps": 60, "save_steps": 20, "run_name": "full"}


def main(folder: Path) -> dict[str, object]:
    workspace = make_ready(Workspace.open(folder / "workspace"))
    trainers = Supervisor(workspace)
    try:
        run = trainers.start(VALUES_FULL)
        wait_until(lambda: whole(run) or ended(workspace, run), SECONDS)
        filler = folder / "filler"
        fill(filler, leave=4096)
        wait_until(lambda: ended(workspace, run), SECONDS)
        failed = find_run(workspace, run.id)
        problem = failed.failure
        seen = {
            "state": failed.state.value,
            "problem": problem.key if problem else "",
            "sentences": [problem.sentence(one) for one in LANGUAGES] if problem else [],
            "whole": whole(failed),
            "newest_whole": newest_whole(failed.checkpoints()),
        }
        filler.unlink()
        trainers.resume(run.id)
        wait_until(lambda: ended(workspace, run), SECONDS)
        seen["after"] = find_run(workspace, run.id).state.value
        seen["steps"] = [one["current_steps"] for one in logged(run.folder)]
        return seen
    finally:
        end_trainers(workspace)


def whole(run: Run) -> list[str]:
    found = [one for one in run.checkpoints() if one.path != run.folder]
    return [one.name for one in found if one.complete and not faults(one)]


def ended(workspace: Workspace, run: Run) -> bool:
    state = find_run(workspace, run.id).state
    return not state.active and state is not RunState.QUEUED


if __name__ == "__main__":
    print(json.dumps(main(Path(sys.argv[1]))))
