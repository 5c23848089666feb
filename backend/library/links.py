"""Links out of the workspace that a person made on purpose, through Import.

Any other link that leads out is not followed: what lies behind it was never shown to anyone. A link
is trusted while ``links.json`` names it with the very target that it has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from backend.errors import WorkspaceError
from backend.library.manifest import Manifest
from backend.library.register import Register
from backend.workspace import Workspace

LINKS = "links.json"


def trusted(workspace: Workspace, path: Path) -> Path:
    """The real path of a model or data file in the workspace, also behind a trusted link.

    Raises:
        WorkspaceError: it leads out of the workspace, and nobody linked it on purpose.
    """
    try:
        return workspace.inside(path)
    except WorkspaceError:
        target = target_of(linked(workspace, path))
        if target is None:
            raise
        return target


def linked(workspace: Workspace, path: Path) -> Manifest | None:
    """What was noted of a link when it was made; None where it is no trusted link.

    Its target may be gone meanwhile, with the disk that it was on.
    """
    manifest = _register(workspace).entries().get(_place(workspace, path) or "")
    target = target_of(manifest)
    try:
        return manifest if path.is_symlink() and path.resolve() == target else None
    except (OSError, RuntimeError):  # a circle of links
        return None


def target_of(manifest: Manifest | None) -> Path | None:
    """Where a link leads; None for what is no link."""
    match manifest:
        case Manifest(source={"path": str(path), "way": "link"}):
            return Path(path)
    return None


def lost(workspace: Workspace, folder: Path) -> list[Path]:
    """The trusted links in a folder and its folders whose target is gone."""
    paths = (workspace.root / place for place in _register(workspace).entries())
    return [
        path
        for path in paths
        if path.is_relative_to(folder) and not path.exists() and linked(workspace, path)
    ]


def remember(workspace: Workspace, links: Mapping[Path, Manifest]) -> None:
    """Trust links, by their path in the workspace.

    Raises:
        OSError: ``links.json`` can't be read or written.
    """
    places = {_place(workspace, path): manifest for path, manifest in links.items()}
    _register(workspace).add({place: one for place, one in places.items() if place})


def forget(workspace: Workspace, paths: Iterable[Path]) -> None:
    """Trust links no more.

    Raises:
        OSError: as ``remember``.
    """
    _register(workspace).remove(_place(workspace, path) or "" for path in paths)


def _register(workspace: Workspace) -> Register:
    return Register(workspace.root / LINKS)


def _place(workspace: Workspace, path: Path) -> str | None:
    if not path.is_relative_to(workspace.root):
        return None
    return path.relative_to(workspace.root).as_posix()
