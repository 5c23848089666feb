"""Lengths of all rows of a file in tokens: measured by a process, kept in the workspace's cache.

One measurement is one file as it is now, read and mended in one way, with the tokenizer and the
template of one model; asking for the same again finds it. All that is known of it lies in its
folder, so that a second page or a reload sees the same. Knows nothing about how it is measured.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import orjson

from backend.data.meaning.mapping import ColumnMap
from backend.data.tasks import OUTCOME, Task, TaskState, cancel_task, read_task, start_task
from backend.data.tokens.inspector import offline
from backend.data.tokens.lengths import Lengths
from backend.data.tokens.stamps import tokenizer_digest
from backend.errors import DataError
from backend.workspace import Workspace

VERSION = 2
"""Counts up when other lengths are measured of the same rows."""

WORKER = (sys.executable, "-m", "backend.workers.lengths")
"""The command that measures; the folder is added to it."""

KEPT = 16
"""So many measurements stay in the cache, the last used ones."""


@dataclass(frozen=True)
class LengthsRequest:
    """What is to be measured.

    Attributes:
        applied: Ids of the checks whose repairs and masks change what is taught.
        model: Folder with the tokenizer.
        template: One of LLaMA-Factory's chat templates.
    """

    source: Path
    columns: ColumnMap
    applied: tuple[str, ...]
    model: Path
    template: str

    @property
    def key(self) -> str:
        """By which it is found again."""
        return lengths_key(
            source_stamp(self.source), self.columns, self.applied, self.model, self.template
        )


def lengths_key(
    source: str, columns: ColumnMap, applied: Sequence[str], model: Path, template: str
) -> str:
    """The same for what gives the same lengths only: 24 characters for the name of a folder.

    Args:
        source: By what the file and its content are known: its hash, or ``source_stamp``.
        model: Folder with the tokenizer; only what is in its files counts, not where it lies.
    """
    parts = [
        VERSION,
        _llamafactory(),
        source,
        columns.to_json(),
        sorted(applied),
        tokenizer_digest(model),
        template,
    ]
    whole = orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)
    return blake2b(whole, digest_size=12).hexdigest()


def source_stamp(source: Path) -> str:
    """Changes when the file at a path does; -1 where it is gone, which its reader tells."""
    try:
        status = source.stat()
    except OSError:
        return f"{source} -1"
    return f"{source} {status.st_ino} {status.st_size} {status.st_mtime_ns}"


@cache
def _llamafactory() -> str:
    try:
        return version("llamafactory")
    except PackageNotFoundError:
        return ""


class Measuring:
    """The measurements of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._cache = workspace.cache
        self._home = workspace.cache / "lengths"

    def folder(self, request: LengthsRequest) -> Path:
        """Where the lengths are once they are measured."""
        return self._home / request.key

    def start(self, request: LengthsRequest) -> Task:
        """Measure in a process of its own, or find that done or under way.

        Raises:
            DataError: the process can't be started.
        """
        folder = self.folder(request)
        self._clear(folder)
        return start_task(folder, self._asked(request), worker=WORKER, environment=offline())

    def state(self, request: LengthsRequest) -> Task | None:
        """How it stands with a measurement; None where it was never started."""
        return read_task(self.folder(request))

    def cancel(self, request: LengthsRequest) -> None:
        """End a measurement and forget it; nothing happens where there is none."""
        cancel_task(self.folder(request))

    def lengths(self, request: LengthsRequest) -> Lengths | None:
        """The lengths; None until they are measured, or where their files are damaged."""
        folder = self.folder(request)
        task = read_task(folder)
        if task is None or task.state is not TaskState.DONE:
            return None
        try:
            return _load(folder, (folder / OUTCOME).stat().st_mtime_ns)
        except (DataError, OSError):
            cancel_task(folder)
            return None

    def _asked(self, request: LengthsRequest) -> dict[str, Any]:
        return {
            "source": str(request.source),
            "cache": str(self._cache),
            "columns": request.columns.to_json(),
            "applied": list(request.applied),
            "model": str(request.model),
            "template": request.template,
        }

    def _clear(self, wanted: Path) -> None:
        """Remove the measurements that are oldest; those under way stay."""
        if not self._home.is_dir():
            return
        folders = [one for one in self._home.iterdir() if one.is_dir() and one != wanted]
        folders.sort(key=lambda one: one.stat().st_mtime, reverse=True)
        for folder in folders[KEPT - 1 :]:
            task = read_task(folder)
            if task is None or task.state is not TaskState.RUNNING:
                shutil.rmtree(folder, ignore_errors=True)


@lru_cache(maxsize=4)
def _load(folder: Path, _written: int) -> Lengths:
    return Lengths.load(folder)
