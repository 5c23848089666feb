"""The models on this machine, and whether each can be trained and talked to.

Reads configurations and headers only, never weights.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.errors import LibraryError, WorkspaceError
from backend.files import read_json
from backend.library import links
from backend.library.manifest import MANIFEST, Manifest, read_manifest
from backend.library.templates import guess_template
from backend.library.weights import check_weights, count_parameters
from backend.problems import Problem
from backend.text import ASSETS
from backend.workspace import Workspace

DEMO_ID = "medtune/demo"
DEMO_PATH = ASSETS / "demo_model"

_TOKENIZERS = (("tokenizer.json",), ("tokenizer.model",), ("vocab.json", "merges.txt"))
"""Files of which one set makes a tokenizer."""


@dataclass(frozen=True)
class Model:
    """A model folder.

    Attributes:
        id: ``"org/name"`` or ``"name"``: its place under the workspace's models.
        bundled: It comes with MedTune.
        size: Bytes on disk.
        parameters: From the headers of its weights; None where they are not whole.
        architecture: Name of its class, e.g. ``"Qwen2ForCausalLM"``; empty where unknown.
        template: LLaMA-Factory's chat template that fits; None where that can't be told.
        problems: Why it can't be used.
        linked: The real folder of a link that a person made; None for any other.
        manifest: Where it is from; None where that is unknown.
    """

    id: str
    path: Path
    bundled: bool
    size: int
    parameters: int | None
    architecture: str
    template: str | None
    problems: tuple[Problem, ...]
    linked: Path | None = None
    manifest: Manifest | None = None

    @property
    def ready(self) -> bool:
        return not self.problems


def list_models(workspace: Workspace) -> list[Model]:
    """The bundled model, then those of the workspace by name, usable or not."""
    bundled = [_describe(DEMO_ID, DEMO_PATH, bundled=True)] if DEMO_PATH.is_dir() else []
    return bundled + [_in_workspace(workspace, folder) for folder in _folders(workspace)]


def find_model(workspace: Workspace, model_id: str) -> Model:
    """The model of that id, usable or not.

    Raises:
        LibraryError: there is none.
    """
    # Only this one is described: a form asks at each key.
    if model_id == DEMO_ID and DEMO_PATH.is_dir():
        return _describe(DEMO_ID, DEMO_PATH, bundled=True)
    for folder in _folders(workspace):
        if folder.relative_to(workspace.models).as_posix() == model_id:
            return _in_workspace(workspace, folder)
    raise LibraryError("library.errors.model_missing", id=model_id[:200])


def check_model_folder(path: Path, *, pickles_allowed: bool = False) -> tuple[Problem, ...]:
    """What a folder lacks to be a model: configuration, tokenizer, whole weights, no pickle.

    Args:
        pickles_allowed: The person agreed to pickles for this model.

    Raises:
        OSError: the folder can't be read.
    """
    if not (path / "config.json").is_file() and (path / "adapter_config.json").is_file():
        return (Problem("library.problems.adapter"),)
    weights = check_weights(path, pickles_allowed=pickles_allowed)
    return (*_check_config(path), *_check_tokenizer(path), *weights)


def _check_config(path: Path) -> tuple[Problem, ...]:
    if not (path / "config.json").is_file():
        return (Problem("library.problems.config_missing"),)
    config = read_config(path)
    if "model_type" not in config and "architectures" not in config:
        return (Problem("library.problems.config_damaged"),)
    return ()


def _check_tokenizer(path: Path) -> tuple[Problem, ...]:
    if any(all((path / name).is_file() for name in names) for names in _TOKENIZERS):
        return ()
    return (Problem("library.problems.tokenizer_missing"),)


def read_config(path: Path) -> dict[str, Any]:
    """The ``config.json`` of a model folder; empty where it is damaged."""
    config = read_json(path / "config.json")
    return config if isinstance(config, dict) else {}


def _folders(workspace: Workspace) -> Iterator[Path]:
    """The model folders: ``name`` or ``org/name``. A folder that holds folders only is an org."""
    lost = frozenset(links.lost(workspace, workspace.models))
    for folder in _visible_folders(workspace.models, lost):
        if inner := _organisation(workspace, folder, lost):
            yield from inner
        else:
            yield folder


def _organisation(workspace: Workspace, folder: Path, lost: frozenset[Path]) -> list[Path]:
    try:
        workspace.inside(folder)  # what lies outside is a model that was linked, or not looked at
        if any(entry.is_file() for entry in folder.iterdir() if not entry.name.startswith(".")):
            return []
        return _visible_folders(folder, lost)
    except (OSError, WorkspaceError):
        return []


def _visible_folders(folder: Path, lost: frozenset[Path]) -> list[Path]:
    entries = sorted(folder.iterdir(), key=lambda entry: entry.name.lower())
    visible = (entry for entry in entries if not entry.name.startswith("."))
    return [entry for entry in visible if os.path.isdir(entry) or entry in lost]


def _in_workspace(workspace: Workspace, folder: Path) -> Model:
    model_id = folder.relative_to(workspace.models).as_posix()
    manifest = link = links.linked(workspace, folder)
    try:
        target = links.trusted(workspace, folder)
        manifest = link or read_manifest(folder)
        if os.path.isdir(target):
            return _describe(model_id, folder, manifest=manifest, linked=links.target_of(link))
        problem = Problem("library.problems.link_lost", {"path": str(target)})
    except WorkspaceError:
        problem = Problem("library.problems.outside")
    except OSError as error:
        problem = Problem("library.problems.unreadable", {"reason": error.strerror or str(error)})
    real = links.target_of(link)
    return Model(model_id, folder, False, 0, None, "", None, (problem,), real, manifest)


def _describe(
    model_id: str,
    path: Path,
    *,
    bundled: bool = False,
    manifest: Manifest | None = None,
    linked: Path | None = None,
) -> Model:
    allowed = manifest is not None and manifest.pickles_allowed
    return Model(
        id=model_id,
        path=path,
        bundled=bundled,
        size=_size(path),
        parameters=count_parameters(path),
        architecture=_architecture(read_config(path)),
        template=guess_template(path),
        problems=check_model_folder(path, pickles_allowed=allowed),
        linked=linked,
        manifest=manifest,
    )


def _size(folder: Path) -> int:
    files = (file for file in folder.rglob("*") if file.name != MANIFEST and file.is_file())
    return sum(file.stat().st_size for file in files)


def _architecture(config: dict[str, Any]) -> str:
    match config:
        case {"architectures": [str(name), *_]} | {"model_type": str(name)}:
            return name
    return ""
