"""A process from its start to its end: its seconds, its processor time, its memory.

Time and memory are taken of different runs: looking at memory takes time of its own.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.common import ROOT
from benchmarks.fetching import note_peaks

Command = Sequence[object]

_LOOK_SECONDS = 0.01


@dataclass(frozen=True)
class Spent:
    """What a process and its children took.

    Attributes:
        wall: Seconds from its start to its end.
        processor: Seconds of all cores together.
    """

    wall: float
    processor: float


def timed(command: Command, environment: Mapping[str, str] | None = None) -> Spent:
    """Run a command to its end.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    with tempfile.TemporaryFile() as said:
        began = time.perf_counter()
        process = _started(command, environment, said.fileno())
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        _check(command, process.returncode, said.read())
    return Spent(wall, usage.ru_utime + usage.ru_stime)


def weighed(command: Command, environment: Mapping[str, str] | None = None) -> float:
    """Megabytes (10⁶) of the processes of a command, each at its peak.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    peaks: dict[int, int] = {}
    with tempfile.TemporaryFile() as said:
        process = _started(command, environment, said.fileno())
        while note_peaks(process.pid, peaks):
            time.sleep(_LOOK_SECONDS)
        process.wait()
        said.seek(0)
        _check(command, process.returncode, said.read())
    return sum(peaks.values()) / 1e6


def in_turns(rounds: int, *ways: Callable[[], Spent]) -> list[list[Spent]]:
    """What each way took in each round; a busy moment of the machine hits all of them.

    Each round goes through them in the other direction than the one before. One more round goes
    first and is not counted: it reads files into memory for the rest.
    """
    spent: list[list[Spent]] = [[] for _ in ways]
    for number in range(rounds + 1):
        for place in range(len(ways))[:: 1 if number % 2 else -1]:
            spent[place].append(ways[place]())
    return [counted[1:] for counted in spent]


def ratio(ours: Sequence[Spent], theirs: Sequence[Spent]) -> float:
    """The median of the rounds' ratios of seconds."""
    return median(one.wall / other.wall for one, other in zip(ours, theirs, strict=True))


def seconds(spent: Sequence[Spent]) -> float:
    """The median of the rounds."""
    return median(one.wall for one in spent)


def tell(name: str, *ways: Sequence[Spent]) -> None:
    """Print each round: a median hides how much a machine wavers."""
    listed = (" ".join(f"{one.wall:.2f}" for one in spent) for spent in ways)
    load = os.getloadavg()[0]
    print(f"  {name}, s: {' against '.join(listed)} (load {load:.1f})", flush=True)


def _started(
    command: Command, environment: Mapping[str, str] | None, said: int
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(part) for part in command],
        cwd=ROOT,
        env=None if environment is None else dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=said,
        stderr=subprocess.STDOUT,
    )


def _check(command: Command, code: int, said: bytes) -> None:
    if code:
        shown = " ".join(map(str, command))
        raise RuntimeError(f"{shown} ended with {code}:\n{said.decode(errors='replace')[-2000:]}")
