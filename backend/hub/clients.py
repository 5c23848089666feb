"""Which client speaks to which hub."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, assert_never

from backend.hub import huggingface, modelscope
from backend.hub.huggingface import HuggingFace
from backend.hub.modelscope import ModelScope
from backend.hub.repository import HubName, Listing, RemoteFile, Repository


class Client(Protocol):
    """What every hub's client does; errors are those of ``ModelScope``'s methods."""

    def listing(self, repository: Repository) -> Listing: ...

    def fetch(
        self,
        repository: Repository,
        file: RemoteFile,
        folder: Path,
        on_position: Callable[[int], None],
    ) -> None: ...


def client_of(hub: HubName, *, endpoint: str, token: str, cache: Path) -> Client:
    """The client of a hub.

    Args:
        endpoint: The hub's address, or that of a mirror.
        token: Empty for none.
        cache: A folder of the workspace for what a client keeps for itself.
    """
    match hub:
        case "modelscope":
            return ModelScope(endpoint, token, cache)
        case "huggingface":
            return HuggingFace(endpoint, token)
    assert_never(hub)


def configure_clients() -> None:
    """Give the clients the settings of a download.

    Only before their first import, and only in a process for it.
    """
    os.environ.update(modelscope.CLIENT_SETTINGS)
    for wishes in (modelscope.CLIENT_WISHES, huggingface.CLIENT_WISHES):
        for name, value in wishes.items():
            os.environ.setdefault(name, value)
