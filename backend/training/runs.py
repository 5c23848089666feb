"""Runs, as their folders tell of them.

A run's state comes from evidence on disk and from its process, never from memory: after a restart
of the dashboard, or in a second one, it is the same. In this order: the trainer's exit file, its
process (by id and birth), a place in the queue, a request to stop, and what it has logged.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from backend.errors import RunError, WorkspaceError
from backend.files import read_json
from backend.problems import Problem
from backend.processes import ProcessId
from backend.training import layout, logs
from backend.training.checkpoints import Checkpoint, list_checkpoints
from backend.training.config import read_config
from backend.training.progress import Progress, progress_of
from backend.workspace import Workspace

MOST_SEALED = 10_000
"""Ended runs kept in memory."""

START_SECONDS = 15.0
"""How long a run may be without a process: between its folder and its trainer lies a moment."""


class RunState(StrEnum):
    """What a run is doing, or how it ended."""

    QUEUED = "queued"  # it waits for its devices
    STARTING = "starting"  # the trainer imports, loads or tokenises
    RUNNING = "running"  # it trains
    STOPPING = "stopping"  # it was asked to stop and saves a checkpoint
    FINISHED = "finished"  # all steps were done
    STOPPED = "stopped"  # ended because a person asked
    FAILED = "failed"  # ended with an error of its own
    INTERRUPTED = "interrupted"  # gone without a word: killed, or the machine restarted

    @property
    def active(self) -> bool:
        """Whether a trainer lives."""
        return self in (RunState.STARTING, RunState.RUNNING, RunState.STOPPING)

    @property
    def pending(self) -> bool:
        """Whether a trainer lives or will: model and data are needed."""
        return self.active or self is RunState.QUEUED


@dataclass(frozen=True)
class Run:
    """One training, as it stood when its folder was read.

    Attributes:
        id: Name of the run and of its folder.
        created: When it was started, ISO 8601 in UTC.
        values: The hyperparameters as validated, see ``schema``.
        exit_code: The trainer's, when it ended by itself.
        pid: The trainer's process id, when one was started.
        attempts: How often a trainer was started for it, or is to be: 1, and 1 for each resume.
        devices: Numbers of the GPUs that it has or had, ``"cpu"``, or, before it was started, what
            was asked for (empty for automatic).
    """

    id: str
    folder: Path
    created: str
    values: Mapping[str, Any]
    state: RunState
    exit_code: int | None
    pid: int | None
    attempts: int = 1
    devices: str = ""

    @property
    def config(self) -> dict[str, Any]:
        """LLaMA-Factory's arguments, read from ``config.yaml``."""
        return read_config(self.folder / layout.CONFIG)

    @property
    def failure(self) -> Problem | None:
        """Why the run failed or broke off; else None. ``failures.explain`` has the evidence."""
        from backend.training.failures import explain  # its table takes a moment, and few need it

        explanation = explain(self)
        return explanation.problem if explanation else None

    @property
    def checkpoint_asked(self) -> bool:
        """Whether the trainer has yet to save a checkpoint that a person asked for."""
        return self.state.active and (self.folder / layout.CHECKPOINT).exists()

    def checkpoints(self) -> list[Checkpoint]:
        """What can be loaded from this run, by step; ``final`` last."""
        return list_checkpoints(self.folder)


_OVER = (RunState.FINISHED, RunState.STOPPED, RunState.FAILED)

_sealed: dict[Path, tuple[tuple[int, ...], Run]] = {}


def list_runs(workspace: Workspace) -> list[Run]:
    """All runs of a workspace, newest first. Folders that are no run's are left out."""
    folders = (path for path in workspace.runs.glob("[!.]*") if path.is_dir())
    runs = [run for folder in folders if (run := read_run(folder))]
    return sorted(runs, key=lambda run: (run.created, run.id), reverse=True)


def find_run(workspace: Workspace, run_id: str) -> Run:
    """A run by its id.

    Raises:
        RunError: there is none of that id.
    """
    try:
        run = read_run(workspace.named(workspace.runs, run_id))
    except WorkspaceError:
        run = None
    if run is None:
        raise RunError("training.errors.run_missing", run=run_id[:80])
    return run


