"""app.py with a window: SIGUSR1 writes the names of all loaded modules to the file named first."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from types import FrameType

import app


def write_modules(number: int, frame: FrameType | None) -> None:
    # Renamed into place, so that who waits for the file finds it whole.
    part = target.with_suffix(".part")
    part.write_text("\n".join(sorted(sys.modules)), encoding="utf-8")
    part.replace(target)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    signal.signal(signal.SIGUSR1, write_modules)
    sys.exit(app.main(sys.argv[2:]))
