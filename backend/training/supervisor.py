"""Starts and stops trainers.

A trainer is a process of its own in a session of its own; it outlives the dashboard that started
it. What the supervisor knows about runs it reads from their folders (``runs.py``), so that two
dashboards on one workspace agree.
"""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from filelock import FileLock, Timeout

from backend.data.registry import find_prepared
from backend.errors import LibraryError, RunError
from backend.files import write_json, write_text
from backend.library.models import Model, find_model
from backend.processes import ProcessId, end_group
from backend.staging import clear_leftovers, staging
from backend.training import layout
from backend.training.config import build_config, to_yaml
from backend.training.environment import ROOT, environment
from backend.training.naming import free_name
from backend.training.runs import Run, RunState, find_run, list_runs, process_of
from backend.training.schema import validate
from backend.workspace import Workspace, check_name

TRAINER = (sys.executable, "-m", "backend.workers.train")
"""The command that trains; the run's folder is added to it."""

DOUBLE_CLICK_SECONDS = 0.7

_STAGING = ".starting-"
_LOCK_SECONDS = 20.0


class Supervisor:
    """Runs of one workspace, started and stopped.

    Args:
        workspace: Where the runs are.
        command: The trainer's command; tests give a quick one.
    """

    def __init__(self, workspace: Workspace, *, command: Sequence[str] = TRAINER) -> None:
        self._workspace = workspace
        self._command = tuple(command)

    def active(self) -> Run | None:
        """The run whose trainer lives, whoever started it."""
        return next((run for run in list_runs(self._workspace) if run.state.active), None)

    def check(self, values: Mapping[str, Any]) -> None:
        """Refuse what ``start`` would refuse by its values; starts and writes nothing.

        A run that is going on is no objection: it may have ended when this one is started.

        Raises:
            MedTuneError: as ``start``.
        """
        clean, model = self._checked(values)
        with self._writing():
            self._plan(clean, model)

    def start(self, values: Mapping[str, Any]) -> Run:
        """Validate the hyperparameters and start a trainer.

        All or nothing: after an error no folder and no process is left.

        Raises:
            HyperparameterError: a value can't be trained with.
            LibraryError: the model is missing or not whole.
            DataError: the dataset is not prepared.
            WorkspaceError: the run's name can't name a folder.
            RunError: a run is going on, the name is taken, or the workspace can't be written.
        """
        clean, model = self._checked(values)
        with self._writing(), self._only_one():
            if active := self.active():
                raise RunError("training.errors.already_running", run=active.id)
            folder = self._make_folder(clean, model)
            try:
                self._launch(folder)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            return find_run(self._workspace, folder.name)

    def stop(self, run_id: str, *, now: bool) -> Run:
        """Ask a trainer to save a full checkpoint and end, or end it at once.

        What is asked for is what the person was offered, not what the run's state suggests: a
        plain stop never takes away the checkpoint that an earlier one is saving. Ending within
        ``DOUBLE_CLICK_SECONDS`` of such a stop is its double click, landing on the button's next
        offer, and does nothing.

        Returns:
            The run as it stands afterwards.

        Raises:
            RunError: no such run, or it has ended already.
        """
        run = find_run(self._workspace, run_id)
        if not run.state.active:
            raise RunError("training.errors.not_running", run=run.id)
        double_click = _age(run.folder / layout.STOP) < DOUBLE_CLICK_SECONDS
        if run.state is RunState.STOPPING and (not now or double_click):
            return run
        with self._writing():
            write_json(run.folder / layout.STOP, {"now": now})
        if now and (process := process_of(run.folder)):
            end_group(process)
        return find_run(self._workspace, run_id)

    def _checked(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], Model]:
        """The values cleaned, and their model; all that can be refused without a look at runs."""
        clean = validate(values)
        model = _ready_model(self._workspace, clean["model"])
        find_prepared(self._workspace, clean["dataset"])
        if clean["run_name"]:
            check_name(clean["run_name"])
        return clean, model

    def _plan(self, values: Mapping[str, Any], model: Model) -> tuple[Path, dict[str, Any]]:
        """The folder that the run will have, and what the trainer reads in it."""
        name = values["run_name"] or free_name(self._workspace, model.id, values)
        folder = self._workspace.named(self._workspace.runs, name)
        if folder.exists():
            raise RunError("training.errors.name_taken", run=name)
        config = build_config(
            values, model_path=model.path, workspace=self._workspace, output_dir=folder
        )
        return folder, config

    def _make_folder(self, values: Mapping[str, Any], model: Model) -> Path:
        """The run's folder with all that the trainer needs, whole or not at all."""
        clear_leftovers(self._workspace.runs, _STAGING)
        folder, config = self._plan(values, model)
        name = folder.name
        created = datetime.now(UTC).isoformat()
        with staging(self._workspace.runs, _STAGING) as content:
            write_text(content / layout.CONFIG, to_yaml(config))
            record = {"id": name, "created": created, "values": {**values, "run_name": name}}
            write_json(content / layout.RUN, record)
            content.rename(folder)
        return folder

    def _launch(self, folder: Path) -> None:
        """Start the trainer and note which process it is."""
        with (folder / layout.LOG).open("ab") as log:
            trainer = self._spawn(folder, log)
        try:
            # Without a birth it has ended already, and no process will ever be taken for it.
            process = ProcessId.of(trainer.pid) or ProcessId(trainer.pid, "")
            write_json(folder / layout.PROCESS, asdict(process))
        except BaseException:
            trainer.kill()
            trainer.wait()
            raise
        # An ended child stays a zombie until its parent asks after it.
        threading.Thread(target=trainer.wait, name=f"reap {folder.name}", daemon=True).start()

    def _spawn(self, folder: Path, log: BinaryIO) -> subprocess.Popen[bytes]:
        try:
            return subprocess.Popen(
                [*self._command, str(folder)],
                cwd=ROOT,
                env=environment(self._workspace),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        except OSError as error:
            reason = error.strerror or error
            raise RunError("training.errors.not_started", reason=reason) from error

    @contextmanager
    def _only_one(self) -> Iterator[None]:
        """Held while a run is started: a double click or a second dashboard waits, then sees it."""
        lock = FileLock(self._workspace.runs / ".start.lock", thread_local=False)
        try:
            lock.acquire(timeout=_LOCK_SECONDS)
        except Timeout as error:
            raise RunError("training.errors.start_busy") from error
        try:
            yield
        finally:
            lock.release()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Say in one sentence that the workspace can't be written, e.g. for lack of space."""
        try:
            yield
        except OSError as error:
            raise RunError(
                "training.errors.not_writable",
                folder=self._workspace.runs,
                reason=error.strerror or error,
            ) from error


def _age(path: Path) -> float:
    """Seconds since a file was written; endless for one that is not there."""
    try:
        return abs(time.time() - path.stat().st_mtime)
    except FileNotFoundError:
        return math.inf


def _ready_model(workspace: Workspace, model_id: str) -> Model:
    model = find_model(workspace, model_id)
    if not model.ready:
        problem = model.problems[0]
        raise LibraryError(problem.key, **problem.params)
    return model
