"""What somebody sends who is no page of ours, and a watch on what that makes the process do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SCRIPT = "<img src=x onerror=alert(4711)>"
FILE = {"_type": "gradio.FileData"}


def values(outside: Path) -> list[Any]:
    """One of each kind; ``outside`` is a data file that is nobody's to read."""
    return [
        None,
        "x" * 40_000,
        "../../../../" * 4 + str(outside).lstrip("/"),
        str(outside),
        "a\nb\r\x00\u202ec",
        SCRIPT,
        "{{7*7}}${7*7}{0.__class__}%s%n${jndi:x}",
        {"value": {"a": [1]}, "path": str(outside), "__type__": "update"},
        [[["x"]], {"a": None}],
        -1e308,
        2**62,
        True,
        [str(outside), SCRIPT],
        "",
    ]


class NoProcess(subprocess.Popen):  # type: ignore[type-arg]
    """In the place of ``Popen``: none starts."""

    def __init__(self, *_: Any, **__: Any) -> None:
        raise PermissionError(1, "no processes here")


_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_CHANGES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.symlink", "os.link", "os.chmod"}
_CHANGES |= {"os.truncate", "shutil.rmtree", "os.chown", "os.utime"}

_REMOVALS = {"os.remove", "os.rmdir"}


@dataclass
class Watch:
    """What this process did while it was watched, by Python's audit events.

    Attributes:
        inside: Where it may write.
        outside: Where it may not even read.
        written, read: Paths where it did all the same.
        asked: Machines that it looked up or connected to, but this one.
        started: Commands that it started.
    """

    inside: Path
    outside: Path
    written: set[str] = field(default_factory=set)
    read: set[str] = field(default_factory=set)
    asked: set[str] = field(default_factory=set)
    started: set[str] = field(default_factory=set)

    def hear(self, event: str, details: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = details
            if isinstance(path, str | bytes | os.PathLike):
                (self._write if (flags or 0) & _WRITING else self._look)(path)
        elif event in _REMOVALS and details[1] >= 0:
            # By a name in a folder that is open, as ``shutil.rmtree`` does.
            self._write(Path(os.readlink(f"/proc/self/fd/{details[1]}"), os.fsdecode(details[0])))
        elif event in _CHANGES:
            for path in details[:2]:
                if isinstance(path, str | bytes | os.PathLike):
                    self._write(_below(path, details[-1]))
        elif event in {"os.listdir", "os.scandir"}:
            self._look(details[0])
        elif event in {"socket.connect", "socket.getaddrinfo"}:
            host = details[1][0] if event == "socket.connect" else details[0]
            if host not in {"127.0.0.1", "localhost", "::1", b"127.0.0.1", None}:
                self.asked.add(str(host))
        elif event in {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn"}:
            self.started.add(str(details[:2]))

    def _write(self, path: Any) -> None:
        real = Path(os.path.realpath(os.fsdecode(path)))
        if not real.is_relative_to(self.inside) and str(real) != os.devnull:
            self.written.add(str(real))

    def _look(self, path: Any) -> None:
        if isinstance(path, str | bytes | os.PathLike):
            real = Path(os.path.realpath(os.fsdecode(path)))
            if real.is_relative_to(self.outside):
                self.read.add(str(real))


def _below(path: str | bytes | os.PathLike[str], folder: Any) -> str:
    """Where a path leads that is told as one in an open folder, as by ``shutil.rmtree``."""
    name = os.fsdecode(path)
    known = isinstance(folder, int) and folder >= 0 and not os.path.isabs(name)
    return os.path.join(os.path.realpath(f"/proc/self/fd/{folder}"), name) if known else name


_watching: list[Watch] = []


def _hook(event: str, details: tuple[Any, ...]) -> None:
    for watch in _watching:
        watch.hear(event, details)


_hooked: list[bool] = []


@contextmanager
def watching(inside: Path, outside: Path) -> Iterator[Watch]:
    """Watch until the block ends. An audit hook stays for the life of a process."""
    if not _hooked:
        sys.addaudithook(_hook)
        _hooked.append(True)
    watch = Watch(inside.resolve(), outside.resolve())
    _watching.append(watch)
    try:
        yield watch
    finally:
        _watching.remove(watch)
