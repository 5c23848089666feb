"""Answers that are the same for everybody are made once, and no other is kept."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ui.kept import Kept, of_page, of_script

Pair = tuple[bytes, bytes]


class Inner:
    """An application that counts what it is asked."""

    def __init__(self, *, status: int = 200, headers: tuple[Pair, ...] = (), size: int = 3) -> None:
        self.asked: list[str] = []
        self._status = status
        self._headers = list(headers)
        self._size = size

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.asked.append(scope["path"])
        start = {"type": "http.response.start", "status": self._status, "headers": self._headers}
        await send(start)
        await send({"type": "http.response.body", "body": b"a" * self._size, "more_body": True})
        await send({"type": "http.response.body", "body": scope["path"].encode()})


def scope_of(path: str, *, host: bytes = b"here", method: str = "GET", **more: Any) -> Any:
    headers = [(b"host", host), *more.pop("headers", [])]
    usual = {"type": "http", "scheme": "http", "root_path": "", "query_string": b""}
    return {**usual, "path": path, "method": method, "headers": headers, **more}


def asks(app: Kept, scope: Any) -> tuple[int, dict[bytes, bytes], bytes]:
    said: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        said.append(message)

    asyncio.run(app(scope, None, send))
    body = b"".join(one.get("body", b"") for one in said[1:])
    return said[0]["status"], dict(said[0]["headers"]), body


def test_a_script_is_asked_for_once_and_says_its_length() -> None:
    inner = Inner(headers=((b"content-type", b"text/javascript"),))
    app = Kept(inner, about=of_script)
    first = asks(app, scope_of("/assets/a.js"))
    assert first == asks(app, scope_of("/assets/a.js"))
    assert inner.asked == ["/assets/a.js"]
    status, headers, body = first
    assert (status, body) == (200, b"aaa/assets/a.js")
    assert headers == {b"content-type": b"text/javascript", b"content-length": b"15"}


def test_what_another_browser_can_read_is_another_answer() -> None:
    inner = Inner()
    app = Kept(inner, about=of_script)
    for encoding in (b"br", b"gzip", b"br"):
        asks(app, scope_of("/assets/a.js", headers=[(b"accept-encoding", encoding)]))
    assert len(inner.asked) == 2


def test_the_page_of_one_address_is_not_given_at_another() -> None:
    """It says under which address it was asked for: a browser there would ask elsewhere."""
    inner = Inner()
    app = Kept(inner, about=of_page)
    for host in (b"localhost:1", b"127.0.0.1:1", b"localhost:1"):
        asks(app, scope_of("/", host=host))
    assert len(inner.asked) == 2


@pytest.mark.parametrize(
    "scope",
    [
        scope_of("/", query_string=b"deep_link=1"),
        scope_of("/", method="HEAD"),
        scope_of("/gradio_api/info"),
        scope_of("/", headers=[(b"range", b"bytes=0-1")]),
        scope_of("/", headers=[(b"if-none-match", b"x")]),
    ],
)
def test_anything_else_is_asked_for_each_time(scope: Any) -> None:
    inner = Inner()
    app = Kept(inner, about=of_page)
    for _ in range(2):
        asks(app, scope)
    assert len(inner.asked) == 2


@pytest.mark.parametrize("inner", [Inner(status=404), Inner(headers=((b"set-cookie", b"who"),))])
def test_an_error_or_a_cookie_is_for_nobody_else(inner: Inner) -> None:
    app = Kept(inner, about=of_script)
    for _ in range(2):
        asks(app, scope_of("/assets/a.js"))
    assert len(inner.asked) == 2


def test_memory_has_an_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.kept.MOST_BYTES", 3_000)
    inner = Inner(size=1_000)
    app = Kept(inner, about=of_script)
    for name in ("a", "b", "a", "c", "a", "b"):
        asks(app, scope_of(f"/assets/{name}"))
    assert inner.asked == ["/assets/a", "/assets/b", "/assets/c", "/assets/b"]


def test_the_beginning_and_end_of_the_server_pass_through() -> None:
    """The tools of ``--mcp`` begin with the server; untold, they answered each call with 500."""
    heard: list[str] = []

    async def inner(scope: dict[str, Any], receive: Any, send: Any) -> None:
        heard.append(scope["type"])

    for about in (of_page, of_script):
        asyncio.run(Kept(inner, about=about)({"type": "lifespan"}, None, None))
    assert heard == ["lifespan", "lifespan"]
