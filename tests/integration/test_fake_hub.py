"""The local hub, asked by the real clients of both hubs: what it says, and to whom."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from huggingface_hub import errors as hf_errors
from huggingface_hub.file_download import hf_hub_url, http_get
from modelscope_hub import errors as ms_errors

from tests.fakes.hub import LISTING, Hub, hub_running
from tests.fakes.hub_clients import (
    BIG,
    FILES,
    ID,
    fetch,
    http_fetch,
    huggingface,
    make_hasty,
    modelscope,
)
from tests.fakes.server import serving

pytestmark = pytest.mark.integration


@pytest.fixture
def hub() -> Iterator[Hub]:
    with hub_running() as running:
        yield running


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_hasty(monkeypatch, tmp_path / "home")


@pytest.mark.parametrize("kind", ["model", "dataset"])
def test_modelscope_lists_what_was_added(hub: Hub, tmp_path: Path, kind: Any) -> None:
    hub.add(kind=kind, id=ID, files=FILES, licence="mit")
    api = modelscope(hub, tmp_path)
    listed = {one["Path"]: one for one in api.legacy.list_repo_files(ID, kind, revision="master")}
    assert {path for path, one in listed.items() if one["Type"] == "tree"} == {"sub", "sub/deep"}
    assert listed.keys() == {*FILES, "sub", "sub/deep"}
    assert listed["model.safetensors"]["Size"] == len(BIG)
    assert listed["model.safetensors"]["Sha256"] == hashlib.sha256(BIG).hexdigest()
    assert [one["Revision"] for one in api.legacy.list_revisions(ID, kind)] == ["master"]
    assert api.legacy.get_repo_info(ID, kind)["License"] == "mit"
    assert api.get_repo(ID, kind).license == "mit"
    assert fetch(hub, tmp_path, "sub/deep/words.txt", repo_type=kind).read_bytes() == b"word"


def test_an_unknown_revision_is_an_empty_listing(hub: Hub, tmp_path: Path) -> None:
    hub.add(id=ID, files=FILES)
    api = modelscope(hub, tmp_path)
    assert api.legacy.list_repo_files(ID, "model", revision="main") == []
    with pytest.raises(ms_errors.NotExistError):
        api.legacy.list_repo_files("org/other", "model")


def test_long_listings_come_in_pages_or_are_cut(hub: Hub, tmp_path: Path) -> None:
    files = {f"{number % 2}/{number}.txt": b"" for number in range(3100)}
    hub.add(kind="dataset", id=ID, files=files)
    hub.add(kind="model", id=ID, files=files)
    api = modelscope(hub, tmp_path)
    assert len(api.legacy.list_repo_files(ID, "dataset")) == 3102
    assert len(hub.asked(ID, LISTING)) == 16
    assert len(api.legacy.list_repo_files(ID, "model")) == 3102  # by folder: one answer holds 3,000


def test_names_are_listed_as_they_are(hub: Hub, tmp_path: Path) -> None:
    names = {"../evil", "/etc/evil", "a\\b", "A.txt", "a.txt"}
    hub.add(id=ID, files=dict.fromkeys(names, b"x"))
    listed = modelscope(hub, tmp_path).legacy.list_repo_files(ID, "model")
    assert {one["Path"] for one in listed} == names
    assert {one.rfilename for one in huggingface(hub).model_info(ID).siblings or ()} == names


def test_huggingface_lists_what_was_added(hub: Hub, tmp_path: Path) -> None:
    """Only large files have a sha256 there; ``main`` is the first revision."""
    hub.add(id=ID, files=FILES, licence="mit")
    info = huggingface(hub).model_info(ID, revision="main", files_metadata=True)
    found = {one.rfilename: one for one in info.siblings or ()}
    assert info.sha == huggingface(hub).model_info(ID).sha
    assert info.card_data and info.card_data.license == "mit"
    assert found["config.json"].size == 8 and found["config.json"].lfs is None
    lfs = found["model.safetensors"].lfs
    assert lfs and (lfs.size, lfs.sha256) == (len(BIG), hashlib.sha256(BIG).hexdigest())
    for path, content in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(content)
    checked = huggingface(hub).verify_repo_checksums(ID, local_dir=tmp_path)
    assert checked.checked_count == 3 and not checked.mismatches


def test_huggingface_tells_what_is_missing(hub: Hub) -> None:
    hub.add(kind="dataset", id=ID, files=FILES)
    api = huggingface(hub)
    assert api.dataset_info(ID, files_metadata=True).siblings
    with pytest.raises(hf_errors.RepositoryNotFoundError):
        api.model_info(ID)
    with pytest.raises(hf_errors.RevisionNotFoundError):
        api.dataset_info(ID, revision="other")
    with pytest.raises(hf_errors.EntryNotFoundError):
        http_get(hf_hub_url(ID, "other", repo_type="dataset", endpoint=hub.url), io.BytesIO())


def test_a_private_repository_wants_its_token(hub: Hub, tmp_path: Path) -> None:
    hub.add(id=ID, files=FILES, private_token="right")
    with pytest.raises(ms_errors.AuthenticationError):
        modelscope(hub, tmp_path).legacy.list_repo_files(ID, "model")
    with pytest.raises(ms_errors.PermissionDeniedError):
        modelscope(hub, tmp_path, "wrong").legacy.list_repo_files(ID, "model")
    assert modelscope(hub, tmp_path, "right").legacy.list_repo_files(ID, "model")
    with pytest.raises(hf_errors.RepositoryNotFoundError):
        huggingface(hub).model_info(ID)
    with pytest.raises(hf_errors.HfHubHTTPError, match="403"):
        huggingface(hub, "wrong").model_info(ID)
    assert huggingface(hub, "right").model_info(ID).private
    cookie = {"m_session_id": "right"}
    assert requests.get(f"{hub.url}/api/v1/models/{ID}", cookies=cookie, timeout=9).ok


def test_a_gated_repository_is_seen_but_not_fetched(hub: Hub) -> None:
    hub.add(id=ID, files=FILES, gated=True, private_token="right")
    assert huggingface(hub).model_info(ID).gated
    with pytest.raises(hf_errors.GatedRepoError):
        http_fetch(hub)
    assert http_fetch(hub, headers={"authorization": "Bearer right"}) == BIG


def test_tokens_stay_with_the_hub(hub: Hub, tmp_path: Path) -> None:
    hub.add(id=ID, files=FILES, redirect=True, private_token="right")
    assert fetch(hub, tmp_path, token="right").read_bytes() == BIG
    assert http_fetch(hub, headers={"authorization": "Bearer right"}) == BIG
    at_hub = hub.asked(ID, "model.safetensors", server="hub")
    at_cdn = hub.asked(ID, "model.safetensors", server="cdn")
    assert len(at_cdn) == 2
    assert all(request.authorization == "Bearer right" for request in at_hub)
    assert all(request.authorization is request.cookie is None for request in at_cdn)


def test_nothing_is_written_elsewhere_or_asked_elsewhere(hub: Hub, tmp_path: Path) -> None:
    hub.add(id=ID, files=FILES)
    fetch(hub, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"cache", "config", "files"}
    assert [request.file for request in hub.requests] == ["model.safetensors"]


def test_nothing_is_left_running() -> None:
    before = set(threading.enumerate())
    with hub_running() as hub:
        hub.add(id=ID, files=FILES)
        assert http_fetch(hub, "config.json")
        assert set(threading.enumerate()) > before
    assert set(threading.enumerate()) == before


def test_it_runs_as_a_program(tmp_path: Path) -> None:
    """For benchmarks: a big file that it does not hold, and what it was asked for."""
    with serving(["-m", "tests.fakes.hub", "--big-bytes", "20000000", "--redirect"]) as server:
        _, id, path, size, sha256 = server.output().split()
        url = hf_hub_url(id, path, endpoint=server.address)
        with (tmp_path / path).open("wb") as file:
            http_get(url, file)
        content = (tmp_path / path).read_bytes()
        assert (str(len(content)), hashlib.sha256(content).hexdigest()) == (size, sha256)
        asked = requests.get(f"{server.address}/requests", timeout=9).json()
        assert [(one["server"], one["sent"]) for one in asked] == [("hub", 0), ("cdn", 20_000_000)]
