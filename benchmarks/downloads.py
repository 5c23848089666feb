"""What a download through MedTune costs against the hubs' own clients.

All fetch the same 1 GB file, with its sha256 in the listing, from a local hub to the same disk: in
turns, so that a busy moment of the machine hits both, and into an empty folder each time. MedTune's
time is from pressing start to the end of the download's process: fetched, checked, known to be on
the disk, delivered. The bare client's is that of a fresh process that does nothing else; it does
not wait for the disk. Hugging Face's compares no hash either, so its speed is only shown.

Bytes are counted by the hub as they leave it. What waits in the sockets is lost with a process that
is killed. That is more here than on any line, since this hub is faster than the clients.
"""

from __future__ import annotations

import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from backend.hub.repository import HUBS
from benchmarks.common import Result, shown_beside, table
from benchmarks.fetching import Fetching, LocalHub, Pair, local_hub, note_peaks, running, until

SIZE = 1_000_000_000
ROUNDS = 5
KILLS = 3
LEAST_TIMES = 0.9
MOST_PERCENT_AGAIN = 1.0
MOST_MEGABYTES = 100.0


def measure() -> list[Result]:
    """The promises about downloads, for each hub against its own client."""
    with tempfile.TemporaryDirectory() as folder, local_hub(SIZE) as hub:
        pairs = [Pair.of(name, hub, Path(folder) / name) for name in HUBS]
        # The first fetch of each reads its program into memory for the others: weighed, not timed.
        weights = [memory(pair) for pair in pairs]
        speeds = [result for pair in pairs for result in throughput(pair, hub)]
        return [*speeds, *[sent_again(pair, hub) for pair in pairs], *weights]


@dataclass(frozen=True)
class Timing:
    """Seconds of one download.

    Attributes:
        whole: From the start to the end of the process.
        from_request: From the request for the file's bytes to the end of the process.
    """

    whole: float
    from_request: float


def throughput(pair: Pair, hub: LocalHub) -> list[Result]:
    """Bytes a second: of all, and without the start of the process and its imports."""
    ours: list[Timing] = []
    bare: list[Timing] = []
    for number in range(ROUNDS):
        turns = [(pair.ours, ours), (pair.bare, bare)]
        for client, timings in turns[:: -1 if number % 2 else 1]:
            timings.append(timed(client, hub))
    tell(pair, "s", [one.whole for one in ours], [one.whole for one in bare])
    return compared(pair, ours, bare)


def compared(pair: Pair, ours: list[Timing], bare: list[Timing]) -> list[Result]:
    """The medians of the rounds, against each other where both check the same."""
    ratio = median(theirs.whole / mine.whole for mine, theirs in zip(ours, bare, strict=True))
    whole, moved = (
        [SIZE / 1e6 / median(getattr(one, what) for one in timings) for timings in (ours, bare)]
        for what in ("whole", "from_request")
    )
    goal = f"≥ {LEAST_TIMES:g} ×" if pair.same_checks else ""
    holds = ratio >= LEAST_TIMES or not goal
    name = f"download from {pair.name}, against its client"
    return [
        Result(name, whole[0], "MB/s", whole[1], ratio, goal, holds),
        shown_beside("the same, from the request for the file", moved[0], "MB/s", moved[1]),
    ]


def sent_again(pair: Pair, hub: LocalHub) -> Result:
    """Bytes that a kill -9 at half of the file costs, as a share of it."""
    ours, bare = (
        [percent_again(client, hub) for _ in range(KILLS)] for client in (pair.ours, pair.bare)
    )
    tell(pair, "% again", ours, bare)
    again = median(ours)
    name = f"sent again after kill -9, {pair.name}, beside its client"
    goal, holds = f"≤ {MOST_PERCENT_AGAIN:g} %", again <= MOST_PERCENT_AGAIN
    return Result(name, again, "%", median(bare), goal=goal, holds=holds)


def memory(pair: Pair) -> Result:
    """The most memory that the processes of a download had."""
    ours, bare = (weighed(client) for client in (pair.ours, pair.bare))
    name = f"peak memory of a download, {pair.name}, beside its client"
    goal, holds = f"≤ {MOST_MEGABYTES:g} MB", ours <= MOST_MEGABYTES
    return Result(name, ours, "MB", bare, ours / bare, goal, holds)


def tell(pair: Pair, unit: str, *rounds: list[float]) -> None:
    """Print each round: a median hides how much a machine wavers."""
    listed = (" ".join(f"{value:.2f}" for value in values) for values in rounds)
    print(f"  {pair.name}, {unit}: {' against '.join(listed)}", flush=True)


def timed(client: Fetching, hub: LocalHub) -> Timing:
    """One download into an empty folder."""
    client.clean()
    # What an earlier one left to write would be written while this one is timed.
    os.sync()
    seen = len(hub.requests())
    began = time.time()
    with running(client) as process:
        until(lambda: not process.is_alive())
        ended = time.time()
    client.check()
    client.clean()
    return Timing(ended - began, ended - hub.asked_since(seen)[0]["time"])


def percent_again(client: Fetching, hub: LocalHub) -> float:
    """One download, killed at half of the file and taken up again."""
    client.clean()
    seen = len(hub.requests())
    with running(client) as process:
        until(lambda: hub.sent_since(seen) >= SIZE / 2 or not process.is_alive())
        if not process.is_alive():
            raise RuntimeError("the download ended before it could be killed")
    with running(client) as process:
        until(lambda: not process.is_alive())
    client.check()
    client.clean()
    return 100 * (hub.sent_since(seen) - SIZE) / SIZE


def weighed(client: Fetching) -> float:
    """Megabytes (10⁶) of one download's processes, each at its peak."""
    client.clean()
    peaks: dict[int, int] = {}
    with running(client) as process:
        until(lambda: not note_peaks(process.pid, peaks))
    client.check()
    client.clean()
    return sum(peaks.values()) / 1e6


if __name__ == "__main__":
    print(table(measure()))
