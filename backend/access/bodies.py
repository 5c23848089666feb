"""The bodies of requests: their size, and what is wrong with a JSON one.

Gradio looks things up by what a body names before it asks whether they are there, and walks through
nested values by recursion: both end in an error of its own.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]

MOST_JSON = 4 * 2**20
"""Bytes of a JSON body. The page's own longest have a file pasted into a field."""

MOST_UPLOAD = 2 * 2**30
"""Bytes of an upload, all its files together."""

DEEPEST = 40
"""Levels of nesting; the page's own have under ten."""

PAGE = re.compile(r"[\w\-]{1,64}")
"""Names of pages, as browsers and scripts make them up."""


@dataclass(frozen=True)
class Refusal(Exception):
    """Why a request goes no further: an HTTP status and a word for a program's log."""

    status: int
    reason: str


@dataclass(frozen=True)
class Files:
    """The files that are served by their path.

    Attributes:
        exact: Paths with links followed.
        folder: Where Gradio puts what a download button offers, and what is uploaded.
    """

    exact: frozenset[str]
    folder: Path

    def has(self, path: str) -> bool:
        """Whether a path names one of them. A link in the folder leads to nothing that is."""
        try:
            real = Path(path).resolve(strict=True)
        except (OSError, RuntimeError, ValueError):
            return False
        inside = real.is_relative_to(self.folder.resolve())
        return real.is_file() and (inside or str(real) in self.exact)


@dataclass(frozen=True)
class Known:
    """What the page has, by Gradio's numbers and names.

    Attributes:
        events: Those that the server answers.
        components: All of them.
        names: Of the endpoints for scripts.
        files: Those that are served, and that a page may name as its own.
        tools: Whether agents are answered (``--mcp``).
    """

    events: Container[object]
    components: Container[object]
    names: Container[object]
    files: Files
    tools: bool = False


async def whole(receive: Receive, most: int) -> bytes:
    """The body, if it is no longer than ``most`` bytes.

    Raises:
        Refusal: it is, or the browser has left.
    """
    pieces: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refusal(400, "the body did not arrive")
        pieces.append(message.get("body", b""))
        size += len(pieces[-1])
        if size > most:
            raise Refusal(413, "the body is too large")
        if not message.get("more_body", False):
            return b"".join(pieces)


def limited(receive: Receive, most: int) -> Receive:
    """The same body, which ends with a ``Refusal`` once it is longer than ``most`` bytes."""
    size = 0

    async def counted() -> Message:
        nonlocal size
        message = await receive()
        size += len(message.get("body", b""))
        if size > most:
            raise Refusal(413, "the upload is too large")
        return message

    return counted


def again(body: bytes, receive: Receive) -> Receive:
    """A body that was read, for who comes next."""
    sent = False

    async def replay() -> Message:
        nonlocal sent
        if sent:
            return await receive()
        sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replay


def checked(body: bytes, path: str, known: Known) -> str | None:
    """Check a JSON body that is sent to ``path``; the result is the page that it names, if any.

    Raises:
        Refusal: it is none, or names what the page does not have.
    """
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, "the body is not JSON") from error
    if not isinstance(value, dict):
        raise Refusal(400, "the body is not what is asked for")
    for one in _objects(value):
        file = one.get("path")
        # Gradio fetches a file whose path is an address, and asks a server on the web for it.
        named = isinstance(file, str) and "meta" in one
        _need(not named or known.files.has(str(file)), 400, "no file")
    if "/call/" in path:
        name = path.rstrip("/").rpartition("/")[2]
        _need(name in known.names, 404, "no such endpoint")
    elif path.rstrip("/").endswith("/component_server"):
        _need(_is_id(value.get("component_id"), known.components), 404, "no such component")
        _need(isinstance(value.get("fn_name"), str), 400, "no function is named")
        _need(value.get("session_hash") is not None, 400, "no page is named")
    elif path.endswith("/queue/join"):
        _need(_is_id(value.get("fn_index"), known.events), 404, "no such event")
        _need(isinstance(value.get("data"), list), 400, "no values")
    page = value.get("session_hash")
    if page is None:
        return None
    _need(isinstance(page, str) and PAGE.fullmatch(page) is not None, 400, "no name of a page")
    return str(page)


def _need(true: bool, status: int, reason: str) -> None:
    if not true:
        raise Refusal(status, reason)


def _is_id(value: object, known: Container[object]) -> bool:
    # True is 1 to a dict.
    return isinstance(value, int) and not isinstance(value, bool) and value in known


def _objects(value: object) -> Iterator[dict[str, Any]]:
    """All objects in a JSON value.

    Raises:
        Refusal: it is nested too deeply.
    """
    level: list[object] = [value]
    for _ in range(DEEPEST):
        inner: list[object] = []
        for one in level:
            if isinstance(one, dict):
                yield one
                inner += one.values()
            elif isinstance(one, list):
                inner += one
        if not inner:
            return
        level = inner
    raise Refusal(400, "the body is nested too deeply")
