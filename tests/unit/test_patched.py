"""Gradio's script is mended as it is served, and nothing else is touched."""

from __future__ import annotations

import asyncio
import json
import subprocess
from pathlib import Path
from typing import Any

import gradio
import pytest
from playwright._impl._driver import compute_driver_executable

from backend.text import ASSETS
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
    assert SLOW not in body and b"waysByRoot" in body
    assert headers == {b"content-length": str(len(body)).encode()}
    for name in (b"waysByRoot", b"noteWays", b"searchAll"):
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


def test_a_part_that_was_laid_out_anew_is_found_as_it_is_now() -> None:
    """Gradio puts another object in a component's place when it is shown for the first time."""
    script = (ASSETS / "js" / "find_component.js").read_text("utf-8")
    tried = """
      const page = { id: 0, children: [{ id: 1, children: [{ id: 2 }, { id: 3 }] }, { id: 4 }] };
      const said = [Z(page, 3).id, Z(page, 9), Z(page, 0).id];
      page.children[0] = { id: 1, children: [{ id: 3, shown: true }] };
      said.push(Z(page, 3).shown, Z(page, 2), Z(page, 4).id);
      page.children.push({ id: 9 });
      console.log(JSON.stringify([...said, Z(page, 9).id]));
    """
    node, _ = compute_driver_executable()
    told = subprocess.run([node, "-e", script + tried], capture_output=True, check=True, text=True)
    assert json.loads(told.stdout) == [3, None, 0, True, None, 4, 9]


def test_answers_wait_for_the_event_that_came_before_theirs() -> None:
    script = (ASSETS / "js" / "gradio" / "answers_in_order.js").read_text("utf-8")
    tried = """
      const client = { opened: 0, open_stream() { this.opened += 1; } };
      const known = { b: true };
      const said = [];
      const hand = async (event) => {
        await inOrder(client, known, { event_id: event });
        said.push(event);
      };
      (async () => {
        for (const event of ["a", "b", undefined, "a"]) hand(event);
        const closed = openAgain(client, { open: false }, new Set(["b"]));
        await new Promise((resolve) => setTimeout(resolve, 50));
        said.push("known");
        known.a = true;
        await closed;
        await openAgain(client, { open: true }, new Set(["b"]));
        await openAgain(client, { open: false }, new Set());
        console.log(JSON.stringify([...said, client.opened]));
      })();
    """
    node, _ = compute_driver_executable()
    told = subprocess.run([node, "-e", script + tried], capture_output=True, check=True, text=True)
    assert json.loads(told.stdout) == ["known", "a", "b", None, "a", 1]
