"""Hyperparameters under a name: those that a person saved, and those of earlier runs.

A saved set is ``settings/<name>.json`` in the workspace: ``{"saved", "values"}``, whole or absent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from backend.errors import RunError
from backend.files import read_json, write_json
from backend.training.overview import differences
from backend.training.runs import find_run, list_runs
from backend.training.schema import FIELD, defaults
from backend.workspace import Workspace, check_name

Kind = Literal["saved", "run"]

_OF_ONE_RUN = {"run_name": ""}
"""What another run can't have as well."""


@dataclass(frozen=True)
class Source:
    """Where a set of hyperparameters comes from."""

    kind: Kind
    name: str

    @property
    def id(self) -> str:
        """As one text, which ``source_of`` reads."""
        return f"{self.kind}:{self.name}"


def source_of(written: object) -> Source | None:
    """The source that such a text names. It comes from a browser, so it may be anything."""
    kind, _, name = str(written or "").partition(":")
    match kind:
        case "saved" | "run" if name:
            return Source("saved" if kind == "saved" else "run", name)
        case _:
            return None


def list_sources(workspace: Workspace) -> list[Source]:
    """What there is: saved sets by name, then runs, the newest first."""
    saved = sorted(path.stem for path in workspace.settings.glob("[!.]*.json"))
    runs = [run.id for run in list_runs(workspace)]
    return [*(Source("saved", name) for name in saved), *(Source("run", run) for run in runs)]


def save(workspace: Workspace, name: str, values: Mapping[str, Any]) -> Source:
    """Save the values of a form, complete or not.

    Raises:
        WorkspaceError: the name can't name a file, or the workspace is another dashboard's.
        RunError: the name is taken, or the workspace can't be written.
    """
    file = _file(workspace, name.strip())
    workspace.check_writable()
    if file.exists():
        raise RunError("training.errors.settings_taken", name=name.strip())
    kept = {one: value for one, value in values.items() if one in FIELD}
    when = datetime.now(UTC).isoformat()
    try:
        write_json(file, {"saved": when, "values": kept | _OF_ONE_RUN})
    except (OSError, TypeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RunError(
            "training.errors.not_writable", folder=workspace.settings, reason=reason
        ) from error
    return Source("saved", name.strip())


def load(workspace: Workspace, source: Source) -> dict[str, Any]:
    """A value for every field: the source's, and the default of each that it does not know.

    Raises:
        RunError: there is no such source.
        WorkspaceError: it has a name that can't name a file.
    """
    if source.kind == "run":
        values: Any = find_run(workspace, source.name).values
    else:
        content = read_json(_file(workspace, source.name))
        values = content.get("values") if isinstance(content, dict) else None
    if not isinstance(values, Mapping):
        raise RunError("training.errors.settings_missing", name=source.name[:80])
    known = {name: value for name, value in values.items() if name in FIELD}
    return {**defaults(), **known, **_OF_ONE_RUN}


def delete(workspace: Workspace, source: Source) -> None:
    """Delete a saved set; runs are deleted elsewhere.

    Raises:
        RunError: it is not there, or none that was saved.
        WorkspaceError: the name can't name a file, or the workspace is another dashboard's.
    """
    if source.kind != "saved":
        raise RunError("training.errors.settings_run", run=source.name[:80])
    file = _file(workspace, source.name)
    workspace.check_writable()
    try:
        file.unlink()
    except FileNotFoundError as error:
        raise RunError("training.errors.settings_missing", name=source.name[:80]) from error


def compare(one: Mapping[str, Any], other: Mapping[str, Any]) -> list[tuple[str, Any, Any]]:
    """The fields in which two sets differ, in the form's order: name, and both values.

    A field that one of them lacks has its default there.
    """
    whole = ({**defaults(), **values} for values in (one, other))
    found = {name: both for name, *both in differences(*whole)}
    return [(name, *found[name]) for name in FIELD if name in found]


def _file(workspace: Workspace, name: str) -> Path:
    return workspace.named(workspace.settings, f"{check_name(name)}.json")
