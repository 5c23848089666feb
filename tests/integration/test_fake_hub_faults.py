"""The faults of the local hub, and what the real clients of both hubs make of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import huggingface_hub
import modelscope_hub
import pytest
import requests
from modelscope_hub import errors as ms_errors

from tests.fakes.hub import ANY_FILE, INFO, LISTING, REVISIONS, Hub, hub_running
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

pytestmark = pytest.mark.integration


@pytest.fixture
def hub() -> Iterator[Hub]:
    with hub_running() as running:
        yield running


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_hasty(monkeypatch, tmp_path / "home")


def test_a_dropped_transfer_goes_on_where_it_was(hub: Hub, tmp_path: Path) -> None:
    hub.add(id=ID, files=FILES)
    trouble = hub.fault(ID, "model.safetensors", drop_after=1_000_000, times=1)
    with pytest.raises(ms_errors.NetworkError):
        fetch(hub, tmp_path)
    assert fetch(hub, tmp_path).read_bytes() == BIG
    asked = hub.asked(ID, "model.safetensors")
    assert [request.start for request in asked] == [None, 1_000_000]
    assert hub.bytes_sent(ID, "model.safetensors") == len(BIG)
    assert trouble.hits == 1


def test_a_reset_line_is_not_tried_again_by_huggingface(hub: Hub, tmp_path: Path) -> None:
    hub.add(id=ID, files=FILES)
    hub.fault(ID, "model.safetensors", drop_after=1_000_000, reset=True, times=2)
    with pytest.raises(ms_errors.NetworkError):
        fetch(hub, tmp_path)
    with pytest.raises(httpx.ReadError):
        http_fetch(hub)
    assert fetch(hub, tmp_path).read_bytes() == BIG


@pytest.mark.parametrize("redirect", [False, True])
def test_a_line_that_always_drops_still_brings_everything(
    hub: Hub, tmp_path: Path, redirect: bool
) -> None:
    hub.add(id=ID, files=FILES, redirect=redirect)
    hub.fault(ID, ANY_FILE, drop_after=1_200_000)
    for _ in range(2):
        with pytest.raises(ms_errors.NetworkError):
            fetch(hub, tmp_path)
    assert fetch(hub, tmp_path).read_bytes() == BIG
    assert hub.bytes_sent(ID, "model.safetensors") == len(BIG)


def test_huggingface_goes_on_only_from_whole_chunks(
    hub: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It hands over 10 MiB at a time: what came of the next is lost with the connection."""
    hub.add(id=ID, files=FILES)
    assert http_fetch(hub, have=BIG[:1_000_000]) == BIG
    assert hub.asked(ID, "model.safetensors")[0].start == 1_000_000
    monkeypatch.setattr(huggingface_hub.constants, "DOWNLOAD_CHUNK_SIZE", 400_000)
    hub.fault(ID, "model.safetensors", drop_after=1_000_000, times=1)
    assert http_fetch(hub) == BIG
    assert hub.asked(ID, "model.safetensors")[-1].start == 800_000


def test_the_hub_may_ignore_ranges(hub: Hub, tmp_path: Path) -> None:
    hub.add(id=ID, files=FILES)
    hub.fault(ID, "model.safetensors", drop_after=1_000_000, times=1)
    hub.fault(ID, "model.safetensors", ignore_range=True)
    with pytest.raises(ms_errors.NetworkError):
        fetch(hub, tmp_path)
    assert fetch(hub, tmp_path).read_bytes() == BIG
    assert hub.asked(ID, "model.safetensors")[-1].sent == len(BIG)
    assert http_fetch(hub, have=b"wrong") == BIG


def test_wrong_bytes_are_found_by_their_hash(hub: Hub, tmp_path: Path) -> None:
    hub.add(id=ID, files=FILES)
    trouble = hub.fault(ID, "model.safetensors", other_bytes=True, times=2)
    assert fetch(hub, tmp_path).read_bytes() == BIG
    assert trouble.hits == 2
    hub.fault(ID, "config.json", other_bytes=True)
    with pytest.raises(ms_errors.FileIntegrityError):
        fetch(hub, tmp_path, "config.json")
    assert len(http_fetch(hub, "config.json")) == 8  # only its length is checked there


def test_without_hashes_wrong_bytes_pass(hub: Hub, tmp_path: Path) -> None:
    hub.add(id=ID, files=FILES, sha256=False)
    hub.fault(ID, "model.safetensors", other_bytes=True)
    listed = modelscope(hub, tmp_path).legacy.list_repo_files(ID, "model")
    assert not any(one["Sha256"] for one in listed)
    assert fetch(hub, tmp_path, expected_sha256=None).read_bytes() != BIG


@pytest.mark.parametrize("fault", [{"truncate_to": 1000}, {"html": True}])
def test_a_shorter_file_is_found_by_its_size(hub: Hub, tmp_path: Path, fault: Any) -> None:
    hub.add(id=ID, files=FILES)
    hub.fault(ID, "model.safetensors", **fault)
    with pytest.raises(ms_errors.FileSizeMismatchError):
        fetch(hub, tmp_path)
    with pytest.raises(OSError, match="Consistency check failed"):
        http_fetch(hub)


