"""What turning a file into rows that LLaMA-Factory reads costs against the tutorial's script.

Both read the same 139 MB from memory and write to the same disk, in processes of their own; MedTune
finds the rows of a file that it has never seen. The script keeps all rows in memory and writes them
indented; MedTune writes lines. Preparing a dataset, shown beside, also studies all rows, splits
them, hashes the source and waits for the disk.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from benchmarks.common import ROOT, Result, at_most_times, shown_beside, table
from benchmarks.data_processes import Command, Spent, in_turns, ratio, seconds, tell, timed, weighed
from benchmarks.data_rows import write_file

ROUNDS = 5
MOST_TIMES = 0.4
MOST_MEMORY = 0.1


def measure() -> list[Result]:
    """The promises about converting, and preparing beside them."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "rows.json"
        write_file(source)
        ways = [Way(folder, source, *one) for one in ways_of(source, folder)]
        ours, bare, whole = in_turns(ROUNDS, *ways)
        tell("converting", ours, bare, whole)
        weights = [way.weighed() for way in ways]
    return [
        Result(
            name="converting 139 MB, against the tutorial's script",
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
        shown_beside("studying and preparing 139 MB, beside", seconds(whole), "s", seconds(bare)),
        shown_beside("its memory, all processes, beside", weights[2], "MB", weights[1]),
    ]


def ways_of(source: Path, folder: Path) -> list[tuple[str, Command]]:
    """Our conversion, the tutorial's, and our whole preparation, each with the folder it fills."""
    ours = [sys.executable, "-m", "benchmarks.data_by_medtune"]
    script = ROOT / "benchmarks" / "tutorial_convert.py"
    return [
        ("ours", [*ours, "convert", source, folder / "ours" / "rows.jsonl", folder / "ours"]),
        ("tutorial", [sys.executable, script, source, folder / "tutorial" / "rows.json"]),
        ("workspace", [*ours, "prepare", source, folder / "workspace"]),
    ]


class Way:
    """A command that begins with an empty folder each time."""

    def __init__(self, folder: Path, source: Path, makes: str, command: Command) -> None:
        self._made, self._source, self._command = folder / makes, source, command

    def __call__(self) -> Spent:
        self._clear()
        return timed(self._command)

    def weighed(self) -> float:
        """Megabytes of it."""
        self._clear()
        return weighed(self._command)

    def _clear(self) -> None:
        shutil.rmtree(self._made, ignore_errors=True)
        self._made.mkdir()


if __name__ == "__main__":
    print(table(measure()))
