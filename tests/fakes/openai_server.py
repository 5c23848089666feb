"""A server that speaks OpenAI's chat API by script, well or badly."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Act = Callable[["Talk"], None]
"""One step of a script."""


class Talk(BaseHTTPRequestHandler):
    """One request; the script of its model says what happens."""

    protocol_version = "HTTP/1.0"
    server: Scripted

    def do_POST(self) -> None:  # noqa: N802 (the name that http.server calls)
        length = int(self.headers["Content-Length"])
        body = json.loads(self.rfile.read(length))
        self.server.asked.append(body)
        self.server.keys.append(self.headers.get("Authorization", ""))
        try:
            for act in self.server.scripts[body["model"]]:
                act(self)
        except (BrokenPipeError, ConnectionResetError):
            self.server.left.set()

    def do_GET(self) -> None:  # noqa: N802
        """The list of models, to whoever has the key; or what ``listing`` says."""
        self.server.keys.append(self.headers.get("Authorization", ""))
        try:
            if self.server.listing is not None:
                for act in self.server.listing:
                    act(self)
            elif self.server.key and self.server.keys[-1] != f"Bearer {self.server.key}":
                status(401, b'{"error": {"message": "no such key"}}')(self)
            else:
                listed = {"data": [{"id": name} for name in self.server.scripts]}
                status(200, json.dumps(listed).encode())(self)
        except (BrokenPipeError, ConnectionResetError):
            self.server.left.set()

    def log_message(self, *args: object) -> None:
        """Quiet."""


class Scripted(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, scripts: dict[str, Sequence[Act]]) -> None:
        super().__init__(("127.0.0.1", 0), Talk)
        self.scripts = scripts
        self.asked: list[dict[str, Any]] = []
        self.left = threading.Event()
        self.key = ""
        self.keys: list[str] = []
        self.listing: Sequence[Act] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


@contextmanager
def serving(**scripts: Sequence[Act]) -> Iterator[Scripted]:
    """A server with one script for each model."""
    with Scripted(dict(scripts)) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def status(code: int, body: bytes = b"") -> Act:
    def act(talk: Talk) -> None:
        talk.send_response(code)
        talk.end_headers()
        talk.wfile.write(body)

    return act


def streams(*events: dict[str, Any] | bytes) -> Act:
    """200 and these events; bytes are sent as they are."""

    def act(talk: Talk) -> None:
        for event in events:
            raw = event if isinstance(event, bytes) else f"data: {json.dumps(event)}\n\n".encode()
            talk.wfile.write(raw)
            talk.wfile.flush()

    return act


def until(event: threading.Event) -> Act:
    """Wait, at most half a minute."""

    def act(_: Talk) -> None:
        event.wait(30)

    return act


def forever(event: dict[str, Any]) -> Act:
    """The same event until the client goes, at most half a minute."""

    def act(talk: Talk) -> None:
        for _ in range(1500):
            streams(event)(talk)
            threading.Event().wait(0.02)

    return act


def chunk(content: str = "", *, finish: str | None = None, **more: Any) -> dict[str, Any]:
    delta = {"content": content, **more.pop("delta", {})}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"object": "chat.completion.chunk", "model": "m", "choices": [choice], **more}


DONE = b"data: [DONE]\n\n"
