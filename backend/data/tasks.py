"""Work on a data file in a process of its own: studying all its rows, preparing a dataset.

A task is a folder, and everything shown of it is read from there, so that every page and the next
start of the dashboard see the same:

    <folder>/task.json        what is to be done
             process.json     which process does it, or did last
             progress.json    how far it is
             outcome.json     how it ended; absent until it has
             task.log         what the process said

The work itself is ``backend.workers.data``.
"""

from __future__ import annotations

import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from backend.errors import DataError, MedTuneError
from backend.files import read_json, write_json
from backend.locks import held
from backend.problems import Problem
from backend.processes import ProcessId, end_group
from backend.text import LANGUAGES

ROOT = Path(__file__).resolve().parent.parent.parent
WORKER = (sys.executable, "-m", "backend.workers.data")
"""The command that works; the task's folder is added to it."""

TASK = "task.json"
PROCESS = "process.json"
PROGRESS = "progress.json"
OUTCOME = "outcome.json"
LOG = "task.log"

Progress = Callable[[str, int, int], None]
"""Called with a step (a key below ``data.steps``), how much of it is done, and of how much."""

REPORT_SECONDS = 0.2
"""Between two notes of how far a task is."""

_LOCK_SECONDS = 10.0


class TaskState(StrEnum):
    """How it stands with a task."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    INTERRUPTED = "interrupted"  # its process is gone without a word


@dataclass(frozen=True)
class Task:
    """A task as it stands on disk.

    Attributes:
        asked: What is to be done, as it was asked for.
        step: What it is at now, a key below ``data.steps``; empty before it says.
        done, total: How far that step is, in a unit of its own; total is 0 where it is unknown.
        result: What it ended with; None until it is done.
        problem: Why it failed; None in every other state.
    """

    folder: Path
    state: TaskState
    asked: Mapping[str, Any]
    step: str = ""
    done: int = 0
    total: int = 0
    result: Any = None
    problem: Problem | None = None


def read_task(folder: Path) -> Task | None:
    """The task in a folder; None where there is none."""
    asked = read_json(folder / TASK)
    if not isinstance(asked, dict):
        return None
    if (ended := _ended(folder, asked)) is not None:
        return ended  # to look for its process would take ten times as long
    process = _process_of(folder)
    if process is None or not process.is_alive():
        # It may have ended after it was asked how: what it wrote last is there now.
        return _ended(folder, asked) or Task(folder, TaskState.INTERRUPTED, asked)
    match read_json(folder / PROGRESS):
        case {"step": str(step), "done": int(done), "total": int(total)}:
            return Task(folder, TaskState.RUNNING, asked, step, done, total)
    return Task(folder, TaskState.RUNNING, asked)


def _ended(folder: Path, asked: Mapping[str, Any]) -> Task | None:
    """A task as it ended; None where it does not say that it has."""
    match read_json(folder / OUTCOME):
        case {"state": "done", "result": result}:
            return Task(folder, TaskState.DONE, asked, result=result)
        case {"state": "failed", "problem": {"key": str(key), "params": dict(params)}}:
            return Task(folder, TaskState.FAILED, asked, problem=_known(key, params))
    return None


def start_task(
    folder: Path,
    asked: Mapping[str, Any],
    *,
    worker: Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Task:
    """Start the work in ``folder``, or find it under way or done already.

    Args:
        worker: The command that works; the folder is added to it. ``WORKER`` where None.
        environment: Of its process; the dashboard's own where None.

    Raises:
        DataError: the process can't be started.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with _changing(folder):
        task = read_task(folder)
        if task and task.asked == asked and task.state in (TaskState.RUNNING, TaskState.DONE):
            return task
        _end(folder)
        for name in (PROGRESS, OUTCOME, PROCESS):
            (folder / name).unlink(missing_ok=True)
        write_json(folder / TASK, asked)
        _launch(folder, worker or WORKER, environment)
    started = read_task(folder)
    assert started is not None
    return started


def cancel_task(folder: Path) -> None:
    """End the work and remove all of it; nothing happens where there is none."""
    if not folder.exists():
        return
    with _changing(folder):
        _end(folder)
        shutil.rmtree(folder, ignore_errors=True)


def _launch(folder: Path, command: Sequence[str], environment: Mapping[str, str] | None) -> None:
    import subprocess  # here: the process that works starts none

    try:
        with (folder / LOG).open("wb") as log:
            worker = subprocess.Popen(
                [*command, str(folder)],
                cwd=ROOT,
                env=None if environment is None else dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        process = ProcessId.of(worker.pid) or ProcessId(worker.pid, "")
        write_json(folder / PROCESS, asdict(process), durable=False)
    except OSError as error:
        raise DataError("data.errors.not_started", reason=error.strerror or str(error)) from error
    # An ended child stays a zombie until its parent asks after it.
    threading.Thread(target=worker.wait, name=f"reap {folder.name}", daemon=True).start()


def _end(folder: Path) -> None:
    process = _process_of(folder)
    if process is not None:
        end_group(process)


def _process_of(folder: Path) -> ProcessId | None:
    match read_json(folder / PROCESS):
        case {"pid": int(pid), "born": str(born)}:
            return ProcessId(pid, born)
    return None


def _known(key: str, params: Mapping[str, Any]) -> Problem:
    """A problem as it was written, if this version has words for it, and these values for them."""
    problem = Problem(key, params)
    try:
        for language in LANGUAGES:
            problem.sentence(language)
    except KeyError:
        return Problem("data.errors.task_failed", {"reason": key})
    return problem


@contextmanager
def _changing(folder: Path) -> Iterator[None]:
    """Held while a task is started or ended: a double click or a second page waits for it."""
    lock = folder.with_name(f".{folder.name}.lock")
    with held(lock, seconds=_LOCK_SECONDS, busy=DataError("data.errors.task_busy")):
        yield


# --- In the process that works ------------------------------------------------------------------


class Reporter:
    """Writes down how far a task is, a few times a second."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._step = ""
        self._last = 0.0

    def __call__(self, step: str, done: int, total: int) -> None:
        now = time.monotonic()
        if step == self._step and now - self._last < REPORT_SECONDS:
            return
        self._step, self._last = step, now
        said = {"step": step, "done": done, "total": total}
        write_json(self._folder / PROGRESS, said, durable=False)


def work(folder: Path, do: Callable[[Mapping[str, Any], Reporter], Any]) -> int:
    """Do a task and write down how it ended; returns the process's exit code."""
    asked = read_json(folder / TASK)
    try:
        result = do(asked, Reporter(folder))
    except MedTuneError as error:
        return _fail(folder, error)
    except OSError as error:  # a full disk, most often
        reason = error.strerror or str(error)
        return _fail(folder, DataError("data.errors.task_failed", reason=reason))
    write_json(folder / OUTCOME, {"state": "done", "result": result})
    return 0


def _fail(folder: Path, error: MedTuneError) -> int:
    problem = {"key": error.key, "params": {k: _plain(v) for k, v in error.params.items()}}
    write_json(folder / OUTCOME, {"state": "failed", "problem": problem})
    return 1


def _plain(value: object) -> str | int:
    return value if isinstance(value, int) else str(value)
