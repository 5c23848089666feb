"""Whole answers of an application, for layers that keep or change them before they are sent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backend.access.gate import Application

Answer = tuple[dict[str, Any], bytes]
"""The message that begins it, with status and headers, and its body."""


def header(scope: Mapping[str, Any], name: bytes) -> bytes:
    """The first value of a header of what is asked for; b"" where there is none."""
    found: bytes = next((value for one, value in scope["headers"] if one.lower() == name), b"")
    return found


async def asked(app: Application, scope: dict[str, Any], receive: Any) -> Answer:
    """What an application answers."""
    begun: dict[str, Any] = {}
    pieces: list[bytes] = []

    async def take(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            begun.update(message)
        elif message["type"] == "http.response.body":
            pieces.append(message.get("body", b""))

    await app(scope, receive, take)
    return begun, b"".join(pieces)


async def say(answer: Answer, send: Any) -> None:
    """Send it with the length that it has by now."""
    begun, body = answer
    headers = [pair for pair in begun["headers"] if pair[0].lower() != b"content-length"]
    length = (b"content-length", str(len(body)).encode())
    await send({**begun, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})
