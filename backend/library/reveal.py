"""Show a folder in the file manager of the desktop that MedTune runs on, where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path


def reveal(path: Path) -> bool:
    """Open the folder of a file, or the folder itself; whether that was possible.

    On a rented machine there is no desktop: the person is then told the path.
    """
    folder = path if path.is_dir() else path.parent
    command = _file_manager()
    if command is None:
        return False
    try:
        subprocess.Popen(
            [command, str(folder)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
    except OSError:
        return False
    return True


def _file_manager() -> str | None:
    if sys.platform == "win32":
        return shutil.which("explorer")
    if sys.platform == "darwin":
        return shutil.which("open")
    # Over SSH there may be a command for it, and nobody who sees what it opens.
    on_desktop = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    over_ssh = "SSH_CONNECTION" in os.environ
    return shutil.which("xdg-open") if on_desktop and not over_ssh else None
