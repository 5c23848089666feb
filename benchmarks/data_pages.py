"""How soon the Data tab shows the first rows of a 1 GB file, and any others.

In a process of its own, as the dashboard is one: first the rows at the beginning of a file that was
never seen, then, once a scan has found where all rows are, pages at places drawn at random. Beside
them, what it takes to read the file with ``json.load``: whoever has no index must do that to show
the last row. The file is in the machine's memory, as one that was just fetched is.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median
from typing import Any

from backend.workspace import Workspace
from benchmarks.common import ROOT, Result, at_most, shown_beside, table
from benchmarks.data_processes import timed, weighed
from benchmarks.data_rows import write_large

SIZE = 1_000_000_000
ROOM = 1_000_000_000
"""Bytes of the disk that stay free."""

MOST_MILLISECONDS = 100.0
MOST_SECONDS = 1.0
NAME = "large.json"


def measure() -> list[Result]:
    """The promises about pages and about opening."""
    with tempfile.TemporaryDirectory() as name:
        workspace = Workspace.open(Path(name) / "workspace")
        size = size_for(workspace)
        write_large(workspace.raw_datasets / NAME, size)
        loading = [sys.executable, "-c", "import json, sys; json.load(open(sys.argv[1], 'rb'))"]
        whole = timed([*loading, workspace.raw_datasets / NAME]).wall
        visit = [sys.executable, "-m", "benchmarks.data_by_page", workspace.root, NAME]
        times = visited(visit)
        shutil.rmtree(workspace.cache)
        workspace.cache.mkdir()
        megabytes = weighed(visit)
    return [*results(times, whole, size), shown_beside("memory of all that", megabytes, "MB")]


def size_for(workspace: Workspace) -> int:
    """Bytes of the file: less than wanted where the disk has not the room, which is said."""
    free = shutil.disk_usage(workspace.root).free
    if free - ROOM >= SIZE:
        return SIZE
    size = max((free - ROOM) // 2, SIZE // 100)
    print(
        f"  the disk has {free / 1e9:.1f} GB free: a file of {size / 1e6:.0f} MB is made",
        flush=True,
    )
    return size


def visited(command: list[object]) -> dict[str, Any]:
    """The times that the process printed."""
    run = subprocess.run(
        [str(part) for part in command], cwd=ROOT, check=True, capture_output=True, text=True
    )
    times: dict[str, Any] = json.loads(run.stdout)
    return times


def results(times: dict[str, Any], whole: float, size: int) -> list[Result]:
    """As promised; the ratio is that of json.load's time."""
    pages = times["pages"]
    of = f"of {size / 1e9:.2g} GB"
    worst = 1000 * max(pages)
    return [
        Result(
            name=f"a page anywhere {of}, the slowest of {len(pages)}, against json.load",
            value=worst,
            unit="ms",
            baseline=1000 * whole,
            ratio=worst / (1000 * whole),
            goal=f"≤ {MOST_MILLISECONDS:g} ms",
            holds=worst <= MOST_MILLISECONDS,
        ),
        shown_beside("the same, the median", 1000 * median(pages), "ms", 1000 * whole),
        at_most(f"first page {of} that was never seen", times["opening"], "s", MOST_SECONDS),
        shown_beside(f"finding all rows {of}, against json.load", times["scan"], "s", whole),
    ]


if __name__ == "__main__":
    print(table(measure()))
