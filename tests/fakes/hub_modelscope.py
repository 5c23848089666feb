"""The local hub as ModelScope: its ``/api/v1``, and what ``/openapi/v1`` says of a repository.

As measured: an unknown revision, or a folder that isn't there, is listed as empty.
"""

from __future__ import annotations

from typing import Any

from tests.fakes.hub_shelf import Shelf
from tests.fakes.hub_values import INFO, LISTING, REVISIONS, Answer, Ask, Repo, says, sends

_FILES_LIMIT = 3000
"""Entries in one answer of ``repo/files``; the real one leaves the others out without a word."""

_MESSAGES = {401: "用户未登录", 403: "没有访问权限", 404: "信息不存在"}


def answer(shelf: Shelf, ask: Ask) -> Answer | None:
    """None where ModelScope has nothing at the address."""
    match ask.parts:
        case ["api", "v1", "repos", "internalAccelerationInfo"]:
            return _data({"InternalRegionQueryAddress": ""}, ("", ""))
        case ["api", "v1", "models" | "datasets" as kinds, owner, name, *rest]:
            return _of_repo(shelf, kinds, f"{owner}/{name}", "/".join(rest), ask)
        case ["openapi", "v1", "models" | "datasets" as kinds, owner, name]:
            return _of_repo(shelf, kinds, f"{owner}/{name}", "openapi", ask)
        case ["api" | "openapi", "v1", *_]:
            return _failed(404, ("", ""))
    return None


def _of_repo(shelf: Shelf, kinds: str, id: str, rest: str, ask: Ask) -> Answer:
    whats = {"": INFO, "openapi": INFO, "revisions": REVISIONS, "repo": ask.query.get("FilePath")}
    about = (id, whats.get(rest, LISTING) or "")
    repo = shelf.find(kinds, id)
    if repo is None:
        return _failed(404, about)
    if refusal := repo.refusal(ask.token):
        return _failed(refusal, about)
    match rest:
        case "":
            return _data(_info(repo), about)
        case "openapi":
            return says({"success": True, "data": _openapi_info(repo)}, about=about)
        case "revisions":
            return _data({"RevisionMap": _revisions(repo)}, about)
        case "repo/files" | "repo/tree":
            return _listing(repo, ask, about, paged=rest == "repo/tree")
        case "repo":
            return _file(shelf, repo, ask, about)
    return _failed(404, about)


def _listing(repo: Repo, ask: Ask, about: tuple[str, str], *, paged: bool) -> Answer:
    commit = repo.commit(ask.query.get("Revision", "master"))
    found = _entries(repo, commit) if commit else []
    if root := ask.query.get("Root", "").strip("/"):
        found = [entry for entry in found if entry["Path"].startswith(f"{root}/")]
    if ask.query.get("Recursive") != "True":
        depth = root.count("/") + 1 if root else 0
        found = [entry for entry in found if entry["Path"].count("/") == depth]
    if paged:
        size = int(ask.query.get("PageSize", 50))
        first = (int(ask.query.get("PageNumber", 1)) - 1) * size
        found = found[first : first + size]
    return _data({"Files": found[:_FILES_LIMIT]}, about, if_empty={"Files": []})


def _entries(repo: Repo, commit: str) -> list[dict[str, Any]]:
    def entry(path: str, **more: Any) -> dict[str, Any]:
        return {"Name": path.rpartition("/")[2], "Path": path, "Revision": commit, **more}

    folders = [entry(path, Type="tree", Size=0, Sha256="", IsLFS=False) for path in repo.folders]
    files = [
        entry(
            file.path,
            Type="blob",
            Size=file.content.size,
            Sha256=file.sha256 if file.hashed else "",
            IsLFS=file.lfs,
        )
        for file in repo.files.values()
    ]
    return [*folders, *files]


def _file(shelf: Shelf, repo: Repo, ask: Ask, about: tuple[str, str]) -> Answer:
    file = repo.files.get(about[1])
    if file is None or repo.commit(ask.query.get("Revision", "master")) is None:
        return _failed(404, about)
    headers = {"X-Linked-ETag": f'"{file.sha256}"'} if file.hashed else {}
    return sends(repo, file, shelf.link(repo, file), headers)


def _revisions(repo: Repo) -> dict[str, Any]:
    branches = [{"Revision": name, "CreatedAt": 1_700_000_000} for name in repo.revisions]
    return {"Branches": branches, "Tags": []}


def _info(repo: Repo) -> dict[str, Any]:
    owner, name = repo.id.split("/")
    visibility = 5 if repo.private_token is None else 1
    return {"Id": 1, "Path": owner, "Name": name, "License": repo.licence, "Visibility": visibility}


def _openapi_info(repo: Repo) -> dict[str, Any]:
    private = repo.private_token is not None
    return {"id": repo.id, "license": repo.licence, "private": private, "gated": repo.gated}


def _data(data: Any, about: tuple[str, str], if_empty: Any = None) -> Answer:
    said = {"Code": 200, "Message": "success", "Success": True}
    empty = None if if_empty is None else {**said, "Data": if_empty}
    return says({**said, "Data": data}, about=about, if_empty=empty)


def _failed(status: int, about: tuple[str, str]) -> Answer:
    said = {"Code": status, "Message": _MESSAGES[status], "Success": False}
    return says(said, status, about=about)