def read_run(folder: Path) -> Run | None:
    """The run in a folder, which may be hidden from the list; None where there is none.

    One that has ended is read once for as long as its files stay as they are: pages ask for all
    runs several times a second.
    """
    seal = _seal(folder)
    if seal is not None and (kept := _sealed.get(folder)) and kept[0] == seal:
        return kept[1]
    run = _read(folder)
    if run is not None and seal is not None and run.state in _OVER:
        if len(_sealed) >= MOST_SEALED:
            _sealed.clear()
        _sealed[folder] = (seal, run)
    return run


def _seal(folder: Path) -> tuple[int, ...] | None:
    """What tells the files of a run that has ended from others; None for one that has not.

    To go on it must lose its exit file first, so that nothing else of it changes before.
    """
    try:
        ended, known = os.stat(folder / layout.EXIT), os.stat(folder / layout.RUN)
    except OSError:
        return None
    return ended.st_ino, ended.st_mtime_ns, known.st_ino, known.st_mtime_ns


def _read(folder: Path) -> Run | None:
    match read_json(folder / layout.RUN):
        case {"created": str(created), "values": dict(values)}:
            process = process_of(folder)
            launch = _mapping(folder / layout.LAUNCH)
            return Run(
                id=folder.name,
                folder=folder,
                created=created,
                values=values,
                state=_state(folder, str(launch.get("since", created))),
                exit_code=_exit(folder).get("code"),
                pid=process.pid if process else None,
                attempts=1 + len(past_attempts(folder)),
                devices=str(launch.get("devices", values.get("devices") or "")),
            )
        case _:
            return None


def read_progress(run: Run) -> Progress | None:
    """How far a run is, or None before its training has begun, see ``progress.Progress``."""
    return progress_of(run.folder, active=run.state.active)


def log_tail(run: Run, lines: int = 200) -> str:
    """The last lines that the trainer printed, see ``logs.tail``."""
    return logs.tail(run.folder, lines)


def process_of(folder: Path) -> ProcessId | None:
    """The trainer that was started for a run's folder, alive or not."""
    match read_json(folder / layout.PROCESS):
        case {"pid": int(pid), "born": str(born)}:
            return ProcessId(pid, born)
        case _:
            return None


def is_held(run: Run) -> bool:
    """Whether a process still has the run's devices, as one that just wrote its exit file does."""
    process = process_of(run.folder)
    return run.state.active or (process is not None and process.is_alive())


def past_attempts(folder: Path) -> list[Path]:
    """What the attempts before the newest left, the oldest first."""
    found = [path for path in (folder / layout.ATTEMPTS).glob("[0-9]*") if path.name.isdigit()]
    return sorted(found, key=lambda path: int(path.name))


def _state(folder: Path, since: str) -> RunState:
    if ended := _ended(folder):
        return ended
    process = process_of(folder)
    stop = read_json(folder / layout.STOP)
    queued = (folder / layout.QUEUED).exists()
    if process.is_alive() if process else _young(since) and not queued:
        if stop is not None:
            return RunState.STOPPING
        return RunState.RUNNING if _begun(folder) else RunState.STARTING
    # It may have written its last file and gone since the first look.
    if ended := _ended(folder):
        return ended
    if queued and process is None:
        return RunState.QUEUED
    ended_by_hand = isinstance(stop, dict) and stop.get("now") is True
    return RunState.STOPPED if ended_by_hand else RunState.INTERRUPTED


def _ended(folder: Path) -> RunState | None:
    match _exit(folder).get("reason"):
        case None:
            return None
        case "finished":
            return RunState.FINISHED
        case "stopped":
            return RunState.STOPPED
        case _:
            return RunState.FAILED


def _exit(folder: Path) -> dict[str, Any]:
    return _mapping(folder / layout.EXIT)


def _mapping(path: Path) -> dict[str, Any]:
    content = read_json(path)
    return content if isinstance(content, dict) else {}


def _begun(folder: Path) -> bool:
    """Whether this attempt has trained: a resumed run has logs of the one before."""
    launched = _changed(folder / layout.LAUNCH)
    logs = (_changed(folder / name) for name in (layout.METRICS, layout.TRAINER_LOG))
    return any(changed > launched for changed in logs)


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:
        return -1


def _young(since: str) -> bool:
    try:
        age = datetime.now(UTC) - datetime.fromisoformat(since)
    except (ValueError, TypeError):
        return False
    return 0 <= age.total_seconds() < START_SECONDS
