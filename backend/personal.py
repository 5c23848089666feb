"""Files of the person who runs MedTune: outside any workspace, which is copied and shared."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import orjson

from backend.files import replacing


def personal_file(name: str) -> Path:
    """Where such a file is: below ``$XDG_CONFIG_HOME`` or ``~/.config``."""
    base = os.environ.get("XDG_CONFIG_HOME")
    return (Path(base) if base else Path.home() / ".config") / "medtune" / name


def write_personal(path: Path, value: Any) -> None:
    """Replace ``path`` by ``value`` as indented JSON that only its owner may read.

    Raises:
        OSError: it can't be written; the old one is there then.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with replacing(path, private=True) as file:
        file.write(orjson.dumps(value, option=orjson.OPT_INDENT_2))