STATUSES = {
    401: ms_errors.AuthenticationError,
    403: ms_errors.PermissionDeniedError,
    404: ms_errors.NotExistError,
    429: ms_errors.RateLimitError,
    500: ms_errors.ServerError,
}


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_comes_as_often_as_said(hub: Hub, tmp_path: Path, status: int) -> None:
    hub.add(id=ID, files=FILES)
    for path in (LISTING, "config.json"):
        hub.fault(ID, path, status=status, retry_after=7, times=1)
    with pytest.raises(STATUSES[status]) as caught:
        fetch(hub, tmp_path, "config.json")
    assert getattr(caught.value, "retry_after", 7) == 7
    with pytest.raises(STATUSES[status]):
        modelscope(hub, tmp_path).legacy.list_repo_files(ID, "model")
    assert fetch(hub, tmp_path, "config.json")
    assert modelscope(hub, tmp_path).legacy.list_repo_files(ID, "model")


def test_links_to_the_cdn_can_expire_and_the_hub_can_fail_before(hub: Hub, tmp_path: Path) -> None:
    hub.add(id=ID, files=FILES, redirect=True)
    hub.fault(ID, "config.json", status=403, times=1)
    with pytest.raises(ms_errors.PermissionDeniedError):
        fetch(hub, tmp_path, "config.json")
    assert hub.requests[-1].server == "cdn"
    hub.fault(ID, "config.json", status=500, before_redirect=True)
    with pytest.raises(ms_errors.ServerError):
        fetch(hub, tmp_path, "config.json")
    assert hub.requests[-1].server == "hub"


def test_listings_that_are_none(hub: Hub, tmp_path: Path) -> None:
    hub.add(id=ID, files=FILES)
    legacy = modelscope(hub, tmp_path).legacy
    hub.fault(ID, LISTING, html=True)
    with pytest.raises(ValueError, match="Expecting value"):
        legacy.list_repo_files(ID, "model")
    with pytest.raises(ValueError, match="Expecting value"):
        huggingface(hub).model_info(ID)
    hub.mend(ID, LISTING)
    hub.fault(ID, LISTING, empty=True)
    assert legacy.list_repo_files(ID, "model") == []
    assert huggingface(hub).model_info(ID).siblings == []
    hub.mend()
    hub.fault(ID, LISTING, body=b'{"Data": {"Files": [{"Path": "odd", "Size": "many"}]}}')
    assert legacy.list_repo_files(ID, "model") == [{"Path": "odd", "Size": "many"}]
    hub.mend()
    for place, ask in ((REVISIONS, legacy.list_revisions), (INFO, legacy.get_repo_info)):
        hub.fault(ID, place, status=404)
        with pytest.raises(ms_errors.NotExistError):
            ask(ID, "model")


def test_a_listing_that_breaks_off_is_no_error_of_the_hub(hub: Hub, tmp_path: Path) -> None:
    """ModelScope's client lets it through as an error of requests, and tries once only."""
    hub.add(id=ID, files=FILES)
    hub.fault(ID, LISTING, drop_after=20)
    with pytest.raises(requests.ConnectionError):
        modelscope(hub, tmp_path).legacy.list_repo_files(ID, "model")
    with pytest.raises(httpx.RemoteProtocolError):
        huggingface(hub).model_info(ID)
    hub.mend()
    hub.fault(ID, LISTING, no_answer=True)
    with pytest.raises(ms_errors.NetworkError):
        modelscope(hub, tmp_path).legacy.list_repo_files(ID, "model")


def test_a_transfer_is_held_and_released(hub: Hub, tmp_path: Path) -> None:
    """In the middle of one, the test may look and change things; faults set now meet the next."""
    hub.add(id=ID, files=FILES)
    with ThreadPoolExecutor() as pool, hub.hold(ID, "model.safetensors", at=1_500_000) as held:
        fetching = pool.submit(fetch, hub, tmp_path)
        assert held.reached.wait(10)
        assert hub.bytes_sent(ID, "model.safetensors") == 1_500_000
        assert not fetching.done()
        held.release()
        assert fetching.result(10).read_bytes() == BIG


@pytest.mark.parametrize("fault", [{"stall_after": 1_000_000}, {"delay": 60}])
def test_a_stalled_line_runs_into_the_timeout(hub: Hub, tmp_path: Path, fault: Any) -> None:
    hub.add(id=ID, files=FILES)
    trouble = hub.fault(ID, "model.safetensors", **fault)
    with pytest.MonkeyPatch.context() as patch, pytest.raises(ms_errors.NetworkError):
        patch.setattr(modelscope_hub._legacy_api, "DOWNLOAD_TIMEOUT", 1)
        fetch(hub, tmp_path)
    until = time.monotonic() + 5
    while not hub.requests[-1].finished:  # the hub sees that the client left
        assert time.monotonic() < until
        time.sleep(0.01)
    trouble.end()
    assert fetch(hub, tmp_path).read_bytes() == BIG


def test_a_line_can_be_slow(hub: Hub, tmp_path: Path) -> None:
    hub.add(id=ID, files=FILES)
    hub.fault(ID, "model.safetensors", rate=6_000_000)
    started = time.monotonic()
    fetch(hub, tmp_path)
    assert time.monotonic() - started > 0.45


def test_a_hub_ends_while_it_is_asked(tmp_path: Path) -> None:
    with ThreadPoolExecutor() as pool:
        with hub_running() as hub:
            hub.add(id=ID, files=FILES)
            held = hub.hold(ID, "model.safetensors", at=10)
            stalled = hub.fault(ID, "config.json", stall_after=1)
            fetching = [
                pool.submit(fetch, hub, tmp_path / path, path)
                for path in ("model.safetensors", "config.json")
            ]
            assert held.reached.wait(10)
            while not stalled.hits:
                time.sleep(0.01)
        assert all(future.exception(10) or future.result() for future in fetching)
