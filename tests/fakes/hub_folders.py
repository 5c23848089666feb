"""Folders of downloads, written by hand, without a process or a hub."""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import orjson

from backend.hub.jobs import JOB, Patience, Request, job_id
from backend.hub.repository import Listing, RemoteFile, Repository
from backend.processes import ProcessId
from backend.workspace import Workspace

REPOSITORY = Repository("modelscope", "model", "org/name", "master")
FILES = (RemoteFile("a/b.json", 100, "0" * 64), RemoteFile("c.bin", None, None))
GONE = {"pid": 1, "born": "another boot:1"}


def request(workspace: Workspace, *, created: str = "2026-01-02", id: str = "org/name") -> Request:
    """A download's request, written to its folder."""
    repository = replace(REPOSITORY, id=id)
    asked = Request(
        id=job_id(repository),
        created=created,
        listing=Listing(repository, "master", "mit", FILES),
        endpoint="https://hub.example",
        allow_pickle=True,
        patience=Patience(3, 0.5, 2.0),
    )
    put(workspace.downloads / asked.id, JOB, asked.to_json())
    return asked


def put(folder: Path, name: str, value: Any) -> None:
    folder.mkdir(exist_ok=True)
    (folder / name).write_bytes(orjson.dumps(value))


def this_process() -> dict[str, Any]:
    found = ProcessId.of(os.getpid())
    assert found is not None
    return asdict(found)
