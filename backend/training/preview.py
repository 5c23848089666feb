"""What a form would run, as long as nothing has been made of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.library.models import find_model
from backend.training import layout
from backend.training.config import build_config
from backend.training.devices import numbers, processes_of
from backend.training.naming import free_name
from backend.training.schema import validate
from backend.workspace import Workspace


@dataclass(frozen=True)
class Preview:
    """A training that could be started.

    Attributes:
        values: The hyperparameters, clean.
        config: LLaMA-Factory's arguments.
        folder: Where the run would be, if it were made now.
    """

    values: Mapping[str, Any]
    config: Mapping[str, Any]
    folder: Path

    @property
    def command(self) -> str:
        """The same training without MedTune, for a shell in which its environment is active."""
        words = []
        devices = self.values["devices"]
        if devices:
            words.append(f"CUDA_VISIBLE_DEVICES={devices}")
        processes = processes_of(self.values, numbers(devices))
        if processes > 1 or "deepspeed" in self.config or "fsdp" in self.config:
            words += ["FORCE_TORCHRUN=1", f"NPROC_PER_NODE={processes}"]
        file = shlex.quote(str(self.folder / layout.CONFIG))
        return " ".join([*words, "llamafactory-cli", "train", file])


def preview(workspace: Workspace, values: Mapping[str, Any]) -> Preview:
    """What would be started with these values, under the name that the run would have now.

    Raises:
        MedTuneError: a value, the model or the dataset can't be trained with.
    """
    clean = validate(values)
    model = find_model(workspace, clean["model"])
    name = clean["run_name"] or free_name(workspace, model.id, clean)
    folder = workspace.named(workspace.runs, name)
    config = build_config(clean, model_path=model.path, workspace=workspace, output_dir=folder)
    return Preview(clean, config, folder)
