"""Why a run failed or broke off: a sentence, the lines that show it, and what can be done.

The evidence, in this order: the error that the trainer wrote down itself (``exit.json``), the end
of what it printed (``process.log``), its exit code, whether the machine has been restarted since,
and how much memory it held when it was last heard of (``metrics.jsonl``). Knows ``failure_table``'s
messages; nothing about pages.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.files import read_json
from backend.problems import Problem
from backend.processes import same_boot
from backend.text import catalogue
from backend.training import layout, logs
from backend.training.failure_table import PATTERNS, Kind, Pattern
from backend.training.metrics import entry_of, finite
from backend.training.remedies import Remedy, remedies_for

if TYPE_CHECKING:
    from backend.training.runs import Run

__all__ = ["Explanation", "Remedy", "explain"]

SHORT_OF_MEMORY = 0.7
"""Share of the machine's memory that a killed trainer held: the rest is the system's, the
dashboard's and what one step takes between two looks, and the kernel kills the largest first."""

_LAST = 300
"""Lines from the end of a log in which a cause is looked for; NCCL's farewell has a hundred."""

_LAST_OF_KILLED = 40
"""… and of one that was cut off: what it survived further up did not end it."""

_KILLING: frozenset[Kind] = frozenset({"gpu_memory", "memory", "disk_full", "device", "signal"})
"""What can end a process before it writes down why."""

_NOTED = re.compile(r"\[(?:INFO|WARNING|DEBUG)\|| (?:INFO|WARNING|DEBUG)\b|\w*Warning: |^\{'loss'")
"""Lines of a training that went on: what a library warns of has not ended it."""

_BEGIN = re.compile(r"Process rank: 0\b")
"""llamafactory hparams/parser.py, once for each start: a resumed run's log has several."""

_SIGNALS: Mapping[int, str] = {15: "SIGTERM", 2: "SIGINT", 1: "SIGHUP"}
_CRASHES: Mapping[int, str] = {4: "SIGILL", 6: "SIGABRT", 7: "SIGBUS", 8: "SIGFPE", 11: "SIGSEGV"}


@dataclass(frozen=True)
class Explanation:
    """Why a run ended as it did.

    Attributes:
        evidence: Lines of its files, as they are there; may be empty.
        remedies: What can be done, the best first.
    """

    kind: Kind
    problem: Problem
    evidence: tuple[str, ...]
    remedies: tuple[Remedy, ...]


@dataclass(frozen=True)
class _Cause:
    kind: Kind
    problem: Problem
    evidence: tuple[str, ...] = ()


def explain(run: Run) -> Explanation | None:
    """Why a run failed or broke off; None for one that did neither. Never raises for any log."""
    if run.state.value not in ("failed", "interrupted"):
        return None
    failed = run.state.value == "failed"
    cause = _cause_of(run.folder, failed, run.exit_code, _stamp(run.folder))
    return Explanation(
        cause.kind, cause.problem, cause.evidence, remedies_for(cause.kind, run.values, run)
    )


@lru_cache(maxsize=256)  # a table of runs asks for each of them at each look
def _cause_of(
    folder: Path, failed: bool, code: int | None, stamp: tuple[tuple[int, int], ...]
) -> _Cause:
    del stamp  # a part of the key: another log is another cause
    lines = _lines(folder)
    if failed:
        return _cause_of_failure(folder, code, lines)
    return _cause_of_loss(folder, lines)


def _cause_of_failure(folder: Path, code: int | None, lines: list[str]) -> _Cause:
    """The trainer, or what started it, has said that it failed."""
    ended = _ended(folder)
    match ended.get("problem"):  # it never came to a trainer
        case {"key": str(key), "params": dict(params)} if key in catalogue("en"):
            return _Cause("error", Problem(key, params))
    error = str(ended.get("error") or "")
    told = _find([error])
    if ended.get("full") is True and (told is None or told[0].kind != "disk_full"):
        # The trainer has looked: what broke for want of room seldom says so.
        evidence = (error,) if error else ()
        return _Cause("disk_full", Problem("training.failures.disk_full.full"), evidence)
    if told is None or told[0].vague:
        nearby = _find(lines[-_LAST:])
        if nearby and (told is None or PATTERNS.index(nearby[0]) < PATTERNS.index(told[0])):
            told = nearby
    if told is not None:
        return _told(*told, error)
    if number := _signal_of(code):
        return _killed(folder, number)
    if loss := _lost_loss(folder):
        return _Cause("not_a_number", Problem("training.failures.not_a_number.loss"), (loss,))
    line = error or logs.last_words(folder, since=_log_offset(folder))
    if line:
        return _Cause("error", Problem("training.failures.error", {"line": line}), (line,))
    return _Cause("silent", Problem("training.failures.silent", {"code": str(code)}))


def _cause_of_loss(folder: Path, lines: list[str]) -> _Cause:
    """The trainer is gone and has said nothing."""
    told = _find(lines[-_LAST_OF_KILLED:], _KILLING)
    if told is not None:
        return _told(*told, "")
    match read_json(folder / layout.PROCESS):
        case {"born": str(born)} if same_boot(born) is False:
            return _Cause("restarted", Problem("training.failures.restarted"))
    return _killed(folder, 9)


