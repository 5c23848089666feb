"""Files that are whole or absent: write to a temporary name, then rename.

Knows nothing about what the files mean.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import orjson

_closed: set[Path] = set()


def close_to_writing(root: Path, *, open_again: bool = False) -> None:
    """From now on this process changes nothing under ``root``: it is another one's to change.

    What lies under ``root / "cache"`` is nobody's in particular and can be written as before.
    """
    if open_again:
        _closed.discard(root)
    else:
        _closed.add(root)


def check_writable(path: Path) -> None:
    """Refuse to change what this process may only read.

    Raises:
        WorkspaceError: ``path`` lies under a root that is closed.
    """
    for root in _closed:
        if path.is_relative_to(root) and not path.is_relative_to(root / "cache"):
            # Imported here: a download's process uses this module, and needs no words.
            from backend.errors import WorkspaceError

            raise WorkspaceError("workspace.errors.read_only", folder=root)


@contextmanager
def replacing(path: Path, *, durable: bool = True, private: bool = False) -> Iterator[BinaryIO]:
    """Open a temporary file beside ``path`` that takes its place when the block ends well.

    A crash or an exception inside the block leaves the old file untouched.

    Args:
        durable: Wait until the disk has it. Not for what is written again in a moment: a disk
            that takes a download would make each note wait behind it.
        private: Only the owner may read it, at no moment anybody else.
    """
    check_writable(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        # mkstemp makes the file 0600; give it what open() would have.
        if not private:
            os.chmod(name, 0o666 & ~_umask())
        os.replace(name, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(name)
        raise


def write_text(path: Path, content: str) -> None:
    """Replace ``path`` by ``content`` in UTF-8, all or nothing."""
    with replacing(path) as file:
        file.write(content.encode("utf-8"))


def write_json(path: Path, value: Any, *, durable: bool = True) -> None:
    """Replace ``path`` by ``value`` as indented JSON, all or nothing; ``durable`` as above."""
    with replacing(path, durable=durable) as file:
        file.write(orjson.dumps(value, option=orjson.OPT_INDENT_2))


def read_json(path: Path) -> Any:
    """The value in a JSON file, or None where the file is absent or not JSON."""
    try:
        return orjson.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError, orjson.JSONDecodeError):
        return None


def _umask() -> int:
    # The only portable way to read the mask is to set it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
