"""Answers of a Hugging Face that the local hub does not give: odd ranges, bodies without an end."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest

from backend.errors import DownloadError
from backend.hub.failures import Transient
from backend.hub.huggingface import HuggingFace
from backend.hub.repository import RemoteFile, Repository

CONTENT = bytes(range(256)) * 40
FILE = RemoteFile("inner/model.safetensors", len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
REPOSITORY = Repository("huggingface", "model", "org/name", "0" * 40)

Answer = Callable[[httpx.Request], httpx.Response]


@pytest.fixture
def fetch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[int]]:
    """Fetches the file from a hub that answers so; tells the positions."""

    def fetching(answer: Answer, *, file: RemoteFile = FILE, there: bytes = b"") -> list[int]:
        positions: list[int] = []
        partial = tmp_path / f"{file.path}.incomplete"
        partial.parent.mkdir(exist_ok=True)
        if there:
            partial.write_bytes(there)
        with httpx.Client(transport=httpx.MockTransport(answer)) as session:
            monkeypatch.setattr("huggingface_hub.get_session", lambda: session)
            client = HuggingFace("https://hub.example", "")
            client.fetch(REPOSITORY, file, tmp_path, positions.append)
        assert (tmp_path / file.path).read_bytes() == CONTENT and not partial.exists()
        return positions

    return fetching


def whole(_: httpx.Request) -> httpx.Response:
    return httpx.Response(200, content=CONTENT)


def part(request: httpx.Request) -> httpx.Response:
    start = int(request.headers["Range"].removeprefix("bytes=").removesuffix("-"))
    said = {"Content-Range": f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"}
    return httpx.Response(206, headers=said, content=CONTENT[start:])


def kept(folder: Path) -> bytes:
    return (folder / f"{FILE.path}.incomplete").read_bytes()


def test_what_is_missing_is_asked_for_uncompressed(fetch: Callable[..., list[int]]) -> None:
    asked: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.headers)
        return part(request)

    assert fetch(answer, there=CONTENT[:100]) == [100, len(CONTENT)]
    assert asked[0]["Range"] == "bytes=100-" and asked[0]["Accept-Encoding"] == "identity"
    assert "Authorization" not in asked[0]


def test_a_whole_file_instead_of_a_part_begins_anew(fetch: Callable[..., list[int]]) -> None:
    assert fetch(whole, there=b"z" * 100) == [100, 0, len(CONTENT)]


def test_a_partial_file_longer_than_the_file(fetch: Callable[..., list[int]]) -> None:
    assert fetch(whole, there=b"z" * (len(CONTENT) + 1))[0] == 0


def test_a_partial_file_that_is_whole_is_not_asked_for(fetch: Callable[..., list[int]]) -> None:
    """Killed between the last byte and the new name."""

    def never(_: httpx.Request) -> httpx.Response:
        raise AssertionError("nothing is missing")

    assert fetch(never, there=CONTENT) == [len(CONTENT)]


@pytest.mark.parametrize("said", ["bytes 7-9/10240", "bytes */10240", "", "rubbish"])
def test_another_part_than_asked_for_is_not_put_in_its_place(
    fetch: Callable[..., list[int]], tmp_path: Path, said: str
) -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(206, headers={"Content-Range": said}, content=b"abc")

    with pytest.raises(Transient):
        fetch(answer, there=CONTENT[:100])
    assert kept(tmp_path) == b"", "the next try begins anew"


def test_a_hub_that_has_nothing_after_what_is_here(
    fetch: Callable[..., list[int]], tmp_path: Path
) -> None:
    """It happens where the size is unknown, and the partial file is another version's."""
    with pytest.raises(Transient):
        fetch(
            lambda _: httpx.Response(416),
            file=RemoteFile(FILE.path, None, FILE.sha256),
            there=b"z" * 100,
        )
    assert kept(tmp_path) == b""


def test_an_answer_of_another_size_is_not_fetched_at_all(
    fetch: Callable[..., list[int]], tmp_path: Path
) -> None:
    with pytest.raises(DownloadError) as refused:
        fetch(lambda _: httpx.Response(200, content=b"<html>" * 100))
    assert refused.value.key == "hub.errors.size_differs"
    assert list((tmp_path / "inner").iterdir()) == []


def test_bytes_that_came_before_a_break_are_kept(
    fetch: Callable[..., list[int]], tmp_path: Path
) -> None:
    class Breaking(httpx.SyncByteStream):
        def __iter__(self):  # type: ignore[no-untyped-def]
            yield CONTENT[:3000]
            raise httpx.ReadError("connection reset")

    with pytest.raises(Transient) as broken:
        fetch(lambda _: httpx.Response(200, stream=Breaking()))
    assert broken.value.key == "hub.errors.unreachable" and kept(tmp_path) == CONTENT[:3000]


@pytest.mark.parametrize(
    "said, waited",
    [("7", 7.0), ("", None), ("soon", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)],
)
def test_a_pause_that_the_hub_asks_for(
    fetch: Callable[..., list[int]], said: str, waited: float | None
) -> None:
    with pytest.raises(Transient) as limited:
        fetch(lambda _: httpx.Response(429, headers={"Retry-After": said}))
    assert limited.value.key == "hub.errors.rate_limited" and limited.value.retry_after == waited


def test_a_listing_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client's session has no time limit, and a listing was asked for without one."""
    limits: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        limits.append(request.extensions["timeout"]["read"])
        raise httpx.ReadTimeout("silence", request=request)

    with httpx.Client(transport=httpx.MockTransport(answer), timeout=None) as session:
        for module in ("huggingface_hub", "huggingface_hub.hf_api"):
            monkeypatch.setattr(f"{module}.get_session", lambda: session)
        with pytest.raises(Transient) as silent:
            HuggingFace("https://hub.example", "").listing(REPOSITORY)
    assert silent.value.key == "hub.errors.timed_out" and set(limits) == {20.0}


def test_a_small_file_with_another_content_is_not_taken(
    fetch: Callable[..., list[int]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of files without a SHA-256 only the size was compared; git's name of the content is there."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    name = hashlib.sha1(b"blob %d\0" % len(CONTENT) + CONTENT).hexdigest()
    small = RemoteFile(FILE.path, FILE.size, None, name)
    assert fetch(whole, file=small)
    (tmp_path / FILE.path).unlink()
    with pytest.raises(DownloadError) as refused:
        fetch(lambda _: httpx.Response(200, content=CONTENT[::-1]), file=small)
    assert refused.value.key == "hub.errors.hash_differs" and not (tmp_path / FILE.path).exists()
