"""Makes the folder of a run from hyperparameters, and takes a run that has ended back to the queue.

Checks all that can be refused before a trainer is started; starts none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from backend.data.registry import find_prepared
from backend.errors import LibraryError, RunError
from backend.files import read_json, write_json, write_text
from backend.library.models import Model, find_model
from backend.staging import clear_leftovers, staging
from backend.training import layout, queue, resuming
from backend.training.acceptance import check_known, question
from backend.training.assigning import check_devices
from backend.training.checkpoints import Checkpoint
from backend.training.config import build_config, to_yaml
from backend.training.devices import gpus
from backend.training.naming import free_name
from backend.training.runs import Run, list_runs
from backend.training.schema import validate
from backend.training.sharding import deepspeed_settings
from backend.workspace import Workspace, check_name

TWIN_SECONDS = 2.0
"""Within this time the same values again are a double click on start, or a page sent twice."""

DELETING = ".deleting-"
_STAGING = ".starting-"


@dataclass(frozen=True)
class Maker:
    """Makes the runs of one workspace; whoever calls it holds the queue's lock."""

    workspace: Workspace

    def checked(self, values: Mapping[str, Any]) -> tuple[dict[str, Any], Model]:
        """The values cleaned, and their model; all that can be refused without a look at runs.

        Raises:
            HyperparameterError, LibraryError, DataError, WorkspaceError: see ``Supervisor.start``.
        """
        clean = validate(values)
        model = ready_model(self.workspace, clean["model"])
        find_prepared(self.workspace, clean["dataset"])
        check_devices(clean, gpus())
        if clean["run_name"]:
            check_name(clean["run_name"])
        return clean, model

    def plan(self, values: Mapping[str, Any], model: Model) -> tuple[Path, dict[str, Any]]:
        """The folder that a run will have, and what the trainer reads in it.

        Raises:
            RunError: the name is taken.
            HyperparameterError: LLaMA-Factory is known to refuse it.
        """
        name = values["run_name"] or free_name(self.workspace, model.id, values)
        folder = self.workspace.named(self.workspace.runs, name)
        if folder.exists():
            raise RunError("training.errors.name_taken", run=name)
        config = self._config(values, model, folder)
        check_known(self.workspace, question(self.workspace, config, values))
        return folder, config

    def make(self, values: Mapping[str, Any], model: Model) -> Path:
        """The folder of a queued run with all that the trainer needs, whole or not at all."""
        for prefix in (_STAGING, DELETING):
            clear_leftovers(self.workspace.runs, prefix)
        folder, config = self.plan(values, model)
        name = folder.name
        record = {
            "id": name,
            "created": datetime.now(UTC).isoformat(),
            "values": {**values, "run_name": name},
            "asked": values["run_name"],
        }
        with staging(self.workspace.runs, _STAGING) as content:
            write_text(content / layout.CONFIG, to_yaml(config))
            if "deepspeed" in config:
                write_json(content / layout.DEEPSPEED, deepspeed_settings(values["deepspeed"]))
            write_json(content / layout.RUN, record)
            write_json(content / layout.QUEUED, queue.ticket(queue.waiting(self.workspace)))
            content.rename(folder)
        return folder

    def twin(self, values: Mapping[str, Any]) -> Run | None:
        """The run that was made of these very values a moment ago."""
        for run in list_runs(self.workspace):
            if _seconds_since(run.created) > TWIN_SECONDS:
                return None
            asked = read_json(run.folder / layout.RUN).get("asked", run.id)
            if {**run.values, "run_name": asked} == values:
                return run
        return None

    def take_back(self, run: Run, checkpoint: Checkpoint, changes: Mapping[str, Any]) -> None:
        """Queue a run that will go on from a checkpoint, with other values for some fields."""
        resuming.check_changes(run.values, changes)
        clean, model = self.checked({**run.values, **changes})
        resuming.check_rest(checkpoint, changes)
        content = read_json(run.folder / layout.RUN)
        resuming.take_back(
            run,
            checkpoint,
            config=to_yaml(self._config(clean, model, run.folder)),
            record={**content, "values": clean},
        )
        write_json(run.folder / layout.QUEUED, queue.ticket(queue.waiting(self.workspace)))
        (run.folder / layout.EXIT).unlink(missing_ok=True)

    def _config(self, values: Mapping[str, Any], model: Model, folder: Path) -> dict[str, Any]:
        return build_config(
            values, model_path=model.path, workspace=self.workspace, output_dir=folder
        )


def ready_model(workspace: Workspace, model_id: str) -> Model:
    """The model of that id.

    Raises:
        LibraryError: it is missing or not whole.
    """
    model = find_model(workspace, model_id)
    if not model.ready:
        problem = model.problems[0]
        raise LibraryError(problem.key, **problem.params)
    return model


def _seconds_since(created: str) -> float:
    try:
        return abs((datetime.now(UTC) - datetime.fromisoformat(created)).total_seconds())
    except (ValueError, TypeError):
        return float("inf")
