"""A probe: a few steps of a training, to learn how fast it would be and whether it fits.

It is a run like any other, by the same trainer, in a hidden folder of its own: nothing lists it. It
trains on the first rows, saves nothing, and leaves after its last step. What it measured is kept in
the cache; its folder goes. A run that starts ends it: a person waits for the run.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend.errors import RunError, WorkspaceError
from backend.files import read_json, write_json, write_text
from backend.processes import end_group
from backend.staging import clear_leftovers, staging
from backend.training import layout
from backend.training.assigning import CPU, read, turns
from backend.training.config import build_config, to_yaml
from backend.training.devices import gpus, processes_of
from backend.training.launching import TRAINER, Launcher
from backend.training.making import Maker
from backend.training.metrics import finite, whole_number
from backend.training.runs import Run, is_held, list_runs, process_of, read_run
from backend.training.sharding import deepspeed_settings
from backend.training.start_lock import one_at_a_time
from backend.workspace import Workspace

STEPS, WARM = 10, 2
"""Steps of a probe, and how many of them are not timed: first ones fill caches and compile."""

ACCUMULATED = 2
"""More batches a step measure nothing new: speed is in tokens, and the second one needs all the
memory that a further one would."""

KEPT = 100
"""So many measurements are kept, the last ones."""

FOLDER = ".probe"
_STAGING = ".probing-"

# What would save, evaluate or end early.
_LEFT_OUT = (
    "eval_dataset", "eval_strategy", "eval_steps", "per_device_eval_batch_size", "do_eval",
    "load_best_model_at_end", "metric_for_best_model", "greater_is_better", "early_stopping_steps",
    "save_total_limit", "val_size", "predict_with_generate", "compute_accuracy",
)  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """What a probe measured.

    Attributes:
        values: The hyperparameters that it stood for.
        devices: Numbers of GPUs, or ``"cpu"``.
        tokens_per_second: Padding included, of all processes.
        memory: The most that one process held, in bytes: of its GPU, or of the machine on a CPU.
    """

    when: str
    values: Mapping[str, Any]
    devices: str
    tokens_per_second: float
    memory: int


class Prober:
    """Probes of one workspace, one at a time; ``command`` is the trainer's."""

    def __init__(self, workspace: Workspace, *, command: Sequence[str] = TRAINER) -> None:
        self._workspace = workspace
        self._launcher = Launcher(workspace, tuple(command))

    @property
    def folder(self) -> Path:
        return folder_of(self._workspace)

    def current(self) -> Run | None:
        """The probe that is under way, or failed and was not put away; None where there is none.

        What one that is done has measured is taken up on the way.
        """
        run = read_run(self.folder)
        return None if run is None or self._collect(run) else run

    def stamp(self) -> str:
        """Changes when something was measured."""
        return str(kept_stamp(self._workspace))

    def start(self, values: Mapping[str, Any]) -> Run:
        """Start a probe of a training with these values; one that is under way goes on instead.

        Raises:
            RunError: the devices are in use, or the workspace can't be written.
            MedTuneError: the values can't be trained with, as ``Supervisor.start``.
        """
        maker = Maker(self._workspace)
        self._workspace.check_writable()
        clean, model = maker.checked({**values, "run_name": ""})
        with one_at_a_time(self._workspace):
            before = self.current()
            if before is not None and before.state.active:
                return before
            end(self._workspace)
            assigned = self._devices(clean)
            short = shortened(clean, processes_of(clean, assigned))
            config = build_config(
                short, model_path=model.path, workspace=self._workspace, output_dir=self.folder
            )
            self._make(clean, config)
            return self._launch(assigned)

    def cancel(self) -> None:
        """End a probe, and forget one that failed."""
        end(self._workspace)

    # --- Inside ---------------------------------------------------------------------------------

    def _devices(self, values: Mapping[str, Any]) -> tuple[int, ...]:
        held = (run for run in list_runs(self._workspace) if is_held(run))
        used = frozenset(device for run in held for device in read(run.devices or CPU))
        for turn in turns([(FOLDER, values)], used, gpus()):
            return turn.gpus
        raise RunError("training.errors.probe_busy")

    def _make(self, values: Mapping[str, Any], config: Mapping[str, Any]) -> None:
        kept = {name: value for name, value in config.items() if name not in _LEFT_OUT}
        record = {
            "id": FOLDER,
            "created": datetime.now(UTC).isoformat(),
            "values": dict(values),
            "asked": "",
        }
        try:
            clear_leftovers(self._workspace.runs, _STAGING)
            with staging(self._workspace.runs, _STAGING) as content:
                write_text(content / layout.CONFIG, to_yaml({**kept, "save_strategy": "no"}))
                if "deepspeed" in kept:
                    write_json(content / layout.DEEPSPEED, deepspeed_settings(values["deepspeed"]))
                write_json(content / layout.PROBE, {"steps": STEPS, "warm": WARM})
                write_json(content / layout.RUN, record)
                content.rename(self.folder)
        except OSError as error:
            reason = error.strerror or error
            folder = self._workspace.runs
            raise RunError("training.errors.not_writable", folder=folder, reason=reason) from error

    def _launch(self, assigned: Sequence[int]) -> Run:
        run = read_run(self.folder)
        assert run is not None
        try:
            self._launcher.launch(run, assigned)
        except BaseException:
            end(self._workspace)
            raise
        return read_run(self.folder) or run

    def _collect(self, run: Run) -> bool:
        """Keep what a probe measured and remove it; whether it is done."""
        found = read_json(run.folder / layout.PROBED)
        speed = finite(found.get("tokens_per_second")) if isinstance(found, dict) else None
        if run.state.active or not speed:
            return False
        try:
            self._workspace.check_writable()
        except WorkspaceError:  # the dashboard that may write takes it up
            return True
        entry = {
            "when": datetime.now(UTC).isoformat(),
            "values": dict(run.values),
            "devices": run.devices or CPU,
            "tokens_per_second": speed,
            "memory": whole_number(found.get("memory")) or 0,
        }
        earlier = read_json(_kept_file(self._workspace))
        entries = [*(earlier if isinstance(earlier, list) else []), entry]
        write_json(_kept_file(self._workspace), entries[-KEPT:], durable=False)
        end(self._workspace)
        return True


