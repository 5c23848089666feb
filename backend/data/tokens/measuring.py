"""Lengths of all rows of a file in tokens: measured by a process, kept in the workspace's cache.

One measurement is one file as it is now, read and mended in one way, with the tokenizer and the
template of one model; asking for the same again finds it, also when the file has another name or
was touched since. All that is known of it lies in its folder, so that a second page or a reload
sees the same:

    lengths/<key>/          by the file's path and time, before anything of it is read
            <key>.same      by its content, once that is known: the name of such a folder
 Knows nothing about how it is measured.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from hashlib import blake2b
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import orjson

from backend.data.meaning.mapping import ColumnMap
from backend.data.reading.form import is_named_as_table
from backend.data.reading.reader import known_sha256
from backend.data.tasks import OUTCOME, Task, TaskState, cancel_task, read_task, start_task
from backend.data.tokens.inspector import offline
from backend.data.tokens.lengths import Lengths
from backend.data.tokens.stamps import tokenizer_digest
from backend.errors import DataError
from backend.files import replacing
from backend.workspace import Workspace

VERSION = 2
"""Counts up when other lengths are measured of the same rows."""

WORKER = (sys.executable, "-m", "backend.workers.lengths")
"""The command that measures; the folder is added to it."""

_SAME = ".same"

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
        """By which it is found again while the file stays as it is."""
        return self._key(source_stamp(self.source))

    def content_key(self, sha256: str) -> str:
        """By which it is found for any file with the same rows.

        Args:
            sha256: Of the file's content.
        """
        # The ending of a file's name tells a table from other lines.
        return self._key(f"{sha256} {is_named_as_table(self.source.name)}")

    def _key(self, source: str) -> str:
        return lengths_key(source, self.columns, self.applied, self.model, self.template)

    def asked(self, cache: Path) -> dict[str, Any]:
        """As a task's request."""
        return {
            "source": str(self.source),
            "cache": str(cache),
            "columns": self.columns.to_json(),
            "applied": list(self.applied),
            "model": str(self.model),
            "template": self.template,
        }

    @classmethod
    def from_asked(cls, asked: Mapping[str, Any]) -> LengthsRequest:
        """What ``asked`` wrote."""
        return cls(
            Path(asked["source"]),
            ColumnMap.from_json(asked["columns"]),
            tuple(asked["applied"]),
            Path(asked["model"]),
            asked["template"],
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


def note_content(folder: Path, content_key: str) -> None:
    """Let the lengths in a folder be found for other files with the same content.

    Args:
        content_key: Of the request, as of before they were measured.

    Raises:
        OSError: it can't be written down.
    """
    note = folder.with_name(f"{content_key}{_SAME}")
    with replacing(note, durable=False) as file:
        file.write(folder.name.encode())


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
        own = self._home / request.key
        if own.is_dir():
            return own
        return self._of_same_content(request) or own

    def _of_same_content(self, request: LengthsRequest) -> Path | None:
        """The lengths of a file with the same content; None where there are none, or where the
        content is not known yet."""
        digest = known_sha256(request.source, self._cache)
        return None if digest is None else self._noted(request, digest)

    def _noted(self, request: LengthsRequest, digest: str) -> Path | None:
        note = self._home / f"{request.content_key(digest)}{_SAME}"
        with suppress(OSError, ValueError):
            folder = self._home / Path(note.read_text("ascii")).name
            task = read_task(folder)
            if task is not None and task.state is TaskState.DONE:
                return folder
        return None

    def start(self, request: LengthsRequest) -> Task:
        """Measure in a process of its own, or find that done or under way.

        Raises:
            DataError: the process can't be started.
        """
        folder = self.folder(request)
        task = read_task(folder)
        if task is not None and task.state is TaskState.DONE:  # perhaps under another name
            return task
        self._clear(folder)
        asked = request.asked(self._cache)
        return start_task(folder, asked, worker=WORKER, environment=offline())

    def state(self, request: LengthsRequest) -> Task | None:
        """How it stands with a measurement; None where it was never started."""
        return read_task(self.folder(request))

    def cancel(self, request: LengthsRequest) -> None:
        """End a measurement and forget it; nothing happens where there is none."""
        cancel_task(self.folder(request))

    def lengths(self, request: LengthsRequest) -> Lengths | None:
        """The lengths; None until they are measured, or where their files are damaged."""
        return self._read(self.folder(request))

    def lengths_of(self, request: LengthsRequest, sha256: str) -> Lengths | None:
        """The lengths of rows in a file that had this content, whatever the file is now."""
        folder = self._noted(request, sha256)
        return self._read(folder) if folder else None

    def _read(self, folder: Path) -> Lengths | None:
        task = read_task(folder)
        if task is None or task.state is not TaskState.DONE:
            return None
        try:
            return _load(folder, (folder / OUTCOME).stat().st_mtime_ns)
        except (DataError, OSError):
            cancel_task(folder)
            return None

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
        for note in self._home.glob(f"*{_SAME}"):
            with suppress(OSError, ValueError):
                if not (self._home / Path(note.read_text("ascii")).name).is_dir():
                    note.unlink()


@lru_cache(maxsize=4)
def _load(folder: Path, _written: int) -> Lengths:
    return Lengths.load(folder)
