"""The pulses' questions, answered before Gradio's own layers.

An open page asks once or twice a second, and three of four milliseconds of each question go into
Gradio's middleware and FastAPI's ways of reading a body, which a look at what has changed needs
none of.
"""

from __future__ import annotations

import gzip
from typing import Any

import gradio as gr
import orjson
from starlette.concurrency import run_in_threadpool

from backend.access.bodies import MOST_JSON, again, whole
from backend.access.gate import Application
from ui.components.pulse import BEAT

ROUTE = "/component_server"

WORTH_PACKING = 2_000
"""Bytes of an answer from which on it is compressed, as a curve's new part over a bad line."""


class PulseLine:
    """An ASGI application between the gate, which has checked what is asked, and Gradio's.

    Args:
        page: Its components named in a request are there: the gate has looked.
    """

    def __init__(self, app: Application, page: gr.Blocks) -> None:
        self._app = app
        self._page = page

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].rstrip("/").endswith(ROUTE):
            await self._app(scope, receive, send)
            return
        body = await whole(receive, MOST_JSON)
        asked = orjson.loads(body)
        beat = getattr(self._page.blocks[asked["component_id"]], BEAT, None)
        if asked["fn_name"] != BEAT or beat is None:
            await self._app(scope, again(body, receive), send)
            return
        said = await run_in_threadpool(beat, asked.get("data"))
        waiting = self._waiting(asked["session_hash"])
        await _answer(orjson.dumps({**said, "waiting": waiting}), scope, send)

    def _waiting(self, page: str) -> bool:
        """Whether Gradio has something to say to a page that nobody fetches.

        Its stream of answers can close just while an event joins; what that event gives then lies
        there until another event opens the next stream.
        """
        messages = self._page._queue.pending_messages_per_session.get(page)
        return messages is not None and not messages.empty()


async def _answer(body: bytes, scope: dict[str, Any], send: Any) -> None:
    headers = [(b"content-type", b"application/json")]
    if len(body) >= WORTH_PACKING and _unpacks(scope):
        body = gzip.compress(body, compresslevel=1)
        headers.append((b"content-encoding", b"gzip"))
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _unpacks(scope: dict[str, Any]) -> bool:
    accepts = [value for name, value in scope["headers"] if name == b"accept-encoding"]
    return any(b"gzip" in value for value in accepts)