def _killed(folder: Path, number: int) -> _Cause:
    """Ended by a signal; by SIGKILL for want of memory, if it held most of it."""
    if number in _SIGNALS:
        return _Cause(
            "signal", Problem("training.failures.signal.signal", {"what": _SIGNALS[number]})
        )
    if number in _CRASHES:
        return _Cause(
            "signal", Problem("training.failures.signal.crash", {"what": _CRASHES[number]})
        )
    held, line = _last_memory(folder)
    total = _machine_memory()
    if total and held >= SHORT_OF_MEMORY * total:
        params = {"held": _gib(held), "total": _gib(total)}
        return _Cause("memory", Problem("training.failures.memory.killed", params), (line,))
    return _Cause("interrupted", Problem("training.failures.interrupted"), (line,) if line else ())


# --- What the log says --------------------------------------------------------------------------


def _lines(folder: Path) -> list[str]:
    """The end of the log of the last start, without what a library merely notes."""
    with suppress(OSError):
        lines = logs.last_lines(folder, since=_log_offset(folder))
        begins = [place for place, line in enumerate(lines) if _BEGIN.search(line)]
        # The line itself carries the time; with several processes each has one.
        lines = lines[begins[-1] :] if begins else lines
        return [line.strip()[:2000] for line in lines if line.strip() and not _NOTED.search(line)]
    return []


def _ended(folder: Path) -> Mapping[str, Any]:
    ended = read_json(folder / layout.EXIT)
    return ended if isinstance(ended, dict) else {}


def _log_offset(folder: Path) -> int:
    """Where the present attempt's part of the log begins, where that was written down."""
    match read_json(folder / layout.LAUNCH):
        case {"log_offset": int(offset)} if offset > 0:
            return offset
        case _:
            return 0


def _launched(folder: Path) -> float:
    """When the present attempt was started, in seconds since 1970; 0 where that is unknown."""
    launch = read_json(folder / layout.LAUNCH)
    since = launch.get("since") if isinstance(launch, dict) else None
    try:
        return datetime.fromisoformat(since).timestamp() if isinstance(since, str) else 0.0
    except (ValueError, OverflowError, OSError):
        return 0.0


def _find(
    lines: Iterable[str], kinds: frozenset[Kind] | None = None
) -> tuple[Pattern, re.Match[str], str] | None:
    """The first row of the table that a line matches, and the last such line."""
    backwards = list(lines)[::-1]
    for pattern in PATTERNS:
        if kinds is not None and pattern.kind not in kinds:
            continue
        for line in backwards:
            if match := pattern.seen.search(line):
                return pattern, match, line
    return None


def _told(pattern: Pattern, match: re.Match[str], line: str, error: str) -> _Cause:
    groups = {name: value.strip() for name, value in match.groupdict().items() if value}
    params = {**groups, "what": next(iter(groups.values()), "–")}
    evidence = tuple(dict.fromkeys(one[:400] for one in (line, error) if one))
    return _Cause(pattern.kind, Problem(pattern.sentence, params), evidence)


# --- What else lies in the folder ---------------------------------------------------------------


def _signal_of(code: int | None) -> int:
    """The signal that an exit code stands for: negative as Python has it, 128 + n as shells do."""
    if code is None:
        return 0
    return -code if code < 0 else (code - 128 if 128 < code < 160 else 0)


def _last_memory(folder: Path) -> tuple[float, str]:
    """Bytes that the trainer held when it was last heard of, and the line that says so."""
    launched = _launched(folder)
    for line in reversed(_end(folder / layout.METRICS)):
        entry = entry_of(line) or {}
        if (finite(entry.get("time")) or math.inf) < launched:
            break  # what the attempt before this one held
        held = finite(entry.get("memory"))
        if held is not None:
            return held, line.decode("utf-8", errors="replace")[:400]
    return 0.0, ""


def _lost_loss(folder: Path) -> str:
    """The last line of the trainer's log, where its loss is not a number."""
    path = folder / layout.TRAINER_LOG
    if _size_and_time(path)[1] < _size_and_time(folder / layout.LAUNCH)[1]:
        return ""  # this attempt has logged nothing
    for line in reversed(_end(path)):
        entry = entry_of(line) or {}
        if "loss" in entry:
            text = line.decode("utf-8", errors="replace")[:400]
            return text if finite(entry["loss"]) is None else ""
    return ""


def _end(path: Path, size: int = 64 * 1024) -> list[bytes]:
    try:
        with path.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - size))
            return file.read().split(b"\n")
    except OSError:
        return []


def _machine_memory() -> int:
    """Bytes that the trainer could have had: the machine's, or less in a container."""
    import psutil

    total = int(psutil.virtual_memory().total)
    with suppress(OSError, ValueError):
        limit = int(Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii"))
        total = min(total, limit)
    return total


def _stamp(folder: Path) -> tuple[tuple[int, int], ...]:
    """Changes with the files that a cause is taken from."""
    names = (
        layout.EXIT,
        layout.LOG,
        layout.METRICS,
        layout.TRAINER_LOG,
        layout.PROCESS,
        layout.LAUNCH,
    )
    return tuple(_size_and_time(folder / name) for name in names)


def _size_and_time(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:
        return -1, 0
    return stat.st_size, stat.st_mtime_ns


def _gib(size: float) -> str:
    return f"{size / 2**30:.1f} GiB"
