"""What turning a file into rows that LLaMA-Factory reads costs against the tutorial's script.

MedTune's is what "Prepare" starts on the page: the task's own process, from its start until the
rows are written, split, hashed and on the disk, with the repairs and masks that are advised. The
file has been checked before, as it is a moment after it was chosen; of one that was not, it is
shown beside. What comes then, LLaMA-Factory's own loading of the result, the script has nothing of:
the whole of it is shown too. The script keeps all rows in memory and writes them indented.

    python -m benchmarks.data_convert 2000     with a smaller file: so many rows
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from backend.data.decisions import Decisions
from backend.data.preparing import asked_to_prepare
from backend.data.reading.reader import RowReader
from backend.data.recipe import PrepareSettings, Recipe
from backend.data.studies import Request, columns_of, find_study, start_study
from backend.data.tasks import OUTCOME, PROGRESS, TASK, WORKER, TaskState
from backend.files import read_json, write_json
from backend.workspace import Workspace
from benchmarks.common import ROOT, Result, at_most_times, shown_beside, table
from benchmarks.data_processes import Spent, in_turns, ratio, seconds, tell, timed, weighed
from benchmarks.data_rows import ROWS, rows_asked, write_file

ROUNDS = 5
MOST_TIMES = 0.4
MOST_MEMORY = 0.1
LONGEST_SECONDS = 600
NAME = "prepared"


def measure(rows: int = ROWS) -> list[Result]:
    """The promises about preparing, and what comes before and after it beside them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "rows.json"
        write_file(source, rows)
        of = f"{source.stat().st_size / 1e6:.0f} MB"
        checked = Preparing(folder / "checked", source, checked=True)
        unseen = Preparing(folder / "unseen", source, checked=False)
        script = Tutorial(source, folder / "rows.out.json")
        ours, bare, both = in_turns(ROUNDS, checked, script, unseen)
        tell("preparing, the script, checking and preparing", ours, bare, both)
        weights = [way.weighed() for way in (checked, script, unseen)]
        whole = checked.whole()
    return [
        Result(
            name=f"preparing {of} until it is written, against the tutorial's script",
            value=seconds(ours),
            unit="s",
            baseline=seconds(bare),
            ratio=ratio(ours, bare),
            goal=f"≤ {MOST_TIMES:g} ×",
            holds=ratio(ours, bare) <= MOST_TIMES,
        ),
        at_most_times(
            "its memory, against the script's", weights[0], "MB", weights[1], MOST_MEMORY
        ),
        shown_beside(f"checking and preparing {of}, beside", seconds(both), "s", seconds(bare)),
        shown_beside("its memory, all processes, beside", weights[2], "MB", weights[1]),
        shown_beside(
            "preparing with LLaMA-Factory's loading, beside", whole.wall, "s", seconds(bare)
        ),
    ]


class Tutorial:
    """The script, whose result is not there when it begins."""

    def __init__(self, source: Path, made: Path) -> None:
        self._made = made
        self._command = [sys.executable, ROOT / "benchmarks" / "tutorial_convert.py", source, made]

    def __call__(self) -> Spent:
        self._made.unlink(missing_ok=True)
        return timed(self._command)

    def weighed(self) -> float:
        """Megabytes of it."""
        self._made.unlink(missing_ok=True)
        return weighed(self._command)


class Preparing:
    """The task that "Prepare" starts, each time with no such dataset in the workspace.

    Args:
        root: Folder of the workspace.
        checked: The file has been checked already; else nothing is known of it.
    """

    def __init__(self, root: Path, source: Path, *, checked: bool) -> None:
        self._workspace = Workspace.open(root)
        self._folder, self._checked = root / "task", checked
        columns = columns_of(RowReader.glance(source, cache=root / "glance"))
        recipe = Recipe(columns, Decisions().advised_for(columns))
        self._asked = asked_to_prepare(self._workspace, source, recipe, PrepareSettings(NAME))
        if checked:
            check(self._workspace, Request(source, columns, None, recipe.decisions.mended))

    def __call__(self) -> Spent:
        return timed(self._fresh(), until=self._is_written)

    def weighed(self) -> float:
        """Megabytes of it."""
        return weighed(self._fresh(), until=self._is_written)

    def whole(self) -> Spent:
        """With LLaMA-Factory's loading, to the end."""
        spent = timed(self._fresh())
        outcome = read_json(self._folder / OUTCOME)
        if outcome["state"] != "done":
            raise RuntimeError(f"preparing ended otherwise than it should: {outcome}")
        return spent

    def _fresh(self) -> list[object]:
        datasets = self._workspace.prepared_datasets
        for used in (self._folder, datasets, *([] if self._checked else [self._workspace.cache])):
            shutil.rmtree(used, ignore_errors=True)
            used.mkdir()
        self._workspace.dataset_info.unlink(missing_ok=True)
        write_json(self._folder / TASK, self._asked)
        return [*WORKER, self._folder]

    def _is_written(self) -> bool:
        return (read_json(self._folder / PROGRESS) or {}).get("step") == "load"


def check(workspace: Workspace, request: Request) -> None:
    """Study a file, as the page does when it is chosen."""
    start_study(workspace, request)
    until(lambda: _state(workspace, request) is not TaskState.RUNNING)
    if _state(workspace, request) is not TaskState.DONE:
        raise RuntimeError(f"the study ended otherwise than it should: {request}")


def _state(workspace: Workspace, request: Request) -> TaskState | None:
    task = find_study(workspace, request)
    return task.state if task else None


def until(true: Callable[[], bool]) -> None:
    """Raises RuntimeError: it did not come true in ten minutes."""
    deadline = time.monotonic() + LONGEST_SECONDS
    while not true():
        if time.monotonic() > deadline:
            raise RuntimeError(f"a task took more than {LONGEST_SECONDS} s")
        time.sleep(0.05)


if __name__ == "__main__":
    print(table(measure(rows_asked())))
