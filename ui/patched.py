"""One function of Gradio's own script, mended as it is served.

Where another version of Gradio has it no more, its script goes out as it is: the page is slower
then, and right all the same. A test says so before anybody sees it.
"""

from __future__ import annotations

from typing import Any

from backend.access.gate import Application
from backend.text import ASSETS
from ui.answers import asked, say

SLOW = (
    b"function Z(e,t){if(e.id===t)return e;if(e.children)for(let n of e.children)"
    b"{let e=Z(n,t);if(e)return e}return null}"
)
"""Gradio 6.31's ``find_node_by_id`` (js/core/src/init.svelte.ts), as it is built."""

STREAM = (
    b"s.onmessage=async function(a){let s=JSON.parse(a.data);if(s.msg===`close_stream`)"
    b"{wt(r,o.abort_controller);return}let c=s.event_id;"
)
"""Its ``open_stream`` (client/js/src/utils/stream.ts)."""

ORDERED = (
    b"s.onmessage=async function(a){let s=JSON.parse(a.data);if(s.msg===`close_stream`)"
    b"{wt(r,o.abort_controller);openAgain(o,r,t);return}await inOrder(o,e,s);let c=s.event_id;"
)

SCRIPTS = ("/assets/core-", "/assets/index-")


class Patched:
    """An ASGI application around the one that reads scripts, within what compresses them."""

    def __init__(self, app: Application) -> None:
        self._app = app
        self._quick = (ASSETS / "js" / "find_component.js").read_bytes()
        self._order = (ASSETS / "js" / "gradio" / "answers_in_order.js").read_bytes()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if not (scope["type"] == "http" and _is_script(scope["path"])):
            await self._app(scope, receive, send)
            return
        begun, body = await asked(self._app, scope, receive)
        body = body.replace(SLOW, self._quick)
        if STREAM in body:
            body = body.replace(STREAM, ORDERED) + self._order
        await say((begun, body), send)


def _is_script(path: str) -> bool:
    return path.startswith(SCRIPTS) and path.endswith(".js")
