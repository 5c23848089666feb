"""Models behind addresses: found, checked, and their keys kept where nobody else reads them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from backend.chat.remotes import Remotes, checked_address
from backend.errors import EngineError
from backend.loopback import leads_to_loopback
from tests.fakes.openai_server import serving, status

SECRET = "sk-very-secret"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "config" / "servers.json"


@pytest.mark.parametrize(
    ("typed", "address"),
    [
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("127.0.0.1:8000", "http://127.0.0.1:8000/v1"),
        (" localhost:11434/ ", "http://localhost:11434/v1"),
        ("far.example", "https://far.example/v1"),
        ("https://Far.example/api/v3/chat/completions", "https://far.example/api/v3"),
        ("http://[::1]:80/v1/models", "http://[::1]:80/v1"),
    ],
)
def test_an_address_is_understood(typed: str, address: str) -> None:
    assert checked_address(typed) == address


@pytest.mark.parametrize(
    "typed",
    ["", "  ", "ftp://x/v1", "http://", "http://x:99999", "http://a b/v1", "http://[1/v1",
     "http://me:secret@x/v1", "http://x/v1?key=secret", "http://x\x00/v1",
     f"http://{'x' * 64}/v1", "http://x..y/v1"],
)  # fmt: skip
def test_what_is_no_address_is_refused_and_a_secret_in_it_not_repeated(typed: str) -> None:
    with pytest.raises(EngineError) as caught:
        checked_address(typed)
    assert caught.value.key == "chat.remote.errors.address_bad"
    assert "secret" not in caught.value.sentence("en")


def test_only_this_machine_leads_to_loopback() -> None:
    assert leads_to_loopback("http://127.0.0.1:1/v1") and leads_to_loopback("http://[::1]/v1")
    assert leads_to_loopback("http://localhost/v1") and leads_to_loopback("http://127.8.8.8/v1")
    for far in ("http://10.0.0.1/v1", "https://localhost.evil.example/v1", "https://far/v1"):
        assert not leads_to_loopback(far)


def test_its_models_are_asked_for_with_the_key(file: Path) -> None:
    remotes = Remotes(file)
    with serving(b=(), a=()) as server:
        server.key = SECRET
        assert remotes.list_models(server.url, SECRET) == ["a", "b"]
        with pytest.raises(EngineError) as caught:
            remotes.list_models(server.url, "wrong")
        remotes.add(server.url, "a", key=SECRET, keep=False, agreed=False)
        assert remotes.list_models(server.url) == ["a", "b"]
    assert caught.value.key == "chat.remote.errors.key_refused"
    assert "wrong" not in caught.value.sentence("en")


@pytest.mark.parametrize(
    ("said", "key"),
    [
        (status(200, b"<html>hello"), "no_api"),
        (status(200, b'{"data": {}}'), "no_api"),
        (status(404, b""), "no_api"),
        (status(302, b""), "no_api"),
        (status(200, b'{"data": []}'), "no_models"),
        (status(200, b'{"data": [{"id": 3}, "x"]}'), "no_models"),
        (status(200, b"x" * 5_000_000), "no_api"),
        (status(403, b""), "key_refused"),
    ],
)
def test_a_server_that_is_none_is_called_so(file: Path, said: object, key: str) -> None:
    with serving() as server:
        server.listing = [said]  # type: ignore[list-item]
        with pytest.raises(EngineError) as caught:
            Remotes(file).list_models(server.url)
    assert caught.value.key == f"chat.remote.errors.{key}"


def test_nobody_there(file: Path) -> None:
    with serving() as server:
        pass
    with pytest.raises(EngineError) as caught:
        Remotes(file).list_models(server.url)
    assert caught.value.key == "chat.remote.errors.no_answer"
    assert server.url in caught.value.sentence("en")


def test_a_far_address_is_agreed_to_once(file: Path) -> None:
    far = "https://far.example/v1"
    remotes = Remotes(file)
    with pytest.raises(EngineError) as caught:
        remotes.add(far, "m", key=None, keep=False, agreed=False)
    assert caught.value.key == "chat.remote.errors.not_agreed"
    assert remotes.models() == [] and not file.exists()
    remotes.add(far, "m", key=None, keep=False, agreed=True)
    remotes.add(far, "n", key=None, keep=False, agreed=False)
    again = Remotes(file)
    assert again.is_agreed(far) and again.models() == [(far, "m"), (far, "n")]
    again.remove(far, "m")
    again.remove(far, "n")
    assert not again.is_agreed(far)


def test_a_key_is_on_disk_only_where_that_is_wanted(file: Path) -> None:
    url = "http://127.0.0.1:8000/v1"
    remotes = Remotes(file)
    remotes.add(url, "m", key=SECRET, keep=False, agreed=False)
    assert SECRET not in file.read_text()
    assert remotes.headers(url) == {"Authorization": f"Bearer {SECRET}"}
    assert remotes.headers("http://127.0.0.1:9000/v1") == {}, "a key belongs to one address"
    assert Remotes(file).headers(url) == {}
    remotes.add(url, "m", key=None, keep=True, agreed=False)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert Remotes(file).headers(url) == remotes.headers(url)
    assert SECRET not in f"{remotes!r} {remotes._servers!r}"
    remotes.remove(url, "m")
    assert SECRET not in file.read_text() and not remotes.has_key(url)


@pytest.mark.parametrize("key", ["a b", "schlüssel", "x" * 600, "a\nb"])
def test_what_no_header_can_carry_is_no_key(file: Path, key: str) -> None:
    with pytest.raises(EngineError) as caught:
        Remotes(file).add("http://127.0.0.1/v1", "m", key=key, keep=True, agreed=False)
    assert caught.value.key == "chat.remote.errors.key_bad" and not caught.value.params


def test_a_file_that_can_not_be_read_is_not_written_over(file: Path) -> None:
    file.parent.mkdir()
    file.write_text('{"servers": 3}')
    assert Remotes(file).models() == []
    file.chmod(0)
    try:
        file.read_bytes()
    except OSError:
        remotes = Remotes(file)
        assert remotes.unreadable is not None
        with pytest.raises(EngineError):
            remotes.add("http://127.0.0.1/v1", "m", key=None, keep=False, agreed=False)
