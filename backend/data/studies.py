"""Studies of files: started as tasks, kept in the workspace's cache, read from there.

One study is one file as it is now, under one column map, one evaluation file and one set of
repairs and masks, since rows are compared as they are taught; asking for the same again finds it.
Which rows a person leaves out or keeps needs no new study.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from backend.data.checks.registry import CHECKS
from backend.data.checks.values import Finding
from backend.data.meaning.choice import Numbering
from backend.data.meaning.convert import compile_map
from backend.data.meaning.lesson import Lesson
from backend.data.meaning.mapping import ColumnMap
from backend.data.reading.reader import RowReader
from backend.data.study_values import Study
from backend.data.tasks import Progress, Task, TaskState, cancel_task, read_task, start_task
from backend.errors import DataError
from backend.problems import Problem
from backend.workspace import Workspace

if TYPE_CHECKING:
    from backend.data.checks.overlap import Evaluation

VERSION = 3
"""Counts up when a study finds other things in the same file; older ones are then not used."""

KEPT = 16
"""So many studies stay in the cache, the last used ones."""


@dataclass(frozen=True)
class Request:
    """What is to be studied.

    Attributes:
        evaluation: File of the rows on which a model will be scored; None where none is chosen.
        mended: Ids of the checks whose repairs and masks are applied.
    """

    source: Path
    columns: ColumnMap
    evaluation: Path | None = None
    mended: tuple[str, ...] = ()

    def asked(self, cache: Path) -> dict[str, Any]:
        """As a task's request; the same for the same content and checks only."""
        return {
            "task": "study",
            "source": str(self.source),
            "cache": str(cache),
            "stamp": _stamp(self.source),
            "columns": self.columns.to_json(),
            "evaluation": str(self.evaluation) if self.evaluation else "",
            "evaluation_stamp": _stamp(self.evaluation) if self.evaluation else [],
            "mended": list(self.mended),
            "checks": [check.id for check in CHECKS],
            "version": VERSION,
        }


def start_study(workspace: Workspace, request: Request) -> Task:
    """Study a file in a process of its own, or find that done or under way.

    Raises:
        DataError: the process can't be started.
    """
    asked = request.asked(workspace.cache)
    folder = _folder(workspace, asked)
    _clear(workspace, folder)
    return start_task(folder, asked)


def find_study(workspace: Workspace, request: Request) -> Task | None:
    """The task of a study; None where it was never started."""
    return read_task(_folder(workspace, request.asked(workspace.cache)))


def cancel_study(workspace: Workspace, request: Request) -> None:
    """End a study and forget what it found."""
    cancel_task(_folder(workspace, request.asked(workspace.cache)))


def study_in(task: Task) -> Study:
    """What a study that is done found.

    Raises:
        DataError: its files are gone or damaged.
    """
    assert task.state is TaskState.DONE
    try:
        os.utime(task.folder)  # it was used
        return _load(task.folder, (task.folder / "flags.npy").stat().st_mtime_ns)
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        cancel_task(task.folder)
        raise DataError("data.errors.study_lost") from error


@lru_cache(maxsize=4)
def _load(folder: Path, _written: int) -> Study:
    task = read_task(folder)
    said = task.result if task else {"problems": [], "compared": None, "numbering": []}
    problems = [Problem(one["key"], one["params"]) for one in said["problems"]]
    compared = said["compared"] and tuple(said["compared"])
    return Study.load(folder, problems, compared, Numbering(*said["numbering"]))


def obtain_study(workspace: Workspace, request: Request, progress: Progress) -> Study:
    """The study of a file, made here and now unless it is there already.

    Raises:
        DataError: the file, or the evaluation file, can't be read.
    """
    task = find_study(workspace, request)
    if task and task.state is TaskState.DONE:
        with suppress(DataError):
            return study_in(task)
    return _study(request.asked(workspace.cache), progress)