def folder_of(workspace: Workspace) -> Path:
    """Where the probe of a workspace is, if there is one."""
    return workspace.runs / FOLDER


def end(workspace: Workspace) -> None:
    """End the probe of a workspace and remove it; nothing happens where there is none.

    Raises:
        WorkspaceError: another dashboard has the workspace open.
    """
    folder = folder_of(workspace)
    if not folder.exists():
        return
    workspace.check_writable()
    if process := process_of(folder):
        end_group(process)
    shutil.rmtree(folder, ignore_errors=True)


def measured(workspace: Workspace) -> tuple[Measured, ...]:
    """What probes have measured, the newest last."""
    entries = read_json(_kept_file(workspace))
    found = []
    for entry in entries if isinstance(entries, list) else ():
        match entry:
            case {
                "when": str(when),
                "values": dict(values),
                "devices": str(devices),
                "tokens_per_second": float(speed),
                "memory": int(memory),
            }:
                found.append(Measured(when, values, devices, speed, memory))
    return tuple(found)


def kept_stamp(workspace: Workspace) -> object:
    """Changes when something was measured."""
    try:
        status = _kept_file(workspace).stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size


def shortened(values: Mapping[str, Any], processes: int) -> dict[str, Any]:
    """The values of a few steps of a training: the first rows, no evaluation, every step logged."""
    accumulation = min(values["gradient_accumulation_steps"], ACCUMULATED)
    rows = STEPS * values["per_device_train_batch_size"] * accumulation * processes
    if values.get("packing") or values.get("neat_packing"):
        rows *= 8  # so many short rows may go into a pack
    most = values.get("max_samples") or 0
    return {
        **values,
        "gradient_accumulation_steps": accumulation,
        "max_steps": STEPS,
        "max_samples": min(rows, most) if most > 0 else rows,
        "logging_steps": 1,
        "eval_steps": 0,
        "save_steps": 10**9,
    }


def _kept_file(workspace: Workspace) -> Path:
    return workspace.cache / "probes.json"
