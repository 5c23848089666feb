"""How a trainer ends: its last word, on a full disk too, and of several processes all together."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import threading
import time
import traceback
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NoReturn

import orjson

from backend.files import read_json
from backend.training import layout

ROOM = 4096
"""Bytes kept for ``exit.json``: a block of most file systems, and more than it ever has."""

FULL = 64 * 1024
"""A disk with less than this is full: torch's own errors do not say why a write failed."""

_POLL_SECONDS = 0.5


def is_first() -> bool:
    """Whether this is the process that speaks for the run; without torchrun there is no other."""
    return os.environ.get("RANK", "0") == "0"


def take_exit_room(folder: Path) -> None:
    """Take room on the disk for the last word while there is some."""
    with suppress(OSError), (folder / layout.EXIT_ROOM).open("wb") as file:
        file.write(b" " * ROOM)


def watch_others(folder: Path) -> None:
    """Under torchrun, end with the others: when the launcher is gone, or the first has ended.

    A process whose launcher was killed would train on and write into a folder that is another
    trainer's by then; one that waits for an ended one would wait for ever.
    """
    if "LOCAL_RANK" in os.environ:
        launcher = os.getppid()
        arguments = (folder, launcher)
        threading.Thread(target=_watch, args=arguments, name="others", daemon=True).start()


def leave(
    folder: Path, code: int, reason: layout.Reason, error: BaseException | None = None
) -> NoReturn:
    """Write ``exit.json`` and end the process.

    Without the interpreter's own way out: taking torch apart costs time, and a thread that hangs
    would keep the process, and the GPU's memory, for ever.
    """
    ending: dict[str, Any] = {
        "code": code,
        "reason": reason,
        "error": describe(error) if error else None,
        "when": datetime.now(UTC).isoformat(),
    }
    try:
        if error:
            ending["full"] = is_full(folder, error)
        end_children()
        if error:
            traceback.print_exception(error)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:  # a full disk takes no more of the log; it may still take this
        # Of several processes one that fails is the reason why the others then fail too.
        if is_first() or reason == "failed":
            _write_exit(folder, ending, replace=is_first() and reason != "failed")
        os._exit(code)


def describe(error: BaseException, *, limit: int = 400) -> str:
    """An exception in one line: its type and the first line of its message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return ": ".join([type(error).__name__, *lines[:1]])[:limit]


def is_full(folder: Path, error: BaseException) -> bool:
    """Whether a training failed for want of room on the disk."""
    cause: BaseException | None = error
    while cause is not None:
        number = getattr(cause, "errno", None)
        if number in (errno.ENOSPC, errno.EDQUOT) or "No space left" in str(cause):
            return True
        cause = cause.__cause__ or cause.__context__
    wrote = isinstance(error, OSError) or "write" in str(error).lower()
    with suppress(OSError):
        return wrote and shutil.disk_usage(folder).free < FULL
    return False


def end_children() -> None:
    """End helper processes, for instance those that tokenise: nobody else will."""
    import psutil

    for child in psutil.Process().children(recursive=True):
        child.kill()


def _write_exit(folder: Path, ending: dict[str, Any], *, replace: bool) -> None:
    """Put the last word in its place; one that is there stays unless it is to be replaced."""
    content = orjson.dumps(ending, option=orjson.OPT_INDENT_2)
    room, target = folder / f".exit.{os.getpid()}", folder / layout.EXIT
    with suppress(OSError):
        with suppress(OSError):
            (folder / layout.EXIT_ROOM).rename(room)
        # Written over what was taken for it: a full disk has no other room.
        with room.open("r+b" if room.exists() else "wb") as file:
            file.write(content)
            file.truncate()
            file.flush()
            os.fsync(file.fileno())
        if not replace and target.exists():
            room.unlink()
        else:
            room.replace(target)


def _watch(folder: Path, launcher: int) -> None:
    while True:
        time.sleep(_POLL_SECONDS)
        if os.getppid() != launcher:
            _end(1)
        if not is_first() and (ending := read_json(folder / layout.EXIT)):
            _end(1 if ending.get("reason") == "failed" else 0)


def _end(code: int) -> NoReturn:
    try:
        end_children()
    finally:
        os._exit(code)
