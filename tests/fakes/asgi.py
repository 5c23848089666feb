"""Asks an ASGI application directly, without a network."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from backend.access.gate import Application


@dataclass(frozen=True)
class Answered:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return orjson.loads(self.body)


def ask(
    app: Application,
    method: str,
    target: str,
    *,
    body: bytes = b"",
    peer: str = "127.0.0.1",
    **headers: str,
) -> Answered:
    """One request; ``accept_language="zh"`` is the header ``Accept-Language``."""
    path, _, query = target.partition("?")
    said = {"host": "127.0.0.1:7860", "content_length": str(len(body)), **headers}
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(n.replace("_", "-").encode(), v.encode("latin-1")) for n, v in said.items()],
        "client": (peer, 50000),
        "server": ("127.0.0.1", 7860),
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    pairs = {name.decode(): value.decode("latin-1") for name, value in sent[0]["headers"]}
    return Answered(sent[0]["status"], pairs, b"".join(one.get("body", b"") for one in sent[1:]))
