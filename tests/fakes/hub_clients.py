"""The real clients of both hubs, pointed at the local one, as MedTune's tests use them."""

from __future__ import annotations

import hashlib
import io
import random
from pathlib import Path
from typing import Any

import huggingface_hub
import modelscope_hub
import pytest
from huggingface_hub.file_download import hf_hub_url, http_get
from modelscope_hub import HubApi
from modelscope_hub.config import HubConfig

from tests.fakes.hub import Hub

ID = "org/name"
BIG = random.Random(1).randbytes(3_000_000)
FILES = {"config.json": b'{"a": 1}', "model.safetensors": BIG, "sub/deep/words.txt": b"word"}


def make_hasty(patch: pytest.MonkeyPatch, home: Path) -> None:
    """Let both clients give up at once, and give them a home that nothing is to be written to.

    ModelScope's constants are read from the environment when it is imported; changed later, they
    have to be changed where they were imported to.
    """
    patch.setattr(modelscope_hub._download, "DOWNLOAD_RETRY_TIMES", 0)
    patch.setattr(modelscope_hub._download, "DOWNLOAD_INTEGRITY_RETRY_BACKOFF", 0)
    patch.setattr(modelscope_hub._legacy_api, "REPO_TREE_PAGE_MAX_ATTEMPTS", 1)
    patch.setenv("MODELSCOPE_DOWNLOAD_INTRA_CLOUD", "false")
    patch.setenv("HOME", str(home))


def modelscope(hub: Hub, folder: Path, token: str = "") -> HubApi:
    config = HubConfig(
        endpoint=hub.url, token=token, cache_dir=folder / "cache", config_dir=folder / "config"
    )
    return HubApi(config)


def huggingface(hub: Hub, token: str | bool = False) -> huggingface_hub.HfApi:
    return huggingface_hub.HfApi(endpoint=hub.url, token=token)


def fetch(hub: Hub, folder: Path, path: str = "model.safetensors", **more: Any) -> Path:
    """One file by ModelScope's client; ``more`` goes to its ``download_file``."""
    content = FILES[path]
    api = modelscope(hub, folder, more.pop("token", ""))
    arguments: dict[str, Any] = {
        "repo_type": "model",
        "revision": "master",
        "local_dir": folder / "files",
        "cache_dir": folder / "cache",
        "expected_sha256": hashlib.sha256(content).hexdigest(),
        "file_size": len(content),
    }
    return api.downloader.download_file(ID, file_path=path, **(arguments | more))


def http_fetch(hub: Hub, path: str = "model.safetensors", have: bytes = b"", **more: Any) -> bytes:
    """One file by Hugging Face's client, after what is there already."""
    file = io.BytesIO()
    file.write(have)
    url = hf_hub_url(ID, path, endpoint=hub.url)
    http_get(url, file, resume_size=len(have), expected_size=len(FILES[path]), **more)
    return file.getvalue()
