"""Where everything lies on disk, and the one check that a path stays inside.

Knows the names of the folders and nothing about what is in them.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from backend.errors import WorkspaceError
from backend.files import check_writable

NAME_LIMIT = 80
"""Longest name of a run or a dataset, in characters: 80 of three bytes stay below 255 bytes."""

_NAME = re.compile(r"[\w][\w.\-]*", re.UNICODE)
_RESERVED = {"con", "prn", "aux", "nul"} | {f"{d}{n}" for d in ("com", "lpt") for n in range(1, 10)}


@dataclass(frozen=True)
class Workspace:
    """A folder that holds all that a person made or fetched. It is the database of record.

    Attributes:
        sources: Folders that may be imported from, links followed; None for all that this process
            may read.
    """

    root: Path
    sources: tuple[Path, ...] | None = None

    @classmethod
    def open(cls, root: Path, *, sources: Sequence[Path] | None = None) -> Workspace:
        """Make the folders of a workspace, or open one that exists.

        Raises:
            WorkspaceError: the folder can't be made or written, or LLaMA-Factory could not name it.
        """
        folders = None if sources is None else tuple(one.expanduser().resolve() for one in sources)
        workspace = cls(root.expanduser().resolve(), folders)
        if "${" in str(workspace.root):  # a variable to OmegaConf, which reads a run's config.yaml
            raise WorkspaceError("workspace.errors.variable", folder=workspace.root)
        try:
            for folder in (
                workspace.models,
                workspace.raw_datasets,
                workspace.prepared_datasets,
                workspace.runs,
                workspace.chats,
                workspace.downloads,
            ):
                folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=workspace.root) as probe:
                probe.write(b"0")
        except OSError as error:
            raise WorkspaceError(
                "workspace.errors.not_writable",
                folder=workspace.root,
                reason=error.strerror or error,
            ) from error
        return workspace

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def raw_datasets(self) -> Path:
        return self.root / "datasets" / "raw"

    def home(self, kind: Literal["model", "dataset"]) -> Path:
        """The folder of all models, or of all raw data files."""
        return self.models if kind == "model" else self.raw_datasets

    @property
    def datasets(self) -> Path:
        """LLaMA-Factory's ``dataset_dir``: holds ``dataset_info.json``."""
        return self.root / "datasets"

    @property
    def prepared_datasets(self) -> Path:
        return self.root / "datasets" / "prepared"

    @property
    def dataset_info(self) -> Path:
        return self.root / "datasets" / "dataset_info.json"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def settings(self) -> Path:
        """Hyperparameters that a person saved under a name."""
        return self.root / "settings"

    @property
    def chats(self) -> Path:
        return self.root / "chats"

    @property
    def downloads(self) -> Path:
        """Downloads under way and those that have ended, with what has come so far."""
        return self.root / "downloads"

    @property
    def cache(self) -> Path:
        """What libraries may keep for themselves; can be deleted at any time."""
        return self.root / "cache"

    @property
    def uploads(self) -> Path:
        """What browsers sent, and what they are offered to download."""
        return self.root / "cache" / "uploads"

    def check_writable(self) -> None:
        """Called before anything is changed that is not written through ``backend.files``.

        Raises:
            WorkspaceError: another dashboard has this workspace open; this one only reads.
        """
        check_writable(self.root)

    def check_source(self, path: Path) -> None:
        """Called before anything outside of the workspace is looked at for a person.

        Raises:
            WorkspaceError: it is in no folder that may be imported from, be it there or not.
        """
        if self.sources is None or path == Path():
            return
        try:
            real = path.expanduser().resolve()
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL byte
            raise WorkspaceError("workspace.errors.source_closed", path=str(path)[:200]) from error
        if not any(real.is_relative_to(folder) for folder in (*self.sources, self.uploads)):
            raise WorkspaceError("workspace.errors.source_closed", path=str(path)[:200])

    def inside(self, path: Path | str) -> Path:
        """``path`` (absolute, or relative to the root) with links followed.

        Raises:
            WorkspaceError: it leads out of the workspace.
        """
        try:
            resolved = (self.root / path).resolve()
        except (OSError, RuntimeError, ValueError) as error:  # a loop of links, a NUL byte
            raise WorkspaceError("workspace.errors.outside", path=str(path)[:200]) from error
        if not resolved.is_relative_to(self.root):
            raise WorkspaceError("workspace.errors.outside", path=str(path)[:200])
        return resolved

    def named(self, folder: Path, name: str) -> Path:
        """The path of ``name`` in one of the workspace's folders.

        Raises:
            WorkspaceError: the name is no single, portable file name.
        """
        return self.inside(folder / check_name(name))


def check_name(name: str) -> str:
    """``name`` if it can name a run or a dataset on every file system.

    Letters of any script, digits, ``.``, ``_`` and ``-``, starting with a letter, digit or ``_``.

    Raises:
        WorkspaceError: it can't.
    """
    if not name.strip():
        raise WorkspaceError("workspace.errors.name_empty")
    if len(name) > NAME_LIMIT:
        raise WorkspaceError("workspace.errors.name_long", limit=NAME_LIMIT)
    stem = name.split(".")[0].lower()
    if not _NAME.fullmatch(name) or name.endswith(".") or stem in _RESERVED:
        raise WorkspaceError("workspace.errors.name_bad", name=name)
    return name
