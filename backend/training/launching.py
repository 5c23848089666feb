"""Starts the trainer of a run: one process, or several under torchrun.

Knows which files a start writes and nothing about why a run may start.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from backend.errors import RunError
from backend.files import write_json
from backend.processes import ProcessId
from backend.training import layout, trainer_lock
from backend.training.assigning import written
from backend.training.config import read_config
from backend.training.devices import processes_of
from backend.training.environment import ROOT, environment
from backend.training.runs import Run
from backend.training.trainer_lock import TrainerLock
from backend.workspace import Workspace

TRAINER = (sys.executable, "-m", "backend.workers.train")
"""The command that trains; the run's folder is added to it."""

_LAUNCHED = ("deepspeed", "fsdp")
"""Arguments with which LLaMA-Factory wants a launcher for a single process too."""


@dataclass(frozen=True)
class Launcher:
    """Starts trainers of one workspace; ``command`` is ``TRAINER``, or a test's quick one."""

    workspace: Workspace
    command: tuple[str, ...] = TRAINER

    def launch(self, run: Run, gpus: Sequence[int]) -> None:
        """Start the trainer and note which process it is, in this order: lock, launch, process.

        Raises:
            RunError: the program can't be started.
            OSError: the folder can't be written; no trainer is left then.
        """
        lock = TrainerLock.take(run.folder)
        if lock is None:  # a dashboard was killed before it could note the trainer that it started
            return
        try:
            self._start(run, tuple(gpus), lock)
        finally:
            lock.close()

    def _start(self, run: Run, gpus: tuple[int, ...], lock: TrainerLock) -> None:
        folder, processes = run.folder, processes_of(run.values, gpus)
        since = datetime.now(UTC).isoformat()
        launch = {
            "devices": written(gpus),
            "processes": processes,
            "since": since,
            "log_offset": _size(folder / layout.LOG),
        }
        write_json(folder / layout.LAUNCH, launch)
        variables = environment(self.workspace, gpus=gpus, processes=processes)
        command = [*self._command(folder, processes), str(folder)]
        with (folder / layout.LOG).open("ab") as log:
            trainer = _spawn(command, variables, log, lock)
        try:
            # Without a birth it has ended already, and no process will ever be taken for it.
            process = ProcessId.of(trainer.pid) or ProcessId(trainer.pid, "")
            write_json(folder / layout.PROCESS, asdict(process))
            (folder / layout.QUEUED).unlink(missing_ok=True)
        except BaseException:
            trainer.kill()
            trainer.wait()
            raise
        # An ended child stays a zombie until its parent asks after it.
        threading.Thread(target=trainer.wait, name=f"reap {folder.name}", daemon=True).start()

    def _command(self, folder: Path, processes: int) -> list[str]:
        config = read_config(folder / layout.CONFIG)
        if processes == 1 and not any(config.get(name) for name in _LAUNCHED):
            return list(self.command)
        python, *program = self.command
        return [
            python, "-m", "torch.distributed.run",
            "--nnodes", "1", "--nproc-per-node", str(processes),
            "--master-addr", "127.0.0.1", "--master-port", str(_free_port()), *program,
        ]  # fmt: skip


def _spawn(
    command: Sequence[str], variables: dict[str, str], log: BinaryIO, lock: TrainerLock
) -> subprocess.Popen[bytes]:
    inherited = (lock.descriptor,) if os.name == "posix" else ()
    try:
        return subprocess.Popen(
            command,
            cwd=ROOT,
            env={**variables, trainer_lock.VARIABLE: str(lock.descriptor)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            pass_fds=inherited,
        )
    except OSError as error:
        reason = error.strerror or error
        raise RunError("training.errors.not_started", reason=reason) from error


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _free_port() -> int:
    """A port for the processes to meet; somebody else may take it first, and the run then fails."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
