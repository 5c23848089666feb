"""The end of what a trainer printed, as a person can read it."""

from __future__ import annotations

import re
from pathlib import Path

from backend.secrecy import mask
from backend.training.layout import LOG

_TAIL = 512 * 1024
"""Bytes read from the end of a log; a line of LLaMA-Factory's has some hundred."""

_ESCAPE = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_PROGRESS = re.compile(r"\d+%\|.*\|\s*\d+|\d+ examples \[")
_ERROR = re.compile(r"(?:[\w.]+\.)?[A-Z]\w*(?:Error|Exception|Interrupt|Exit|Warning)\b:?")


def tail(folder: Path, lines: int = 200) -> str:
    """The last lines of a run's ``process.log``; empty where there is none.

    Only the end of the file is read. A progress bar, which is drawn over and over in one line, is
    reduced to what it showed last; escape sequences and control characters are removed.
    """
    return "\n".join(last_lines(folder)[-lines:]) if lines > 0 else ""


def last_words(folder: Path, *, since: int = 0, limit: int = 400) -> str:
    """The line that most likely says why a trainer ended; empty where none does.

    The last exception's own line, else the last line that is not a progress bar; of those from byte
    ``since`` on.
    """
    said = [line.strip() for line in last_lines(folder, since=since) if line.strip()]
    said = [line for line in said if not _PROGRESS.search(line)]
    errors = [line for line in said if _ERROR.match(line) and "Warning" not in line.split(":")[0]]
    words = errors[-1] if errors else (said[-1] if said else "")
    return words[:limit]


def last_lines(folder: Path, *, since: int = 0) -> list[str]:
    """The lines at a log's end, readable; those from byte ``since`` on, half a megabyte at most."""
    try:
        with (folder / LOG).open("rb") as file:
            size = file.seek(0, 2)
            start = max(0, size - _TAIL, since if since <= size else 0)
            file.seek(start)
            block = file.read()
    except FileNotFoundError:
        return []
    if start not in (0, since):  # the first line is cut, perhaps within a character
        block = block[block.find(b"\n") + 1 :]
    lines = block.decode("utf-8", errors="replace").split("\n")
    if not lines[-1]:
        lines.pop()
    return [readable(line) for line in lines]


def readable(line: str) -> str:
    """A line as a terminal would show it: no colours, a progress bar as it was drawn last.

    Secrets are masked: the libraries of a trainer print what they were given.
    """
    drawn = [part for part in line.split("\r") if part.strip()]
    return mask(_CONTROL.sub("", _ESCAPE.sub("", drawn[-1]))) if drawn else ""
