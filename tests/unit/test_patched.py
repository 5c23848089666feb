"""Gradio's script is mended as it is served, and nothing else is touched."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import gradio
import pytest

from backend.services import Services
from backend.workspace import Workspace
from ui.dashboard import build_dashboard
from ui.patched import SLOW, Patched

FRONTEND = Path(gradio.__file__).parent / "templates" / "frontend" / "assets"


def served(path: str, body: bytes) -> tuple[dict[bytes, bytes], bytes]:
    """What comes of a script that the application in it reads in two pieces."""
    said: list[dict[str, Any]] = []

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        length = (b"Content-Length", str(len(body)).encode())
        await send({"type": "http.response.start", "status": 200, "headers": [length]})
        await send({"type": "http.response.body", "body": body[:9], "more_body": True})
        await send({"type": "http.response.body", "body": body[9:]})

    async def hear(message: dict[str, Any]) -> None:
        said.append(message)

    asyncio.run(Patched(inner)({"type": "http", "path": path}, None, hear))
    headers = {name.lower(): value for name, value in said[0]["headers"]}
    return headers, b"".join(one["body"] for one in said[1:])


def test_the_installed_gradio_has_what_is_mended_once() -> None:
    """Another version may be built otherwise: then each key in the form takes its old time, and
    ``benchmarks/page_typing.py`` says whether the mending is still needed."""
    with_it = [path for path in FRONTEND.glob("*.js") if SLOW in path.read_bytes()]
    assert len(with_it) == 1
    (script,) = with_it
    assert script.read_bytes().count(SLOW) == 1
    headers, body = served(f"/assets/{script.name}", script.read_bytes())
    assert SLOW not in body and b"componentsByRoot" in body
    assert headers == {b"content-length": str(len(body)).encode()}
    for name in (b"componentsByRoot", b"gather"):
        assert name not in script.read_bytes(), "a name of ours is none of Gradio's"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/assets/core-1.js", b"function Z(a){another version}"),
        ("/assets/core-1.css", b"/* " + SLOW + b" */"),
        ("/gradio_api/file=core-1.js", SLOW),
    ],
)
def test_anything_else_goes_out_as_it_is(path: str, body: bytes) -> None:
    assert served(path, body) == ({b"content-length": str(len(body)).encode()}, body)


def test_the_page_is_laid_out_once(workspace: Workspace) -> None:
    """What is found is remembered: a part that is rendered later would leave the old one there."""
    services = Services.of(workspace)
    try:
        page = build_dashboard(services, language="en")
    finally:
        services.close()
    assert page.renderables == []
