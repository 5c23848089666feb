"""The page's HTML on its way from Gradio to a browser."""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import Any

import orjson

from backend.access.gate import NONCE, Application
from backend.text import ASSETS
from ui.answers import asked, header, say
from ui.own_styles import scoped
from ui.preloaded import preloads, styles

MANIFEST = b'<link rel="manifest" href="/manifest.json" />'
BELOW = b'<link rel="manifest" href="./manifest.json" /><link rel="icon" href="./favicon.ico" />'
"""What Gradio's page has, and what it has instead: addresses that stay below the path of a proxy. A
browser asks for an icon that is not named at the top."""

CONFIG, CONFIG_ENDS = b"<script>window.gradio_config = ", b";</script>"
"""Where Gradio's page says what it is made of: nearly all of its bytes are between them."""

DATA, DATA_ENDS = b'<script type="application/json" id="gradio-config">', b"</script>"
"""The same as data, which a browser reads in a tenth of the time of a script."""

HEAD_ENDS = b"</head>"

FOR_FRAMES = re.compile(
    rb"<script>(?:(?!</script>).)*iframeResizer(?:(?!</script>).)*</script>", re.S
)
"""Fetches a script for a page in another page's frame, where no browser shows this one."""

FOR_PROGRAMS = frozenset(
    {"api_info", "api_info_as_input", "api_info_as_output", "example_inputs", "skip_api"}
)
"""What a component's entry has for the pages that describe an API and for clients, which ask for it
at another address."""

MOST_PACKED = 8
"""Pages that are kept packed: one for each name by which the server is reached."""


class Inscribed:
    """Puts a script behind the page's configuration, and before it what the page needs."""

    def __init__(self, app: Application) -> None:
        self._app = app
        script = (ASSETS / "js" / "plain_config.js").read_bytes()
        self._head = b"<script>" + script + b"</script>" + BELOW

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        if NONCE not in scope:
            await self._app(scope, receive, send)
            return
        begun, body = await asked(self._app, scope, receive)
        before, found, rest = body.partition(CONFIG)
        config, _, after = rest.partition(CONFIG_ENDS)
        if found:
            page = scope["app"].get_blocks()
            after = FOR_FRAMES.sub(b"", after, 1)
            made = orjson.loads(config)
            own = f"<style>{scoped(made.pop('css', None) or '')}</style>".encode()
            after = after.replace(HEAD_ENDS, styles(page) + own + HEAD_ENDS, 1)
            body = before + DATA + lean(made) + DATA_ENDS + after
            begun["headers"] = [*begun["headers"], (b"link", preloads(page))]
        await say((begun, body.replace(MANIFEST, self._head)), send)


def lean(config: dict[str, Any]) -> bytes:
    """A page's configuration as JSON within HTML, without what only programs ask for."""
    for component in config["components"]:
        for name in FOR_PROGRAMS & component.keys():
            del component[name]
    return orjson.dumps(config).replace(b"<", b"\\u003c")


class Signed:
    """Puts the answer's nonce into all scripts of the page, so that they alone may run, and packs
    it: ten times smaller, which is seconds on a bad line.

    Gradio escapes ``<`` in what it puts into them: a ``<script`` in its page is its own.
    """

    def __init__(self, app: Application) -> None:
        self._app = app
        self._packed: dict[bytes, Sequence[bytes]] = {}

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        nonce = scope.get(NONCE)
        if nonce is None:
            await self._app(scope, receive, send)
            return
        begun, body = await asked(self._app, scope, receive)
        signature = f'<script nonce="{nonce}"'.encode()
        signed = body.replace(b"<script", signature)
        begun["headers"] = [*begun["headers"], (b"vary", b"Accept-Encoding")]
        if b"gzip" in header(scope, b"accept-encoding"):
            begun["headers"] += [(b"content-encoding", b"gzip")]
            signed = gzipped(self._pieces(body), signature, signed)
        await say((begun, signed), send)

    def _pieces(self, body: bytes) -> Sequence[bytes]:
        if body not in self._packed:
            self._packed = dict([*self._packed.items()][1 - MOST_PACKED :])
            self._packed[body] = [deflated(piece) for piece in body.split(b"<script")]
        return self._packed[body]


def gzipped(pieces: Sequence[bytes], between: bytes, whole: bytes) -> bytes:
    """RFC 1952's form of ``whole``, which is pieces that were packed before and what is between
    them: packing all of it anew would take the server longer than the rest of a visit."""
    start = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    end = zlib.compressobj(wbits=-zlib.MAX_WBITS).flush()
    sums = zlib.crc32(whole).to_bytes(4, "little") + len(whole).to_bytes(4, "little")
    return start + deflated(between).join(pieces) + end + sums


def deflated(piece: bytes) -> bytes:
    """Packed so that others can stand before and behind it: it ends at a byte's end, and refers to
    nothing outside itself."""
    packer = zlib.compressobj(level=9, wbits=-zlib.MAX_WBITS)
    return packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
