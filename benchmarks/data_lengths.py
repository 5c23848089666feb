"""What counting the tokens of a whole file costs: on all cores, on one, and asked for again.

The worker that the page starts counts those of 139 MB with the demo model's tokenizer, in a process
of its own, with the repairs and masks that are advised; the rows' places are known, as they are
once a page was shown. On one core it counts the same with one process and one thread. Asked again,
the lengths are found in the cache.

    python -m benchmarks.data_lengths 2000     with a smaller file: so many rows
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

from backend.data.decisions import Decisions
from backend.data.reading.reader import RowReader
from backend.data.studies import columns_of
from backend.data.tasks import TASK, Task, TaskState
from backend.data.tokens.inspector import offline
from backend.data.tokens.measuring import WORKER, LengthsRequest, Measuring
from backend.files import write_json
from backend.text import ASSETS
from backend.workspace import Workspace
from benchmarks.common import Result, at_most, shown_beside, table
from benchmarks.data_processes import Spent, tell, timed
from benchmarks.data_rows import ROWS, rows_asked, write_file

LEAST_SHARE = 0.8
MOST_MILLISECONDS = 50.0
AGAIN = 5
LONGEST_SECONDS = 600
MODEL = ASSETS / "demo_model"
TEMPLATE = "deepseekr1"


def measure(rows: int = ROWS) -> list[Result]:
    """The promises about cores and about the second call."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "rows.json"
        write_file(source, rows)
        of = f"{source.stat().st_size / 1e6:.0f} MB"
        workspace = Workspace.open(folder / "workspace")
        columns = columns_of(RowReader.open(source, cache=workspace.cache))
        mended = Decisions().advised_for(columns).mended
        request = LengthsRequest(source, columns, mended, MODEL, TEMPLATE)
        task, again = asked_again(Measuring(workspace), request)
        all_cores = Counting(folder / "all", task, {})
        one_core = Counting(folder / "one", task, {"RAYON_NUM_THREADS": "1"})
        # Once each: a minute of work wavers little, and the first measurement was the warm-up.
        ours, single = timed(*all_cores.fresh()), timed(*one_core.fresh())
        tell("counting tokens, all cores against one", [ours], [single])
    return [busy(ours), *compared(of, ours, single, task.result["tokens"]), again]


def asked_again(measuring: Measuring, request: LengthsRequest) -> tuple[Task, Result]:
    """A measurement that is done, and how long it takes to ask for it again."""
    measuring.start(request)
    began = time.monotonic()
    while (task := measuring.state(request)) and task.state is TaskState.RUNNING:
        if time.monotonic() - began > LONGEST_SECONDS:
            raise RuntimeError(f"counting took more than {LONGEST_SECONDS} s")
        time.sleep(0.1)
    if task is None or task.state is not TaskState.DONE:
        raise RuntimeError(f"counting ended otherwise than it should: {task}")
    times = []
    for _ in range(AGAIN):
        began = time.perf_counter()
        measuring.start(request)
        lengths = measuring.lengths(request)
        times.append(time.perf_counter() - began)
        assert lengths is not None and len(lengths.totals) == task.result["rows"]
    name = f"lengths asked for again, the slowest of {AGAIN}"
    return task, at_most(name, 1000 * max(times), "ms", MOST_MILLISECONDS)


class Counting:
    """The task that the page starts, in a fresh folder each time."""

    def __init__(self, folder: Path, task: Task, variables: dict[str, str]) -> None:
        self._folder, self._asked = folder, task.asked
        self._environment = offline(**variables)

    def fresh(self) -> tuple[list[object], dict[str, str]]:
        """The command that counts once more, and its environment."""
        shutil.rmtree(self._folder, ignore_errors=True)
        self._folder.mkdir()
        write_json(self._folder / TASK, self._asked)
        return [*WORKER, self._folder], self._environment


def busy(ours: Spent) -> Result:
    """How many cores work, from the start of the process to its end."""
    cores = os.cpu_count() or 1
    least, used = LEAST_SHARE * cores, ours.processor / ours.wall
    name = f"cores busy while tokens are counted, of {cores}"
    return Result(name, used, "cores", goal=f"≥ {least:g} cores", holds=used >= least)


def compared(of: str, ours: Spent, single: Spent, tokens: int) -> list[Result]:
    """The same on one core, and tokens a second."""
    return [
        shown_beside(f"tokens of {of} counted, against one core", ours.wall, "s", single.wall),
        shown_beside("the same", tokens / 1e6 / ours.wall, "M tokens/s"),
    ]


if __name__ == "__main__":
    print(table(measure(rows_asked())))
