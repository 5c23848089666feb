"""app.py with a window: SIGUSR1 writes the names of all loaded modules to the file named first, and
``asked HOST`` for each machine that the process looked up or connected to."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import app

asked: set[str] = set()


def note_machines(event: str, details: tuple[Any, ...]) -> None:
    if event == "socket.getaddrinfo" and details[0] is not None:
        asked.add(os.fsdecode(details[0]))
    elif event == "socket.connect" and isinstance(details[1], tuple):
        asked.add(str(details[1][0]))


def write_modules(number: int, frame: FrameType | None) -> None:
    # Renamed into place, so that who waits for the file finds it whole.
    part = target.with_suffix(".part")
    told = [*sorted(sys.modules), *(f"asked {host}" for host in sorted(asked))]
    part.write_text("\n".join(told), encoding="utf-8")
    part.replace(target)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    sys.addaudithook(note_machines)
    signal.signal(signal.SIGUSR1, write_modules)
    sys.exit(app.main(sys.argv[2:]))
