"""A column that gets another checkpoint of the same base, against loading it afresh.

Afresh is a new engine: from its start until the base and the adapter are loaded. In turns.
"""

from __future__ import annotations

import time
from pathlib import Path
from statistics import median

from benchmarks.chat_programs import Asked, engine, model_folder
from benchmarks.common import Result, table

ROUNDS = 3
MOST_TIMES = 0.1
COLUMN = "adapter-1"


def measure(size: str = "") -> list[Result]:
    """The promise."""
    with model_folder(size) as folder, engine(folder, [COLUMN]) as running:
        afresh(folder, "adapter-2")  # reads the files into memory for the rest
        rounds = [
            (switched(running, name), afresh(folder, name))
            for name in ("adapter-2", "adapter-3", "adapter-4")[:ROUNDS]
        ]
    ours, theirs = (median(way) for way in zip(*rounds, strict=True))
    ratio = median(one / other for one, other in rounds)
    name = "another checkpoint in a column, against loading it afresh"
    goal = f"≤ {MOST_TIMES:g} ×"
    return [Result(name, ours, "s", theirs, ratio, goal, ratio <= MOST_TIMES)]


def switched(running: Asked, adapter: str) -> float:
    """Seconds until the column holds the adapter."""
    begun = time.perf_counter()
    running.load(COLUMN, adapter=adapter)
    return time.perf_counter() - begun


def afresh(folder: Path, adapter: str) -> float:
    """Seconds until a new engine holds the adapter."""
    begun = time.perf_counter()
    with engine(folder, [adapter]):
        return time.perf_counter() - begun


if __name__ == "__main__":
    print(table(measure()))
