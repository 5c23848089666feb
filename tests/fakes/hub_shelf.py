"""The repositories of the local hub, and the CDN that hands out their bytes."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal
from urllib.parse import urlencode

from tests.fakes.hub_values import Answer, Ask, HubFile, Kind, Repo, says, the_bytes

Kinds = Literal["models", "datasets"]

_KINDS: dict[str, Kind] = {"models": "model", "datasets": "dataset"}


class Shelf:
    """The repositories by kind and id.

    Attributes:
        cdn: Address of the CDN, without a slash at the end.
    """

    def __init__(self) -> None:
        self.cdn = ""
        self._repos: dict[tuple[Kind, str], Repo] = {}

    def put(self, repo: Repo) -> None:
        """Add one, in place of one that has its kind and id."""
        self._repos[repo.kind, repo.id] = repo

    def find(self, kinds: str, id: str) -> Repo | None:
        return self._repos.get((_KINDS[kinds], id))

    def link(self, repo: Repo, file: HubFile) -> str:
        """Where the CDN has a file's bytes; whoever knows it may have them."""
        named = {"kinds": f"{repo.kind}s", "id": repo.id, "path": file.path}
        return f"{self.cdn}/object?{urlencode(named)}&Signature=signed"

    def at_cdn(self, ask: Ask) -> Answer:
        """What the CDN answers."""
        named = ask.query
        repo = self.find(named["kinds"], named["id"]) if "Signature" in named else None
        file = repo.files.get(named["path"]) if repo else None
        if repo is None or file is None:
            return says({"error": "no such object"}, 404)
        headers = {"X-Linked-ETag": f'"{file.sha256}"'} if file.hashed else {}
        return replace(the_bytes(repo, file, headers), at_cdn=True)
