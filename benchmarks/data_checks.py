"""What studying a file costs against reading it once.

MedTune's is the time of the process that the page starts, for a file that it has never seen: its
rows are found, read and converted, all checks looked at, duplicates and near duplicates sought, the
findings written down. There is no evaluation file. ijson reads the same rows in a process of
its own and counts them.

    python -m benchmarks.data_checks 2000     with a smaller file: so many rows
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from backend.data.reading.reader import RowReader
from backend.data.studies import Request, columns_of
from backend.data.tasks import OUTCOME, TASK, WORKER
from backend.files import read_json, write_json
from benchmarks.common import ROOT, Result, shown_beside, table
from benchmarks.data_processes import Spent, in_turns, ratio, seconds, tell, timed, weighed
from benchmarks.data_rows import ROWS, rows_asked, write_file

ROUNDS = 5
MOST_TIMES = 6.0


def measure(rows: int = ROWS) -> list[Result]:
    """The promise about checks, and their memory beside it."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "rows.json"
        write_file(source, rows)
        of = f"{source.stat().st_size / 1e6:.0f} MB"
        study = Studying(folder, source)
        counting = [sys.executable, ROOT / "benchmarks" / "ijson_count.py", source]
        ours, bare = in_turns(ROUNDS, study, lambda: timed(counting))
        tell("all checks", ours, bare)
        weights = study.weighed(), weighed(counting)
    return [
        Result(
            name=f"all checks of {of}, against reading it once by ijson",
            value=seconds(ours),
            unit="s",
            baseline=seconds(bare),
            ratio=ratio(ours, bare),
            goal=f"≤ {MOST_TIMES:g} ×",
            holds=ratio(ours, bare) <= MOST_TIMES,
        ),
        shown_beside("its memory, all processes, beside ijson's", weights[0], "MB", weights[1]),
    ]


class Studying:
    """The task that the page starts, with nothing in the cache each time."""

    def __init__(self, folder: Path, source: Path) -> None:
        self._task, self._cache = folder / "study", folder / "cache"
        columns = columns_of(RowReader.glance(source, cache=folder / "glance"))
        self._asked = Request(source, columns).asked(self._cache)

    def __call__(self) -> Spent:
        spent = timed(self._fresh())
        self._check()
        return spent

    def weighed(self) -> float:
        """Megabytes of it."""
        megabytes = weighed(self._fresh())
        self._check()
        return megabytes

    def _fresh(self) -> list[object]:
        for used in (self._task, self._cache):
            shutil.rmtree(used, ignore_errors=True)
            used.mkdir()
        write_json(self._task / TASK, self._asked)
        return [*WORKER, self._task]

    def _check(self) -> None:
        outcome = read_json(self._task / OUTCOME)
        if outcome["state"] != "done" or outcome["result"]["problems"]:
            raise RuntimeError(f"the study ended otherwise than it should: {outcome}")


if __name__ == "__main__":
    print(table(measure(rows_asked())))
