"""What the local hub holds and says, as values: repositories, questions, answers, records.

Knows nothing about either hub's protocol, about sockets or about faults.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from http.cookies import SimpleCookie
from pathlib import PurePosixPath
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

from tests.fakes.hub_content import Content, Held

Kind = Literal["model", "dataset"]

LISTING = "<listing>"
"""In place of a file's path: what lists the files; on Hugging Face also what describes them all."""
REVISIONS = "<revisions>"
INFO = "<info>"
"""ModelScope's description of a repository: licence and visibility."""
ANY_FILE = "<any file>"

_LFS_BYTES = 10_000_000
_LFS_NAMES = (".safetensors", ".bin", ".gguf", ".pt", ".parquet", ".arrow", ".zip", ".gz")


@dataclass(frozen=True)
class HubFile:
    """A file of a repository.

    Attributes:
        path: As the hub lists it; may be nothing that a file can be called.
        hashed: Whether the hub says the sha256.
    """

    path: str
    content: Content
    hashed: bool = True

    @cached_property
    def sha256(self) -> str:
        digest = hashlib.sha256()
        for piece in self.content.pieces():
            digest.update(piece)
        return digest.hexdigest()

    @property
    def lfs(self) -> bool:
        """Whether git holds only a pointer to it; on Hugging Face only these have a sha256."""
        return self.hashed and (self.content.size >= _LFS_BYTES or self.path.endswith(_LFS_NAMES))

    @property
    def pointer(self) -> bytes:
        """The pointer that git holds instead of a large file."""
        lines = ("version https://git-lfs.github.com/spec/v1", f"oid sha256:{self.sha256}")
        return "\n".join((*lines, f"size {self.content.size}\n")).encode()

    @cached_property
    def blob_id(self) -> str:
        """What git calls the file, or its pointer."""
        content = Held(self.pointer) if self.lfs else self.content
        digest = hashlib.sha1(f"blob {content.size}\0".encode())
        for piece in content.pieces():
            digest.update(piece)
        return digest.hexdigest()


@dataclass(frozen=True)
class Repo:
    """A repository, the same at each of its revisions.

    Attributes:
        private_token: The one token that may see it; None for everyone.
        gated: Seen by everyone, fetched with the token only (Hugging Face).
        redirect: Whether the bytes of its files come from the CDN.
    """

    kind: Kind
    id: str
    files: Mapping[str, HubFile]
    licence: str
    revisions: Sequence[str]
    private_token: str | None
    gated: bool
    redirect: bool

    def commit(self, revision: str) -> str | None:
        """The commit that a branch, a tag or a commit names; None if nothing has that name."""
        return revision if revision in self.commits.values() else self.commits.get(revision)

    @cached_property
    def commits(self) -> dict[str, str]:
        """By revision; another content is another commit."""
        held = [(file.path, file.sha256) for file in self.files.values()]
        return {
            name: hashlib.sha1(json.dumps([self.kind, self.id, name, held]).encode()).hexdigest()
            for name in self.revisions
        }

    @property
    def folders(self) -> list[str]:
        """The folders of all files whose path is a plain one."""
        plain = (path for path in self.files if not {"", ".", ".."} & set(path.split("/")))
        parents = {str(folder) for path in plain for folder in PurePosixPath(path).parents}
        return sorted(parents - {"."})

    def refusal(self, token: str | None) -> int | None:
        """The status that keeps this token away; None if it may come in."""
        if self.private_token is None or token == self.private_token:
            return None
        return 403 if token else 401


@dataclass(frozen=True)
class Ask:
    """What a client asks, whatever the protocol."""

    method: str
    target: str
    headers: Mapping[str, str]

    @property
    def parts(self) -> list[str]:
        path = urlsplit(self.target).path.removeprefix("/")
        return [unquote(part) for part in path.split("/")]

    @property
    def query(self) -> dict[str, str]:
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))

    @property
    def token(self) -> str | None:
        """From the Authorization header, else from ModelScope's cookie."""
        if authorization := self.headers.get("Authorization"):
            return authorization.removeprefix("Bearer ")
        morsel = SimpleCookie(self.headers.get("Cookie", "")).get("m_session_id")
        return morsel.value if morsel else None


@dataclass(frozen=True)
class Answer:
    """What the hub says if nothing goes wrong.

    Attributes:
        about: Repository and path (or ``LISTING`` and the like) that faults are looked up by.
        is_file: Whether these are a file's bytes, which may be asked for in parts.
        at_cdn: Whether the CDN says it.
        if_empty: What a listing without entries would be.
    """

    status: int
    content: Content
    headers: Mapping[str, str] = field(default_factory=dict)
    about: tuple[str, str] = ("", "")
    is_file: bool = False
    at_cdn: bool = False
    if_empty: Content | None = None


def says(
    value: Any,
    status: int = 200,
    *,
    about: tuple[str, str] = ("", ""),
    headers: Mapping[str, str] | None = None,
    if_empty: Any = None,
) -> Answer:
    """A value as JSON."""
    empty = None if if_empty is None else as_json(if_empty)
    headers = {"Content-Type": "application/json", **(headers or {})}
    return Answer(status, as_json(value), headers, about, if_empty=empty)


def as_json(value: Any) -> Content:
    return Held(json.dumps(value, ensure_ascii=False).encode())


def sends(repo: Repo, file: HubFile, cdn: str, headers: Mapping[str, str]) -> Answer:
    """A file's bytes, or the way to them on the CDN.

    Args:
        cdn: Link to the bytes there.
    """
    if repo.redirect:
        return Answer(302, Held(b""), {**headers, "Location": cdn}, (repo.id, file.path))
    return the_bytes(repo, file, headers)


def the_bytes(repo: Repo, file: HubFile, headers: Mapping[str, str]) -> Answer:
    """A file's bytes."""
    usual = {"Content-Type": "application/octet-stream", "Accept-Ranges": "bytes"}
    return Answer(200, file.content, {**usual, **headers}, (repo.id, file.path), is_file=True)


@dataclass
class Request:
    """One request and what came of it; ``sent`` grows while the answer is sent.

    Attributes:
        time: Seconds since the epoch.
        server: ``"hub"`` or ``"cdn"``.
        target: Path and query as they were asked for.
        id: The repository asked for; empty where none was.
        file: The file asked for, or ``LISTING`` and the like; empty where neither was.
        start: The first byte of the file that was asked for; None without a Range.
        sent: Bytes of the body that left, with the up to 1 MiB that are just leaving; what is on
            its way when a client goes is lost.
    """

    time: float
    server: str
    method: str
    target: str
    id: str
    file: str
    start: int | None
    authorization: str | None
    cookie: str | None
    user_agent: str | None
    status: int = 0
    sent: int = 0
    finished: bool = False
