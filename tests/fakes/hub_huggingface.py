"""The local hub as Hugging Face: what ``HfApi`` asks of a repository, and ``resolve``.

Errors are told by the header X-Error-Code, which is what its client goes by.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tests.fakes.hub_shelf import Shelf
from tests.fakes.hub_values import LISTING, REVISIONS, Answer, Ask, HubFile, Repo, says, sends


def answer(shelf: Shelf, ask: Ask) -> Answer | None:
    """None where Hugging Face has nothing at the address."""
    match ask.parts:
        case ["api", "models" | "datasets" as kinds, owner, name, *rest]:
            return _api(shelf, kinds, f"{owner}/{name}", rest, ask)
        case ["datasets", owner, name, "resolve", revision, *path]:
            return _resolve(shelf, "datasets", f"{owner}/{name}", revision, "/".join(path), ask)
        case [owner, name, "resolve", revision, *path]:
            return _resolve(shelf, "models", f"{owner}/{name}", revision, "/".join(path), ask)
    return None


def _api(shelf: Shelf, kinds: str, id: str, rest: Sequence[str], ask: Ask) -> Answer:
    about = (id, REVISIONS if rest == ["refs"] else LISTING)
    repo = shelf.find(kinds, id)
    if repo is None or (not repo.gated and repo.refusal(ask.token)):
        return _hidden(repo, about, ask)
    if rest == ["refs"]:
        return says(_refs(repo), about=about)
    way, revision = (rest[0], rest[1]) if len(rest) > 1 else ("revision", "main")
    commit = _commit(repo, revision)
    if commit is None:
        return _failed(404, "RevisionNotFound", f"Invalid rev id: {revision}", about)
    if way == "tree":
        return says(_tree(repo), about=about, if_empty=[])
    told = _info(repo, commit, blobs=ask.query.get("blobs") == "true")
    return says(told, about=about, if_empty={**told, "siblings": []})


def _resolve(shelf: Shelf, kinds: str, id: str, revision: str, path: str, ask: Ask) -> Answer:
    about = (id, path)
    repo = shelf.find(kinds, id)
    if repo is None or (not repo.gated and repo.refusal(ask.token)):
        return _hidden(repo, about, ask)
    if refusal := repo.refusal(ask.token):
        return _failed(refusal, "GatedRepo", f"Access to {id} is restricted.", about)
    commit = _commit(repo, revision)
    if commit is None:
        return _failed(404, "RevisionNotFound", f"Invalid rev id: {revision}", about)
    file = repo.files.get(path)
    if file is None:
        return _failed(404, "EntryNotFound", "Entry not found", about)
    return sends(repo, file, shelf.link(repo, file), _headers(file, commit))


def _hidden(repo: Repo | None, about: tuple[str, str], ask: Ask) -> Answer:
    """What isn't there and what may not be seen look the same without a token."""
    if repo is not None and repo.refusal(ask.token) == 403:
        return _failed(403, "", "Forbidden", about)
    status = 404 if ask.token else 401
    return _failed(status, "RepoNotFound", "Repository not found", about)


def _commit(repo: Repo, revision: str) -> str | None:
    return repo.commit(revision) or (repo.commit(repo.revisions[0]) if revision == "main" else None)


def _info(repo: Repo, commit: str, *, blobs: bool) -> dict[str, Any]:
    return {
        "_id": "0" * 24,
        "id": repo.id,
        "author": repo.id.partition("/")[0],
        "sha": commit,
        "lastModified": "2026-01-02T03:04:05.000Z",
        "private": repo.private_token is not None and not repo.gated,
        "gated": "manual" if repo.gated else False,
        "disabled": False,
        "tags": [f"license:{repo.licence}"] if repo.licence else [],
        "cardData": {"license": repo.licence} if repo.licence else {},
        "siblings": [_sibling(file, blobs=blobs) for file in repo.files.values()],
    }


def _sibling(file: HubFile, *, blobs: bool) -> dict[str, Any]:
    if not blobs:
        return {"rfilename": file.path}
    size = file.content.size
    told = {"rfilename": file.path, "blobId": file.blob_id, "size": size}
    return {**told, "lfs": _lfs(file, "sha256")} if file.lfs else told


def _tree(repo: Repo) -> list[dict[str, Any]]:
    def entry(file: HubFile) -> dict[str, Any]:
        size = file.content.size
        told = {"type": "file", "path": file.path, "oid": file.blob_id, "size": size}
        return {**told, "lfs": _lfs(file, "oid")} if file.lfs else told

    folders = [
        {"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in repo.folders
    ]
    return [*folders, *(entry(file) for file in repo.files.values())]


def _lfs(file: HubFile, hash_name: str) -> dict[str, Any]:
    size = file.content.size
    return {hash_name: file.sha256, "size": size, "pointerSize": len(file.pointer)}


def _refs(repo: Repo) -> dict[str, Any]:
    names = ["main", *repo.revisions[1:]]
    branches = [
        {"name": name, "ref": f"refs/heads/{name}", "targetCommit": _commit(repo, name)}
        for name in names
    ]
    return {"branches": branches, "converts": [], "tags": []}


def _headers(file: HubFile, commit: str) -> dict[str, str]:
    etag = f'"{file.sha256 if file.lfs else file.blob_id}"'
    headers = {"X-Repo-Commit": commit, "ETag": etag}
    if file.lfs:
        headers |= {"X-Linked-ETag": etag, "X-Linked-Size": str(file.content.size)}
    return headers


def _failed(status: int, code: str, message: str, about: tuple[str, str]) -> Answer:
    headers = {"X-Error-Message": message} | ({"X-Error-Code": code} if code else {})
    return says({"error": message}, status, about=about, headers=headers)
