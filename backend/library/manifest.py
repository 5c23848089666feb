"""What MedTune notes of the files that it brought in: where they are from, and what they were.

Lies beside the files, as ``.medtune.json``, so that it moves and goes with them. Knows nothing of
hubs or of what the files hold.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, TypedDict, cast, get_args

from backend.files import read_json, write_json

MANIFEST = ".medtune.json"
"""The file's name; nothing that is brought in may have it."""

Checked = Literal["sha256", "git", "size", "none"]
Way = Literal["copy", "link"]

_SHA256 = re.compile(r"[0-9a-f]{64}")


class HubSource(TypedDict):
    """A repository on a hub; ``commit`` is what came, ``revision`` what was asked for."""

    hub: str
    id: str
    revision: str
    commit: str
    licence: str
    endpoint: str


class LocalSource(TypedDict):
    """A folder or file of this machine."""

    path: str
    way: Way


Source = HubSource | LocalSource


@dataclass(frozen=True)
class ManifestFile:
    """A file as it was when it arrived.

    Attributes:
        path: Relative to the manifest's folder, with slashes.
        size: Bytes.
        sha256: Of what is on the disk, 64 lower-case hexadecimal digits.
        checked: What its source gave to compare it with; ``"git"`` is the SHA-1 of git.
        modified_ns: Its time of change; while that and the size stay, so does the hash.
        damaged: It was read again, and was another content.
        revision: Which version it is, where its hub says so of each file; else empty.
        source: Where it is from, if that is not where the folder's last files are from.
    """

    path: str
    size: int
    sha256: str
    checked: Checked
    modified_ns: int
    damaged: bool = False
    source: Source | None = None
    revision: str = ""


@dataclass(frozen=True)
class Manifest:
    """Where a folder's files are from.

    Attributes:
        created: When they arrived, ISO 8601 in UTC.
        pickles_allowed: The person agreed to weights that can run code when they are loaded.
        files: By path; none for a link, whose files are another's.
    """

    source: Source
    created: str
    pickles_allowed: bool
    files: tuple[ManifestFile, ...]

    def file(self, path: str) -> ManifestFile | None:
        """The entry of a file."""
        return next((file for file in self.files if file.path == path), None)

    def marked(self, old: ManifestFile, *, damaged: bool) -> Manifest:
        """The manifest with a file's mark; as it is where the file has another entry by now."""
        new = replace(old, damaged=damaged)
        return replace(self, files=tuple(new if file == old else file for file in self.files))

    def without(self, paths: Iterable[str]) -> Manifest:
        """The manifest when files are gone."""
        gone = frozenset(paths)
        return replace(self, files=tuple(file for file in self.files if file.path not in gone))


def local_manifest(
    path: Path,
    way: Way,
    *,
    pickles_allowed: bool = False,
    files: Iterable[ManifestFile] = (),
) -> Manifest:
    """The manifest of what comes from this machine, now."""
    created = datetime.now(UTC).isoformat(timespec="seconds")
    return Manifest({"path": str(path), "way": way}, created, pickles_allowed, tuple(files))


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest in a folder; None where there is none, or a damaged one."""
    path = folder / MANIFEST
    try:
        status = path.stat()
        return _read(path, status.st_ino, status.st_size, status.st_mtime_ns)
    except OSError:
        return None


# A folder of 300 data files has one manifest, and each of its files asks for it.
@lru_cache(maxsize=256)
def _read(path: Path, inode: int, size: int, modified: int) -> Manifest | None:
    return manifest_of(read_json(path))


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest in a folder, all or nothing.

    Raises:
        OSError: it can't be written.
    """
    write_json(folder / MANIFEST, manifest)


def merged(old: Manifest | None, new: Manifest) -> Manifest:
    """The manifest after more came into a folder: what did not come anew keeps entry and source.

    What a person once agreed to holds: the files that it was about may still be there.
    """
    if old is None:
        return new
    kept = (_from(file, file.source or old.source, new.source) for file in old.files)
    files = {file.path: file for file in (*kept, *new.files)}
    return replace(
        new,
        pickles_allowed=old.pickles_allowed or new.pickles_allowed,
        files=tuple(files[path] for path in sorted(files)),
    )


def _from(file: ManifestFile, source: Source, usual: Source) -> ManifestFile:
    return replace(file, source=None if source == usual else source)


def manifest_of(value: Any) -> Manifest | None:
    """The manifest that a JSON value is; None where it is none."""
    match value:
        case {
            "source": dict(source),
            "created": str(created),
            "pickles_allowed": bool(allowed),
            "files": list(entries),
        }:
            origin = _source(source)
            files = tuple(file for entry in entries if (file := _file(entry)) is not None)
            if origin is None or len(files) != len(entries):
                return None
            return Manifest(origin, created, allowed, files)
    return None


def _source(value: Mapping[str, Any]) -> Source | None:
    match value:
        case {"path": str(path), "way": "copy" | "link" as way}:
            return LocalSource(path=path, way=way)
    words = {name: value.get(name) for name in HubSource.__annotations__}
    if not all(isinstance(word, str) for word in words.values()):
        return None
    return cast(HubSource, words)


def _file(value: Any) -> ManifestFile | None:
    match value:
        case {
            "path": str(path),
            "size": int(size),
            "sha256": str(sha256),
            "checked": str(checked),
            "modified_ns": int(modified),
        } if size >= 0 and _SHA256.fullmatch(sha256) and _stays_inside(path):
            known = next((name for name in get_args(Checked) if name == checked), None)
            source = value.get("source")
            origin = _source(source) if isinstance(source, dict) else None
            damaged = value.get("damaged") is True
            revision = value.get("revision", "")
            if known and (source is None or origin is not None) and isinstance(revision, str):
                return ManifestFile(path, size, sha256, known, modified, damaged, origin, revision)
    return None


def _stays_inside(path: str) -> bool:
    plain = Path(path)
    return (
        bool(plain.parts)
        and plain.as_posix() == path
        and not plain.anchor
        and ".." not in plain.parts
        and "\0" not in path
    )