def do_study(folder: Path, asked: Mapping[str, Any], progress: Progress) -> dict[str, Any]:
    """Do a task that ``start_study`` asked for; returns its result."""
    found = _study(asked, progress)
    found.save(folder)
    return {
        "problems": [{"key": one.key, "params": dict(one.params)} for one in found.problems],
        "compared": found.compared,
        "numbering": list(found.numbering),
    }


def columns_of(reader: RowReader) -> ColumnMap:
    """The column map of a file, found by its first rows.

    Raises:
        DataError: they are those of no known shape.
    """
    # Imported here, as below: what has its columns told waits for less.
    from backend.data.meaning.detect import DETECTED_ROWS, detect

    rows = [row.value for row in reader.page(0, DETECTED_ROWS) if row.value is not None]
    found = detect(rows)
    if found.best is None:
        shown = ", ".join(name[:40] for name in found.columns[:12])
        raise DataError("data.errors.shape_unknown", name=reader.path.name, columns=shown or "–")
    return found.best


def _study(asked: Mapping[str, Any], progress: Progress) -> Study:
    # Imported here: to prepare a file whose study is there takes a twentieth less time without.
    from backend.data.study import Job, study

    cache = Path(asked["cache"])
    evaluation = compared = None
    if asked["evaluation"]:
        progress("evaluation", 0, 0)
        evaluation, rows = _evaluation(Path(asked["evaluation"]), cache)
        compared = (len(evaluation), rows)
    job = Job(
        source=Path(asked["source"]),
        cache=cache,
        columns=ColumnMap.from_json(asked["columns"]),
        evaluation=evaluation,
        mended=tuple(asked["mended"]),
    )
    return replace(study(job, progress), compared=compared)


def _evaluation(path: Path, cache: Path) -> tuple[Evaluation, int]:
    """The questions and answers of an evaluation file, whatever its shape, and all its rows.

    Raises:
        DataError: it can't be read, or no row has any: silence would look like no overlap.
    """
    from backend.data.checks.overlap import Evaluation

    reader = RowReader.open(path, cache=cache)
    convert = compile_map(columns_of(reader))
    lessons = ((row.number, convert(row).lesson) for row in reader)
    found = Evaluation.of(
        (number, f"{lesson.question}\n{lesson.output}") for number, lesson in lessons if lesson
    )
    if not len(found):
        raise DataError("data.errors.evaluation_unusable", name=path.name, count=reader.count)
    return found, reader.count


def overlap_with(path: Path, cache: Path, *lessons: Lesson) -> list[Finding]:
    """What the first of some lessons that has anything in common with an evaluation file has;
    nothing where that can't be read now."""
    with suppress(DataError):
        evaluation = _remembered(path, cache, tuple(_stamp(path)))
        return list(filter(None, map(evaluation.find, lessons)))[:1]
    return []


@lru_cache(maxsize=1)
def _remembered(path: Path, cache: Path, _stamp: tuple[int, ...]) -> Evaluation:
    """It takes a second for some thousand rows; a person looks at one row after another."""
    return _evaluation(path, cache)[0]


# --- The cache ----------------------------------------------------------------------------------


def _folder(workspace: Workspace, asked: Mapping[str, Any]) -> Path:
    key = blake2b(orjson.dumps(asked, option=orjson.OPT_SORT_KEYS), digest_size=12).hexdigest()
    return workspace.cache / "studies" / key


def _stamp(path: Path) -> list[int]:
    """By what a file that changed is recognised; -1 where it is gone, which its reader tells."""
    try:
        status = path.stat()
    except OSError:
        return [-1]
    return [status.st_ino, status.st_size, status.st_mtime_ns]


def _clear(workspace: Workspace, wanted: Path) -> None:
    """Remove the studies that were not used for longest; those under way stay, and ``wanted``."""
    home = workspace.cache / "studies"
    if not home.is_dir():
        return
    folders = sorted(
        (one for one in home.iterdir() if one.is_dir() and one != wanted),
        key=lambda one: one.stat().st_mtime,
        reverse=True,
    )
    for folder in folders[KEPT - 1 :]:
        task = read_task(folder)
        if task is None or task.state is not TaskState.RUNNING:
            shutil.rmtree(folder, ignore_errors=True)
