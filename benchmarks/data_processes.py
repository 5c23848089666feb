"""A process from its start to its end: its seconds, its processor time, its memory.

Time and memory are taken of different runs: looking at memory takes time of its own.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from benchmarks.common import ROOT
from benchmarks.fetching import note_peaks

Command = Sequence[object]

_LOOK_SECONDS = 0.01
_ASK_SECONDS = 0.002


@dataclass(frozen=True)
class Spent:
    """What a process and its children took.

    Attributes:
        wall: Seconds from its start to its end.
        processor: Seconds of all cores together.
    """

    wall: float
    processor: float


def timed(
    command: Command,
    environment: Mapping[str, str] | None = None,
    *,
    until: Callable[[], bool] | None = None,
) -> Spent:
    """Run a command to its end, or until something is reached: then it is killed, children too.

    Raises:
        RuntimeError: it failed, or ended before; with what it said.
    """
    with _running(command, environment) as (process, check):
        began = time.perf_counter()
        reached = until is not None and _awaited(process, until)
        wall = time.perf_counter() - began
        if reached:
            os.killpg(process.pid, signal.SIGKILL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if not reached:
            wall = time.perf_counter() - began
            check(ended_early=until is not None)
    return Spent(wall, usage.ru_utime + usage.ru_stime)


def weighed(
    command: Command,
    environment: Mapping[str, str] | None = None,
    *,
    until: Callable[[], bool] | None = None,
) -> float:
    """Megabytes (10⁶) of the processes of a command, each at its peak, to its end or until
    something is reached.

    Raises:
        RuntimeError: it failed, or ended before; with what it said.
    """
    peaks: dict[int, int] = {}
    with _running(command, environment) as (process, check):
        before = peaks
        while note_peaks(process.pid, peaks):
            if until is not None and until():
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                peaks = before  # what comes behind it may have begun in between
                break
            before = dict(peaks)
            time.sleep(_LOOK_SECONDS)
        else:
            process.wait()
            check(ended_early=until is not None and not until())
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


@contextmanager
def _running(
    command: Command, environment: Mapping[str, str] | None
) -> Iterator[tuple[subprocess.Popen[bytes], Callable[..., None]]]:
    """A command that runs in a group of its own, and what raises RuntimeError where it failed."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [str(part) for part in command],
            cwd=ROOT,
            env=None if environment is None else dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

        def check(*, ended_early: bool) -> None:
            if process.returncode or ended_early:
                said.seek(0)
                words = said.read().decode(errors="replace")[-2000:]
                shown = " ".join(map(str, command))
                raise RuntimeError(f"{shown} ended with {process.returncode}:\n{words}")

        try:
            yield process, check
        finally:
            if process.returncode is None:  # the benchmark was interrupted
                os.killpg(process.pid, signal.SIGKILL)


def _awaited(process: subprocess.Popen[bytes], reached: Callable[[], bool]) -> bool:
    """Wait until something is reached; False where the process ends before. It is not reaped."""
    while not reached():
        if os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT):
            return reached()
        time.sleep(_ASK_SECONDS)
    return True
