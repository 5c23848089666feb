"""Finds the Chromium that the browser tests drive; as a program, prints its path or exits with 1.

Imports nothing but the standard library, because the set-up asks it before Playwright is used.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)


def find_chromium() -> str | None:
    """The path of a Chromium that starts: MEDTUNE_CHROMIUM, the system's, or Playwright's own."""
    wanted = os.environ.get("MEDTUNE_CHROMIUM")
    names = (wanted,) if wanted else NAMES
    paths = [path for name in names if (path := shutil.which(name))]
    return next((path for path in [*paths, *_playwrights()] if _starts(path)), None)


def _playwrights() -> list[str]:
    """What ``playwright install chromium`` fetched, newest first."""
    folder = os.environ.get("PLAYWRIGHT_BROWSERS_PATH")
    home = Path(folder) if folder else Path.home() / ".cache" / "ms-playwright"
    return [
        str(path) for path in sorted(home.glob("chromium-*/chrome-linux*/chrome"), reverse=True)
    ]


def _starts(path: str) -> bool:
    # Ubuntu's chromium-browser is there without its snap, and only says so when it is run.
    try:
        run = subprocess.run([path, "--version"], capture_output=True, timeout=60, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return run.returncode == 0


if __name__ == "__main__":
    found = find_chromium()
    print(found or "no Chromium found")
    sys.exit(0 if found else 1)
