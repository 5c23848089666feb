"""What a hub holds, as values: a repository, and the files that it lists.

Knows nothing about how a hub is asked; that is ``modelscope.py``'s and ``huggingface.py``'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Literal

from backend.errors import DownloadError
from backend.library.manifest import MANIFEST

HubName = Literal["modelscope", "huggingface"]
Kind = Literal["model", "dataset"]

HUBS: tuple[HubName, ...] = ("modelscope", "huggingface")

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SLASHES = re.compile(r"[/\\]")
_ROOTED = re.compile(r"[/\\]|[A-Za-z]:")

_PATH_LIMIT = 400
_PART_LIMIT = 200
"""Characters of a path and of one name in it: with what is added while fetching below 255 bytes
for all that hubs hold, and below what file systems take."""


@dataclass(frozen=True)
class Repository:
    """A model or dataset on a hub.

    Attributes:
        id: ``"organisation/name"``.
        revision: Branch, tag or commit; empty for the hub's own default.
    """

    hub: HubName
    kind: Kind
    id: str
    revision: str = ""


@dataclass(frozen=True)
class RemoteFile:
    """A file that a hub lists.

    Attributes:
        path: Relative, with slashes; checked by ``checked_files``.
        size: Bytes; None where the hub does not say.
        sha256: 64 lower-case hexadecimal digits; None where the hub gives none.
        revision: As the hub says which version of the file it is; empty where it does not.
        blob: What git calls the content, 40 such digits; None where the hub gives none. Hugging
            Face gives it for what is not in its large file storage, which has no SHA-256.
    """

    path: str
    size: int | None
    sha256: str | None
    blob: str | None = None
    revision: str = field(default="", compare=False)

    @property
    def hashed(self) -> bool:
        """Whether its content can be told from any other."""
        return self.sha256 is not None or self.blob is not None

    @property
    def name(self) -> str:
        return PurePosixPath(self.path).name


@dataclass(frozen=True)
class Listing:
    """What a hub says of a repository before a byte moves.

    Attributes:
        repository: With the revision that was asked for, or the hub's default.
        commit: What is fetched, as exact as the hub says it; the revision where it says nothing.
        licence: As the hub names it; empty where it does not.
        files: By path; folders are not listed.
        left_out: Paths that can't be files here; nothing is fetched of them.
    """

    repository: Repository
    commit: str
    licence: str
    files: tuple[RemoteFile, ...]
    left_out: tuple[str, ...] = field(default=(), compare=False)

    @property
    def pinned(self) -> bool:
        """Whether ``commit`` is one; a branch may hold other files a moment later."""
        return bool(_COMMIT.fullmatch(self.commit))

    @property
    def size(self) -> int:
        """Bytes of all files whose size is known."""
        return sum(file.size or 0 for file in self.files)


def sorted_out(files: Iterable[RemoteFile]) -> tuple[tuple[RemoteFile, ...], tuple[str, ...]]:
    """The files of a hub's listing by path, and the paths that can't be files here.

    An odd name costs only its own file. One that would lead out of the folder costs all: whoever
    put it there did not mean well.

    Raises:
        DownloadError: a name leads out of the folder that it is written to.
    """
    found: dict[str, RemoteFile] = {}
    odd: list[str] = []
    for file in sorted(files, key=lambda file: file.path):
        if _leads_out(file.path):
            raise DownloadError("hub.errors.name_unsafe", path=file.path[:200])
        try:
            check_path(file.path)
        except DownloadError:
            odd.append(file.path)
            continue
        # Also on file systems that don't tell capital letters from small ones.
        if found.setdefault(file.path.casefold(), file) is not file:
            odd.append(file.path)
    return tuple(sorted(found.values(), key=lambda file: file.path)), tuple(odd)


def _leads_out(path: str) -> bool:
    """Whether it climbs, or begins at the root of a disk, on any system."""
    parts = _SLASHES.split(path)
    return ".." in (part.strip() for part in parts) or bool(_ROOTED.match(path))


def checked_files(files: Iterable[RemoteFile]) -> tuple[RemoteFile, ...]:
    """The files by path, if every one can be a file here.

    For what was sorted out once: a name that can't be there was put there by someone else.

    Raises:
        DownloadError: a name leads out of the folder, can't be a file here, or comes twice.
    """
    found: dict[str, RemoteFile] = {}
    for file in files:
        check_path(file.path)
        # Also on file systems that don't tell capital letters from small ones.
        if found.setdefault(file.path.casefold(), file) is not file:
            raise DownloadError("hub.errors.name_twice", path=file.path[:200])
    return tuple(sorted(found.values(), key=lambda file: file.path))


def check_path(path: str) -> None:
    """Refuse a path that is not plainly inside the folder it is written to.

    Raises:
        DownloadError: it isn't.
    """
    parts = path.split("/")
    unsafe = (
        "\\" in path
        or ":" in path
        or not path.isprintable()
        or any(part in ("", ".", "..") or part != part.strip() for part in parts)
    )
    if unsafe:
        raise DownloadError("hub.errors.name_unsafe", path=path[:200])
    if len(path) > _PATH_LIMIT or any(len(part) > _PART_LIMIT for part in parts):
        raise DownloadError("hub.errors.name_long", path=path[:60] + "…")
    # A hub that brings a manifest of its own could say that its files were checked.
    if MANIFEST in (part.casefold() for part in parts):
        raise DownloadError("hub.errors.name_unsafe", path=path[:200])
