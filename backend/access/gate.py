"""The gate: every request passes it before Gradio sees anything of it.

In this order: is it meant for this page (``site``), is there such a thing (``routes``), who asks
(``door``), may they have it, and is what they send as it should be (``bodies``). Gradio's own
log-in is not used: it has no say in how fast somebody guesses, its sessions never end, it hands the
cookie's token to scripts, it logs out by a link, and a dozen of its routes do without it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
import shutil
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

import orjson

from backend.access.bodies import (
    MOST_JSON,
    MOST_UPLOAD,
    PAGE,
    Known,
    Message,
    Receive,
    Refusal,
    again,
    checked,
    whole,
)
from backend.access.door import Door, Visitor
from backend.access.headers import ALWAYS, FILE_POLICY, LOGIN_POLICY, PARTS_POLICY, POLICY
from backend.access.routes import Kind, find
from backend.access.site import FORWARDED, Site

Scope = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

NONCE = "medtune.nonce"
"""Where the page finds the nonce of its scripts, in an ASGI scope."""

MOST_UPLOADS = 4
"""Uploads at once; each is written to disk as it comes."""

_SPARE = 256_000_000
"""Bytes that stay free on the disk when an upload has come."""

log = logging.getLogger("medtune.access")


class Gate:
    """An ASGI application around Gradio's.

    Args:
        door: Who is logged in; None where nobody has to.
    """

    def __init__(self, app: Application, *, site: Site, known: Known, door: Door | None) -> None:
        self._app = app
        self._site = site
        self._known = known
        self._door = door
        self._uploads = asyncio.Semaphore(MOST_UPLOADS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":  # Gradio has no WebSocket
            await send({"type": "websocket.close", "code": 1008})
            return
        answer = _Answer(send)
        try:
            await self._pass(scope, receive, answer)
        except Refusal as refusal:
            if answer.begun:
                raise
            await answer.json(refusal.status, {"detail": refusal.reason})
        except Exception as error:
            if answer.begun and _session_has_gone(error):
                log.info("%s %s: its page has gone", scope["method"], scope["path"])
                return
            # Gradio's own fault or ours: the terminal gets all of it, the browser nothing.
            log.exception("%s %s failed", scope["method"], scope["path"])
            if not answer.begun:
                await answer.json(500, {"detail": "MedTune failed; its terminal says why"})

    async def _pass(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        headers = _headers(scope)
        method, path = scope["method"], scope["path"]
        if not self._site.serves(headers.get("host", "")):
            raise Refusal(421, "this address is not MedTune's")
        kind = find(method, path)
        at_door = self._door is not None and self._door.has(method, path)
        if not self._site.asked_by_us(headers) and not _opened(method, path, headers):
            raise Refusal(403, "a page of another address asked for this")
        if kind is None and not at_door:
            raise Refusal(404, "there is no such thing")
        visitor = self._visitor(scope, headers)
        if self._door is not None and kind is Kind.TOOLS and self._known.tools:
            visitor = await self._door.by_header(visitor)
        if at_door and self._door is not None:
            await self._door.answer(visitor, receive, answer)
            return
        if self._door is not None and kind is not Kind.OPEN and visitor.session is None:
            if kind is Kind.PAGE:
                await answer.redirect(f"{self._site.path}/login")
                return
            raise Refusal(401, "nobody is logged in")
        await self._serve(kind, visitor, scope, receive, answer)

    async def _serve(
        self, kind: Kind | None, visitor: Visitor, scope: Scope, receive: Receive, answer: _Answer
    ) -> None:
        headers, path = visitor.headers, scope["path"]
        scope = {**scope, "headers": _without_proxies(scope["headers"])}
        if _climbs(path):
            raise Refusal(404, "there is no such thing")
        match kind:
            case Kind.PAGE:
                # Gradio would look up other pages and saved states by it; MedTune has none.
                scope["query_string"] = b""
                scope[NONCE] = nonce = secrets.token_urlsafe(16)
                answer.adds = {"content-security-policy": POLICY.format(nonce=nonce)}
            case Kind.PLAIN:
                answer.adds = {"content-security-policy": PARTS_POLICY}
            case Kind.FILE if not self._known.files.has(_file_of(path)):
                raise Refusal(404, "there is no such thing")
            case Kind.TOOLS if not self._known.tools:
                raise Refusal(404, "there is no such thing")
            case Kind.TOOLS if scope["method"] == "POST":
                body = await whole(receive, MOST_JSON)
                checked(body, path, self._known)
                receive = again(body, receive)
            case Kind.EVENTS:
                self._own(visitor, _page_of(scope))
            case Kind.JSON:
                body = await whole(receive, MOST_JSON)
                self._own(visitor, checked(body, path, self._known))
                receive = again(body, receive)
            case Kind.UPLOAD:
                await self._upload(headers, scope, receive, answer)
                return
            case _:
                pass
        await self._app(scope, receive, answer.send)

    def _visitor(self, scope: Scope, headers: Mapping[str, str]) -> Visitor:
        peer = (scope.get("client") or ("", 0))[0]
        address = self._site.client(peer, headers.get("x-forwarded-for"))
        visitor = Visitor(address, headers, scope["method"], scope["path"], _query(scope))
        return self._door.recognised(visitor) if self._door is not None else visitor

    def _own(self, visitor: Visitor, page: str | None) -> None:
        if self._door is None or page is None or visitor.session is None:
            return
        if not self._door.sessions.owns(visitor.session, page):
            raise Refusal(403, "that page is somebody else's")

    async def _upload(
        self, headers: Mapping[str, str], scope: Scope, receive: Receive, answer: _Answer
    ) -> None:
        length = headers.get("content-length", "")
        if not length.isascii() or not length.isdigit():
            raise Refusal(411, "an upload says its length")
        if int(length) > MOST_UPLOAD:
            raise Refusal(413, "the upload is too large")
        self._known.files.folder.mkdir(parents=True, exist_ok=True)
        if shutil.disk_usage(self._known.files.folder).free < int(length) + _SPARE:
            raise Refusal(507, "the disk is too full for the upload")
        if self._uploads.locked():
            raise Refusal(503, "too many uploads at once")
        async with self._uploads:
            await self._app(scope, receive, answer.send)


class _Answer:
    """Sends an answer with the headers that every answer has.

    Attributes:
        begun: Whether its status is on its way, so that no other can be given.
        adds: Headers of this answer that go before those of every answer.
    """

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = False
        self.adds: Mapping[str, str] = {}

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.begun = True
            ours = {"content-security-policy": FILE_POLICY, **ALWAYS, **self.adds}
            if not _kept(message.get("headers", [])):
                ours.setdefault("cache-control", "no-store")
            theirs = [
                (name, value)
                for name, value in message.get("headers", [])
                if name.lower().decode("latin-1") not in ours
            ]
            added = [(name.encode(), value.encode("latin-1")) for name, value in ours.items()]
            message = {**message, "headers": [*theirs, *added]}
        await self._send(message)

    async def json(self, status: int, value: object, **headers: str) -> None:
        await self._whole(status, "application/json", orjson.dumps(value), headers)

    async def html(self, status: int, page: Callable[[str], str], **headers: str) -> None:
        """Send a page, which is made with the nonce of its styles."""
        nonce = secrets.token_urlsafe(16)
        self.adds = {"content-security-policy": LOGIN_POLICY.format(nonce=nonce)}
        body = page(nonce).encode("utf-8")
        await self._whole(status, "text/html; charset=utf-8", body, headers)

    async def redirect(self, to: str, **headers: str) -> None:
        await self._whole(303, "text/plain", b"", {"location": to, **headers})

    async def _whole(self, status: int, kind: str, body: bytes, headers: Mapping[str, str]) -> None:
        said = {"content-type": kind, "content-length": str(len(body)), **headers}
        pairs = [
            (name.replace("_", "-").encode(), value.encode("latin-1", "replace"))
            for name, value in said.items()
        ]
        await self.send({"type": "http.response.start", "status": status, "headers": pairs})
        await self.send({"type": "http.response.body", "body": body})


def _session_has_gone(error: Exception) -> bool:
    """Whether Gradio ended a stream of events since its page was left in the middle of one: it
    raises a 404 when the answer is already on its way, and where a page had two streams, it looks
    for what it has thrown away with the first."""
    if isinstance(error, KeyError):
        return isinstance(error.__cause__ or error.__context__, asyncio.CancelledError)
    status = getattr(error.__cause__, "status_code", None)
    return isinstance(error, RuntimeError) and status == 404


def _opened(method: str, path: str, headers: Mapping[str, str]) -> bool:
    """Whether a person followed a link to the page from wherever they were."""
    reads = method in {"GET", "HEAD"} and "origin" not in headers
    return reads and path in {"/", "/login"} and headers.get("sec-fetch-mode") == "navigate"


def _headers(scope: Scope) -> dict[str, str]:
    """The first value of each header; all values of X-Forwarded-For, as one."""
    found: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name, words = raw.decode("latin-1"), value.decode("latin-1")
        if name in found and name in {"cookie", "x-forwarded-for"}:
            found[name] += f"{'; ' if name == 'cookie' else ', '}{words}"
        found.setdefault(name, words)
    return found


def _without_proxies(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    return [pair for pair in headers if not pair[0].decode("latin-1").startswith(FORWARDED)]


def _query(scope: Scope) -> dict[str, str]:
    raw = scope.get("query_string", b"").decode("latin-1")
    try:
        return {name: values[0] for name, values in parse_qs(raw, max_num_fields=50).items()}
    except ValueError as error:
        raise Refusal(400, "the address asks too much") from error


def _page_of(scope: Scope) -> str:
    tail = scope["path"].rpartition("/heartbeat/")[2]
    page = tail if "/heartbeat/" in scope["path"] else _query(scope).get("session_hash", "")
    if not PAGE.fullmatch(page):
        raise Refusal(400, "no name of a page")
    return page


def _file_of(path: str) -> str:
    return path.partition("/file=")[2] or path.partition("/file/")[2]


def _climbs(path: str) -> bool:
    return ".." in path.replace("=", "/").split("/")


def _kept(headers: list[tuple[bytes, bytes]]) -> bool:
    """Whether browsers may keep an answer: scripts and fonts, whose names change with them."""
    kinds = (b"text/css", b"text/javascript", b"application/javascript", b"font/", b"image/")
    return any(
        name.lower() == b"content-type" and value.startswith(kinds) for name, value in headers
    )
