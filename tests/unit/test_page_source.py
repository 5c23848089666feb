"""The page comes signed, small, and with its configuration as data."""

from __future__ import annotations

import asyncio
import gzip
import json
from typing import Any

import gradio as gr
import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.access.gate import NONCE
from ui.own_styles import scoped
from ui.page_source import MOST_PACKED, Inscribed, Signed, deflated, gzipped, lean

PAGE = b"""<html><head><script>window.gradio_config = %s;</script><script>more()</script>
<script>(() => { const script = {}; script.src = "iframeResizer.js"; })();</script>
<script>last()</script></head></html>"""


class Page:
    """Answers with its HTML."""

    def __init__(self, body: bytes) -> None:
        self.body = body

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/html")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def said(answers: Any, *, nonce: str | None, takes: bytes = b"", **more: Any) -> tuple[Any, bytes]:
    """Headers and body of an answer."""
    heard: list[dict[str, Any]] = []

    async def hear(message: dict[str, Any]) -> None:
        heard.append(message)

    scope = {"type": "http", "headers": [(b"accept-encoding", takes)], **more}
    if nonce is not None:
        scope[NONCE] = nonce
    asyncio.run(answers(scope, None, hear))
    return dict(heard[0]["headers"]), heard[1]["body"]


@pytest.mark.parametrize("takes", [b"", b"br", b"gzip, deflate, br"])
def test_each_script_has_the_nonce_whatever_a_browser_takes(takes: bytes) -> None:
    app = Signed(Page(PAGE))
    for nonce in ("one", "two"):
        headers, body = said(app, nonce=nonce, takes=takes)
        assert headers[b"content-length"] == str(len(body)).encode()
        assert headers[b"vary"] == b"Accept-Encoding"
        assert (headers.get(b"content-encoding") == b"gzip") == (b"gzip" in takes)
        html = gzip.decompress(body) if b"gzip" in takes else body
        assert html == PAGE.replace(b"<script", f'<script nonce="{nonce}"'.encode())


def test_what_is_no_page_is_left_alone() -> None:
    headers, body = said(Signed(Inscribed(Page(PAGE))), nonce=None, takes=b"gzip")
    assert body == PAGE and b"content-encoding" not in headers


def test_pages_that_are_kept_packed_are_few() -> None:
    page = Page(b"")
    app = Signed(page)
    for number in range(3 * MOST_PACKED):
        page.body = b"<script>%d</script>" % number
        _, body = said(app, nonce="n", takes=b"gzip")
        assert gzip.decompress(body) == b'<script nonce="n">%d</script>' % number
    assert len(app._packed) == MOST_PACKED


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=9), st.binary(max_size=40))
def test_what_was_packed_in_pieces_is_read_as_a_whole(pieces: list[bytes], between: bytes) -> None:
    whole = between.join(pieces)
    packed = gzipped([deflated(piece) for piece in pieces], between, whole)
    assert gzip.decompress(packed) == whole


def test_the_configuration_comes_as_data_without_what_only_programs_ask_for() -> None:
    with gr.Blocks() as page:
        gr.Textbox(label="</script><b>&")

    class Server:
        def get_blocks(self) -> gr.Blocks:
            return page

    page.theme_hash, page.css = "abc", "a { color: red }"
    config = json.dumps(page.get_config_file()).replace("<", "\\u003c").encode()
    headers, body = said(Inscribed(Page(PAGE % config)), nonce="n", app=Server())
    start = body.index(b'id="gradio-config">') + len(b'id="gradio-config">')
    data = body[start : body.index(b"</script>", start)]
    assert b"<" not in data
    sent, made = json.loads(data), json.loads(config)
    for one in made["components"]:
        for name in ("api_info", "api_info_as_input", "api_info_as_output", "example_inputs"):
            one.pop(name, None)
        one.pop("skip_api", None)
    assert scoped(made.pop("css")).encode() in body
    assert sent == made
    assert b"iframeResizer" not in body, "no page shows this one in a frame"
    assert headers[b"link"].startswith(b"<./assets/index-")
    assert start < body.index(b"more()") < body.index(b"last()")
    assert body.index(b"last()") < body.index(b"<style>") < body.index(b"</head>")


def test_a_page_that_is_built_otherwise_stays_as_it_is() -> None:
    other = b"<html><script>window.another_config = {};</script></html>"
    assert said(Inscribed(Page(other)), nonce="n")[1] == other


def test_lean_takes_nothing_else() -> None:
    config = {"components": [{"id": 1, "api_info": {}, "props": {"api_info": 2}}], "css": "a<b"}
    assert json.loads(lean(config)) == {
        "components": [{"id": 1, "props": {"api_info": 2}}],
        "css": "a<b",
    }
