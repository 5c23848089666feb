"""LoRA adapters that were trained elsewhere: brought into the workspace, each on its base.

An adapter is checked against the headers of its base before it is taken: which layers it changes,
and whether their shapes fit. Nothing is loaded.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backend.errors import LibraryError
from backend.files import read_json, write_json
from backend.library.models import Model
from backend.library.weights import Tensor, list_tensors, read_header, tensors_in
from backend.staging import staging
from backend.workspace import NAME_LIMIT, Workspace, check_name

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"
NOTE = "adapter.json"
"""Beside the adapter's files: its base, its template, where it is from."""

_STAGING = ".importing-"
_LAYER = re.compile(r"(?:base_model\.model\.)?(?P<module>.+)\.lora_(?P<side>[AB])\.weight")


@dataclass(frozen=True)
class Adapter:
    """An imported adapter.

    Attributes:
        path: The folder of its files: in the workspace, or where it was left and is linked to.
        base: Id of the model on which it is loaded.
        template: Chat template; empty for the base's own.
        source: Where it was imported from.
    """

    name: str
    path: Path
    base: str
    template: str
    source: str


def adapters_folder(workspace: Workspace) -> Path:
    return workspace.root / "adapters"


def list_adapters(workspace: Workspace) -> list[Adapter]:
    """All that were imported, by name; one whose linked folder is gone is left out."""
    notes = sorted(adapters_folder(workspace).glob(f"*/{NOTE}"))
    found = (_read(note) for note in notes)
    return [one for one in found if one is not None and (one.path / WEIGHTS).is_file()]


def import_adapter(
    workspace: Workspace,
    source: Path,
    models: Sequence[Model],
    *,
    name: str | None = None,
    base: str | None = None,
    link: bool = False,
) -> Adapter:
    """Bring in the adapter in a folder; returns when it is there.

    Args:
        models: Those that it may be an adapter of; only ready ones are looked at.
        name: None for the folder's, with what is above it where that name is taken: checkpoints
            of all runs have the same.
        base: Id of its base; None for the one whose layers fit, of several the one that the
            adapter's own configuration names.
        link: Leave the files where they are.

    Raises:
        WorkspaceError: the name can't be one, or the folder is not among what may be imported.
        LibraryError: the folder holds no whole LoRA adapter, or none of a model that is here.
    """
    workspace.check_writable()
    workspace.check_source(source)
    folder = _folder(source)
    config = _checked(folder)
    fitting = _base_of(folder, config, [one for one in models if one.ready], base)
    parent = adapters_folder(workspace)
    called = check_name(name or _free_name(parent, folder))
    target = workspace.named(parent, called)
    if os.path.lexists(target):
        raise LibraryError("library.errors.name_taken", name=called)
    parent.mkdir(exist_ok=True)
    with staging(parent, _STAGING) as made:
        new = made / "new"
        new.mkdir()
        try:
            if not link:
                for file in (CONFIG, WEIGHTS):
                    shutil.copyfile(folder / file, new / file)
        except OSError as error:
            reason = error.strerror or error
            raise LibraryError("library.errors.copy_failed", name=called, reason=reason) from error
        write_json(new / NOTE, {"base": fitting.id, "source": str(folder), "link": link})
        new.rename(target)
    return Adapter(called, folder if link else target, fitting.id, "", str(folder))


def remove_adapter(workspace: Workspace, name: str) -> None:
    """Forget an adapter and delete its copy; what a link leads to stays.

    Raises:
        LibraryError: there is none of that name.
    """
    workspace.check_writable()
    folder = workspace.named(adapters_folder(workspace), name)
    if not (folder / NOTE).is_file():
        raise LibraryError("library.errors.adapter_unknown", name=name)
    shutil.rmtree(folder)


def _read(note: Path) -> Adapter | None:
    match read_json(note):
        case {"base": str(base), "source": str(source), "link": bool(link)} as said:
            path = Path(source) if link else note.parent
            return Adapter(note.parent.name, path, base, str(said.get("template", "")), source)
    return None


def _folder(source: Path) -> Path:
    if source == Path():
        raise LibraryError("library.errors.source_empty")
    try:
        folder = source.expanduser().resolve(strict=True)
    except (OSError, RuntimeError, ValueError) as error:
        raise LibraryError("library.errors.source_missing", path=source) from error
    if not folder.is_dir():
        raise LibraryError("library.errors.adapter_is_file", path=folder)
    return folder


def _checked(folder: Path) -> Mapping[str, Any]:
    """The adapter's configuration, where configuration and weights are whole."""
    config = read_json(folder / CONFIG)
    weights = folder / WEIGHTS
    if not (folder / CONFIG).is_file() or not weights.is_file():
        raise LibraryError("library.errors.no_adapter", path=folder)
    header = read_header(weights)
    if not isinstance(config, dict) or header is None or header.file_size != weights.stat().st_size:
        raise LibraryError("library.errors.adapter_damaged", path=folder)
    if config.get("peft_type") != "LORA":
        raise LibraryError(
            "library.errors.adapter_kind", path=folder, kind=config.get("peft_type") or "–"
        )
    return config


def _base_of(
    folder: Path, config: Mapping[str, Any], models: Sequence[Model], wanted: str | None
) -> Model:
    sides = _sides(tensors_in(folder / WEIGHTS) or ())
    if wanted:
        models = [one for one in models if one.id == wanted]
    fitting = [one for one in models if _fits(sides, list_tensors(one.path))]
    named = str(config.get("base_model_name_or_path") or "")
    if not fitting:
        raise LibraryError("library.errors.adapter_no_base", path=folder, base=named or "–")
    last = Path(named).name.lower()
    return next((one for one in fitting if Path(one.id).name.lower() == last), fitting[0])


def _sides(tensors: Sequence[Tensor]) -> dict[str, dict[str, tuple[int, ...]]]:
    """Shapes of A and B by the layer that they change."""
    found: dict[str, dict[str, tuple[int, ...]]] = {}
    for tensor in tensors:
        if match := _LAYER.fullmatch(tensor.name):
            found.setdefault(match["module"], {})[match["side"]] = tensor.shape
    return found


def _fits(sides: Mapping[str, Mapping[str, tuple[int, ...]]], tensors: Sequence[Tensor]) -> bool:
    """Whether each changed layer is there, (outputs, inputs) as B's and A's other sides are."""
    shapes = {tensor.name: tensor.shape for tensor in tensors}
    return bool(sides) and all(
        "A" in pair
        and "B" in pair
        and shapes.get(f"{module}.weight") == (pair["B"][0], pair["A"][-1])
        for module, pair in sides.items()
    )


def _free_name(parent: Path, folder: Path) -> str:
    """A name that nothing in ``parent`` has, or the one that this folder has there already."""
    short = _usable_name(folder.name)
    long = _usable_name(f"{folder.parent.name}-{folder.name}")
    numbered = (f"{long[: NAME_LIMIT - 4]}-{number}" for number in range(2, 1000))
    for one in (short, long, *numbered):
        there = _read(parent / one / NOTE)
        if not os.path.lexists(parent / one) or (there and there.source == str(folder)):
            return one
    return short


def _usable_name(name: str) -> str:
    return re.sub(r"[^\w.\-]+", "-", name).strip("-.")[:NAME_LIMIT] or "adapter"
