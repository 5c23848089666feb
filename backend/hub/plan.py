"""What would be fetched of a repository, and whether there is room: before a byte moves."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Literal

from backend.hub.jobs import job_id
from backend.hub.repository import Kind, Listing, RemoteFile, Repository
from backend.hub.room import Room, room_of
from backend.library.hashing import git_blob, hash_of
from backend.library.weights import PICKLES
from backend.workspace import Workspace

Presence = Literal["absent", "present", "differs"]
"""Whether a file is on this machine already, by its content, or another one in its place."""

_OTHER_FORMATS = frozenset({".gguf", ".onnx", ".h5", ".msgpack", ".ot", ".tflite", ".mlmodel"})
_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".mp4", ".pdf"})
_FOREIGN_FOLDERS = frozenset({"onnx", "original", "gguf", "openvino", "coreml", "metal"})
"""Where repositories keep the same weights in a form that nothing here loads."""


@dataclass(frozen=True)
class PlannedFile:
    """A file of a listing, seen from this machine.

    Attributes:
        advised: Whether it is needed to use the model or dataset.
        pickle: It is weights that run code when they are loaded.
        mixed: As the catalogue knows, it has the rows of other files again, among general ones.
    """

    file: RemoteFile
    presence: Presence
    advised: bool
    pickle: bool
    mixed: bool = False


@dataclass(frozen=True)
class Plan:
    """All files of a listing, and the room for them.

    Attributes:
        endpoint: The hub's address that was asked, and that they come from.
        target: Where they go.
        room: On the disk, when the plan was made.
        pickles_only: Every file with weights is a pickle.
    """

    listing: Listing
    endpoint: str
    target: Path
    files: tuple[PlannedFile, ...]
    room: Room
    pickles_only: bool

    @property
    def advised(self) -> list[str]:
        """The paths that are fetched unless the person chooses others."""
        return [one.file.path for one in self.files if one.advised]

    def to_fetch(self, paths: Collection[str]) -> list[RemoteFile]:
        """The chosen files that are not on this machine yet."""
        chosen = [one for one in self.files if one.file.path in paths]
        return [one.file for one in chosen if one.presence != "present"]

    def needed(self, paths: Collection[str], *, partial: int = 0) -> int:
        """Bytes that fetching the chosen files writes, less those that an earlier try left."""
        return max(sum(file.size or 0 for file in self.to_fetch(paths)) - partial, 0)


def plan_of(workspace: Workspace, listing: Listing, *, endpoint: str) -> Plan:
    """Look at what is on this machine. Reads whole files that have the right size.

    Raises:
        WorkspaceError: the repository's name can't name a folder here.
    """
    target = target_of(workspace, listing.repository)
    safe = _has_safetensors(listing.files)
    mixed = _mixed(listing)
    files = tuple(
        PlannedFile(
            file=file,
            presence=presence_of(target, file),
            advised=file.path not in mixed
            and _is_advised(file, listing.repository.kind, safe=safe),
            pickle=is_pickle(file, listing.repository.kind),
            mixed=file.path in mixed,
        )
        for file in listing.files
    )
    pickles = listing.repository.kind == "model" and any(one.pickle for one in files) and not safe
    room = room_of(workspace, besides=job_id(listing.repository))
    return Plan(listing, endpoint, target, files, room, pickles)


def target_of(workspace: Workspace, repository: Repository) -> Path:
    """The folder of a repository: ``models/org/name`` or ``datasets/raw/org/name``.

    Raises:
        WorkspaceError: a part of its name can't name a folder.
    """
    organisation, _, name = repository.id.partition("/")
    parent = workspace.home(repository.kind)
    return workspace.named(workspace.named(parent, organisation), name)


def presence_of(folder: Path, file: RemoteFile) -> Presence:
    """Whether a folder has this very file: by hash, or by size where the hub gives no hash."""
    place = folder / file.path
    try:
        size = place.stat().st_size
    except (FileNotFoundError, NotADirectoryError):
        return "absent"
    if not place.is_file() or (file.size is not None and size != file.size):
        return "differs"
    if file.sha256 is not None:
        return "present" if hash_of(folder, file.path) == file.sha256 else "differs"
    if file.blob is not None:
        return "present" if git_blob(place) == file.blob else "differs"
    return "present" if file.size is not None else "differs"


def is_pickle(file: RemoteFile, kind: Kind) -> bool:
    """Whether a model's file may run code when it is loaded."""
    return kind == "model" and PurePosixPath(file.path).suffix.lower() in PICKLES


def _has_safetensors(files: Collection[RemoteFile]) -> bool:
    return any(file.path.endswith(".safetensors") and "/" not in file.path for file in files)


def _mixed(listing: Listing) -> frozenset[str]:
    """Of a dataset of the catalogue the files that repeat others that are listed, too."""
    from backend.hub import catalogue  # only where one plans: a download's process does not

    repository = listing.repository
    if repository.kind != "dataset":
        return frozenset()
    found = catalogue.find("dataset", repository.hub, repository.id)
    if not isinstance(found, catalogue.CatalogueDataset):
        return frozenset()
    listed = {file.path for file in listing.files}
    known = [file for file in found.copies[repository.hub].files if file.path in listed]
    plain = {file.language for file in known if not file.mixed}
    return frozenset(file.path for file in known if file.mixed and file.language in plain)


def _is_advised(file: RemoteFile, kind: Kind, *, safe: bool) -> bool:
    """Data whole; of a model what loads here, once, without pictures of its page."""
    path = PurePosixPath(file.path)
    if any(part.startswith(".") for part in path.parts):
        return False
    if kind == "dataset":
        return path.suffix.lower() not in _PICTURES
    foreign = bool(_FOREIGN_FOLDERS & {part.lower() for part in path.parts[:-1]})
    if foreign or path.suffix.lower() in _OTHER_FORMATS | _PICTURES:
        return False
    if path.name.endswith(".bin.index.json"):
        return not safe
    consolidated = path.name.startswith("consolidated") and path.suffix == ".safetensors"
    return not is_pickle(file, kind) and not consolidated
