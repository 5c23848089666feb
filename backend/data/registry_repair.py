"""A ``dataset_info.json`` that is broken: where and why, and making it whole again.

What can be read of it is kept: each entry stands for itself, so a missing comma or a torn end costs
one entry, not all. The broken file is kept under another name.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain, count
from pathlib import Path

from backend.data.registry import Entries, entries_of, locked_registry, prepared_folders
from backend.errors import DataError
from backend.files import write_text
from backend.workspace import Workspace

_KEY = re.compile(r'"(?:[^"\\\n]|\\.)*"\s*:\s*(?=\{)')

_PLACES = (
    *("file_name", "cloud_file_name", "script_url"),
    *("hf_hub_url", "ms_hub_url", "om_hub_url"),
)
"""Each entry names one of these places (LLaMA-Factory 0.9.5, ``data/parser.py``)."""


@dataclass(frozen=True)
class Trouble:
    """Why the registry can't be read.

    Attributes:
        line: Where, from 1; 0 where no place can be named.
        key: Key of the sentence that says why, below ``data.registry``.
        near: What stands in that line.
    """

    file: Path
    line: int
    key: str
    near: str = ""


@dataclass(frozen=True)
class Repaired:
    """What became of a broken registry.

    Attributes:
        kept: Names of the entries that could be read.
        restored: Names of entries that were made anew from the prepared datasets.
        backup: The broken file.
    """

    kept: tuple[str, ...]
    restored: tuple[str, ...]
    backup: Path


def trouble_of(workspace: Workspace) -> Trouble | None:
    """What is wrong with the registry; None where it is whole, or not there yet."""
    path = workspace.dataset_info
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        return Trouble(path, 0, "unreadable", error.strerror or str(error))
    try:
        words = content.decode("utf-8")
        entries = json.loads(words)
    except UnicodeDecodeError as error:
        return Trouble(path, content[: error.start].count(b"\n") + 1, "not_utf8")
    except json.JSONDecodeError as error:
        return Trouble(path, error.lineno, "not_json", _line(words, error.lineno))
    except (RecursionError, ValueError):  # ValueError: a number of thousands of digits
        return Trouble(path, 1, "not_json")
    return None if isinstance(entries, dict) else Trouble(path, 1, "no_object", _line(words, 1))


def repair(workspace: Workspace) -> Repaired:
    """Make the registry whole from what can be read of it and from the prepared datasets.

    Raises:
        DataError: it is whole, locked, or can't be read or written at all.
    """
    path = workspace.dataset_info
    with locked_registry(workspace):
        if trouble_of(workspace) is None:
            raise DataError("data.errors.registry_whole", file=path)
        try:
            entries = _salvaged(path.read_bytes().decode("utf-8", "replace"))
            backup = next(name for name in _names(path) if not name.exists())
            shutil.copyfile(path, backup)  # not moved: if the disk is full it stays as it is
            kept = tuple(entries)
            for one in prepared_folders(workspace):
                for name, entry in entries_of(one.name, one.report).items():
                    entries.setdefault(name, entry)
            write_text(path, json.dumps(entries, indent=2) + "\n")
        except OSError as error:
            raise DataError("data.errors.registry_unreadable", file=path) from error
    restored = tuple(name for name in entries if name not in kept)
    return Repaired(kept, restored, backup)


def _salvaged(words: str) -> Entries:
    """The entries at the top level that are whole, whatever is between them."""
    entries: Entries = {}
    decoder = json.JSONDecoder()
    place = 0
    while found := _KEY.search(words, place):
        try:
            name = json.loads(found.group().rsplit(":", 1)[0])
            entry, place = decoder.raw_decode(words, found.end())
        except (ValueError, RecursionError):
            place = found.end()
            continue
        # An object inside a broken entry is no entry: those name a place.
        if any(key in entry for key in _PLACES):
            entries[name] = entry
    return entries


def _names(path: Path) -> Iterator[Path]:
    """Names for a broken file, one after the other."""
    moment = datetime.now(UTC).strftime("%Y%m%d-%H%M%S")
    for tail in chain([""], (f"-{number}" for number in count(2))):
        yield path.with_name(f"{path.stem}.broken-{moment}{tail}.json")


def _line(words: str, number: int) -> str:
    lines = words.splitlines()
    return lines[number - 1].strip()[:80] if 0 < number <= len(lines) else ""
