"""Queues, starts, stops and resumes runs.

A trainer is a process of its own in a session of its own; it outlives the dashboard that started
it. What the supervisor knows about runs it reads from their folders (``runs.py``), so that after a
restart it is the same. Whatever queues, starts or deletes does so under one lock.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from backend.errors import RunError
from backend.staging import staging
from backend.training import asking, layout, queue, resuming, storage
from backend.training.advancing import LINGER_SECONDS, Line, write_exit
from backend.training.checkpoints import FINAL
from backend.training.launching import TRAINER, Launcher
from backend.training.making import DELETING, TWIN_SECONDS, Maker
from backend.training.runs import Run, RunState, find_run, is_held, list_runs
from backend.training.start_lock import one_at_a_time
from backend.workspace import Workspace


class Supervisor:
    """Runs of one workspace; ``command`` is the trainer's, tests give a quick one."""

    def __init__(self, workspace: Workspace, *, command: Sequence[str] = TRAINER) -> None:
        self._workspace = workspace
        self._maker = Maker(workspace)
        self._line = Line(workspace, Launcher(workspace, tuple(command)))

    def active(self) -> Run | None:
        """The newest run whose trainer lives, whoever started it."""
        return next((run for run in list_runs(self._workspace) if run.state.active), None)

    def queue(self) -> list[Run]:
        """The runs that wait, the next one first."""
        return queue.waiting(self._workspace)

    def check(self, values: Mapping[str, Any]) -> None:
        """Refuse what ``start`` would refuse by its values; starts and writes nothing.

        A run that is going on is no objection: the new one would wait for it.

        Raises:
            MedTuneError: as ``start``.
        """
        clean, model = self._maker.checked(values)
        with self._writing():
            self._maker.plan(clean, model)

    def start(self, values: Mapping[str, Any]) -> Run:
        """Validate the hyperparameters and start a trainer, or queue the run until it can start.

        All or nothing: after an error no folder and no process is left. The same values within
        ``TWIN_SECONDS`` make no second run.

        Raises:
            HyperparameterError: a value can't be trained with.
            LibraryError: the model is missing or not whole.
            DataError: the dataset is not prepared.
            WorkspaceError: the run's name can't name a folder.
            RunError: the name is taken, or the workspace can't be written.
        """
        clean, model = self._maker.checked(values)
        with self._writing(), one_at_a_time(self._workspace):
            if twin := self._maker.twin(clean):
                return twin
            folder = self._maker.make(clean, model)
            try:
                self._line.advance(fresh=folder.name)
            except BaseException:
                shutil.rmtree(folder, ignore_errors=True)
                raise
            return find_run(self._workspace, folder.name)

    def start_all(self, several: Sequence[Mapping[str, Any]]) -> list[Run]:
        """Queue a run for each set of hyperparameters, in this order, and start what can start.

        All or nothing, as ``start``; the same sets within ``TWIN_SECONDS`` make no second runs.

        Raises:
            MedTuneError: as ``start``, of the first set that can't be trained with.
        """
        checked = [self._maker.checked(values) for values in several]
        folders: list[Path] = []
        with self._writing(), one_at_a_time(self._workspace):
            twins = [self._maker.twin(clean) for clean, _ in checked]
            if any(twins):
                return [twin for twin in twins if twin]
            try:
                for clean, model in checked:
                    folders.append(self._maker.make(clean, model))
                self._line.advance()
            except BaseException:
                for folder in folders:
                    shutil.rmtree(folder, ignore_errors=True)
                raise
        return [find_run(self._workspace, folder.name) for folder in folders]

    def run_again(self, run_id: str, *, changes: Mapping[str, Any] | None = None) -> Run:
        """Start a run with the values of another one under a new name.

        Raises:
            MedTuneError: as ``start``; RunError also when there is no such run.
        """
        run = find_run(self._workspace, run_id)
        return self.start({**run.values, "run_name": "", **(changes or {})})

    def pump(self) -> None:
        """Start what can start. Called about once a second while a dashboard is up.

        Raises:
            RunError: another process holds the queue for too long.
        """
        if self.queue():
            with self._writing(), one_at_a_time(self._workspace):
                self._line.advance()

    def cancel(self, run_id: str) -> Run:
        """Take a run out of the queue; it stays in the list of runs, as stopped.

        Raises:
            RunError: no such run, or it does not wait.
        """
        with self._writing(), one_at_a_time(self._workspace):
            run = self._queued(run_id)
            write_exit(run.folder, "stopped")
        return find_run(self._workspace, run_id)

    def move(self, run_id: str, *, up: bool) -> None:
        """Let a queued run start before or after the one beside it; at an end nothing happens.

        Raises:
            RunError: no such run, or it does not wait.
        """
        with self._writing(), one_at_a_time(self._workspace):
            self._queued(run_id)
            queue.move(self.queue(), run_id, up=up)
            self._line.advance()

    def stop(self, run_id: str, *, now: bool) -> Run:
        """Ask a trainer to stop, see ``asking.stop``; cancel what waits.

        Returns:
            The run as it stands afterwards.

        Raises:
            RunError: no such run, or it has ended already.
        """
        run = find_run(self._workspace, run_id)
        if run.state is RunState.QUEUED:
            return self.cancel(run_id)
        with self._writing():
            asking.stop(run, now=now)
        return find_run(self._workspace, run_id)

    def checkpoint_now(self, run_id: str) -> Run:
        """Ask a trainer for a full checkpoint after its current step; it goes on training.

        Raises:
            RunError: no such run, or no trainer lives that is not stopping.
        """
        run = find_run(self._workspace, run_id)
        with self._writing():
            asking.checkpoint(run)
        return find_run(self._workspace, run_id)

    def resume(
        self,
        run_id: str,
        checkpoint: str | None = None,
        *,
        changes: Mapping[str, Any] | None = None,
    ) -> Run:
        """Let a run that has ended go on from a checkpoint, in its own folder; or queue it.

        Args:
            checkpoint: Its name; the newest whole one where None.
            changes: Other values for some fields, such as a smaller batch.

        Raises:
            CheckpointError: the checkpoint is damaged; its ``offer`` is the whole one before.
            RunError: no such run, it has not ended, or nothing is left to do.
            MedTuneError: as ``start``; FieldError also when a change does not fit the checkpoint.
        """
        with self._writing(), one_at_a_time(self._workspace):
            run = find_run(self._workspace, run_id)
            resumed = run.folder / layout.RESUME
            if run.state.pending and asking.age(resumed) < TWIN_SECONDS:
                return run  # a double click
            self._wait_for(run)
            chosen = resuming.chosen(run, checkpoint)
            self._maker.take_back(run, chosen, changes or {})
            self._line.advance(fresh=run_id)
        return find_run(self._workspace, run_id)

    def delete(self, run_id: str) -> None:
        """Delete a run with all of its checkpoints.

        Raises:
            RunError: no such run, or it waits or is going on.
        """
        with self._writing(), one_at_a_time(self._workspace):
            run = self._ended(run_id)
            with staging(self._workspace.runs, DELETING) as away:
                run.folder.rename(away / run.id)

    def delete_checkpoint(self, run_id: str, name: str) -> int:
        """Delete one checkpoint; returns the bytes that this freed.

        Raises:
            RunError: no such run or checkpoint, or the run waits or is going on.
        """
        with self._writing(), one_at_a_time(self._workspace):
            run = self._ended(run_id)
            found = [one.path for one in run.checkpoints() if one.name == name != FINAL]
            if not found:
                raise RunError("training.errors.checkpoint_missing", name=name[:80])
            return storage.remove(found)

    def keep_best_and_last(self, run_id: str) -> int:
        """Delete all checkpoints but the best and the last, see ``storage.superfluous``.

        Returns:
            Bytes that this freed.

        Raises:
            RunError: no such run, or it waits or is going on.
        """
        with self._writing(), one_at_a_time(self._workspace):
            return storage.remove(storage.superfluous(self._ended(run_id)))

    # --- What is asked of a run -----------------------------------------------------------------

    def _queued(self, run_id: str) -> Run:
        run = find_run(self._workspace, run_id)
        if run.state is not RunState.QUEUED:
            raise RunError("training.errors.not_queued", run=run.id)
        return run

    def _ended(self, run_id: str) -> Run:
        run = find_run(self._workspace, run_id)
        if run.state.pending:
            raise RunError("training.errors.still_going", run=run.id)
        return run

    def _wait_for(self, run: Run) -> None:
        """Wait until the process of a run that has ended is gone."""
        self._ended(run.id)
        deadline = time.monotonic() + LINGER_SECONDS
        while is_held(run):
            if time.monotonic() >= deadline:
                raise RunError("training.errors.still_going", run=run.id)
            time.sleep(0.02)

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Say in one sentence that the workspace can't be written, e.g. for lack of space."""
        self._workspace.check_writable()
        try:
            yield
        except OSError as error:
            raise RunError(
                "training.errors.not_writable",
                folder=self._workspace.runs,
                reason=error.strerror or error,
            ) from error
