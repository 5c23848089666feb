"""Gradio's own scripts, mended as they are served (``ui/mends.py``).

Each mended function is known by its whole text. Where another version of Gradio has one of a script
no more, that script goes out as it is: the page is slower then, or shows an earlier answer last. A
test says so before anybody sees it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from backend.access.gate import Application
from ui.answers import asked, say
from ui.mends import HELPERS, MENDS, Mend

NOT_MODIFIED = 304
CONDITIONS = frozenset({b"if-none-match", b"if-modified-since", b"range", b"if-range"})


class Patched:
    """An ASGI application around the one that reads scripts, within what compresses them."""

    def __init__(self, app: Application) -> None:
        self._app = app

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        mends = mends_of(scope["path"]) if scope["type"] == "http" else []
        if not mends:
            await self._app(scope, receive, send)
            return
        mark = _mark(mends)
        kept = {**scope, "headers": list(_unmarked(scope["headers"], mark))}
        begun, body = await asked(self._app, kept, receive)
        mended = all(mend.slow in body for mend in mends)
        if mended:
            for mend in mends:
                body = body.replace(mend.slow, mend.quick)
            body += HELPERS.get(mends[0].script, b"")
        if mended or begun["status"] == NOT_MODIFIED:
            begun["headers"] = [_marked(pair, mark) for pair in begun["headers"]]
        await say((begun, body), send)


def _mark(mends: Sequence[Mend]) -> bytes:
    """Tells how a script is mended, for the version of it that a browser keeps: Gradio's own says
    when its file was installed, and would keep the mends of another MedTune."""
    served = b"".join(mend.quick for mend in mends) + HELPERS.get(mends[0].script, b"")
    return b"-" + hashlib.sha256(served).hexdigest()[:16].encode()


def _marked(pair: tuple[bytes, bytes], mark: bytes) -> tuple[bytes, bytes]:
    name, value = pair
    return (name, value[:-1] + mark + b'"') if name.lower() == b"etag" else pair


def _unmarked(headers: Iterable[tuple[bytes, bytes]], mark: bytes) -> Iterator[Any]:
    """What a browser asks, as it would ask Gradio. Parts of a script, and whether it has changed
    since some day, can't be told of one that is mended."""
    for name, value in headers:
        if name.lower() == b"if-none-match" and mark in value:
            yield name, value.replace(mark, b"")
        elif name.lower() not in CONDITIONS:
            yield name, value


def mends_of(path: str) -> list[Mend]:
    """What is mended in a script, by its address."""
    if not path.endswith(".js"):
        return []
    return [one for one in MENDS if path.startswith(f"/assets/{one.script}")]
