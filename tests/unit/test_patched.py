"""Gradio's scripts are mended as they are served, and nothing else is touched."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import gradio
import httpx
import pytest
from playwright._impl._driver import compute_driver_executable
from starlette.staticfiles import StaticFiles

from backend.text import ASSETS
from ui.mends import HELPERS, MENDS, Mend
from ui.patched import Patched

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

    asyncio.run(Patched(inner)({"type": "http", "path": path, "headers": []}, None, hear))
    headers = {name.lower(): value for name, value in said[0]["headers"]}
    return headers, b"".join(one["body"] for one in said[1:])


def ran(script: str) -> Any:
    """What a script says on the console, as JSON, in the Node.js that Playwright brings."""
    node, _ = compute_driver_executable()
    told = subprocess.run([node, "-e", script], capture_output=True, check=True, text=True)
    return json.loads(told.stdout)


def helper(name: str) -> str:
    return (ASSETS / "js" / "gradio" / name).read_text("utf-8")


def scripted(start: str) -> Path:
    """Gradio's script that has what is mended in scripts of that name."""
    first = next(mend.slow for mend in MENDS if mend.script == start)
    (path,) = (path for path in FRONTEND.glob(f"{start}*.js") if first in path.read_bytes())
    return path


@pytest.mark.parametrize("mend", MENDS, ids=lambda mend: mend.slow[-40:].decode())
def test_the_installed_gradio_has_what_is_mended_once(mend: Mend) -> None:
    """Another version may be built otherwise: then the page takes its old time, and
    ``benchmarks/page_open.py`` and its neighbours say whether the mending is still needed."""
    scripts = [path for path in FRONTEND.glob("*.js") if mend.slow in path.read_bytes()]
    assert [path.name.startswith(mend.script) for path in scripts] == [True]
    assert scripts[0].read_bytes().count(mend.slow) == 1


@pytest.mark.parametrize("start", sorted({mend.script for mend in MENDS}))
def test_a_mended_script_is_one_that_can_be_read(start: str, tmp_path: Path) -> None:
    path = scripted(start)
    headers, body = served(f"/assets/{path.name}", path.read_bytes())
    assert headers == {b"content-length": str(len(body)).encode()}
    for mend in MENDS:
        assert mend.script != start or mend.quick in body
    assert body.endswith(HELPERS.get(start, b""))
    (tmp_path / "mended.mjs").write_bytes(body)
    node, _ = compute_driver_executable()
    subprocess.run([node, "--check", str(tmp_path / "mended.mjs")], check=True)


@pytest.mark.parametrize("start", HELPERS)
def test_a_name_of_ours_is_none_of_gradios(start: str) -> None:
    own = r"^(?:async )?(?:function\*?|const|let) (\w\w+)"
    names = re.findall(own, HELPERS[start].decode(), re.M)
    assert names
    script = scripted(start).read_text("utf-8")
    assert not [name for name in names if re.search(rf"\b{name}\b", script)]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/assets/core-1.js", b"function Z(a){another version}"),
        ("/assets/core-1.js", b"".join(one.slow for one in MENDS[1:])),
        ("/assets/core-1.css", b"/* " + MENDS[0].slow + b" */"),
        ("/gradio_api/file=core-1.js", MENDS[0].slow),
    ],
)
def test_anything_else_goes_out_as_it_is(path: str, body: bytes) -> None:
    assert served(path, body) == ({b"content-length": str(len(body)).encode()}, body)


def test_a_part_that_was_laid_out_anew_is_found_as_it_is_now() -> None:
    """Gradio puts another object in a component's place when it is shown for the first time."""
    tried = """
      const page = { id: 0, children: [{ id: 1, children: [{ id: 2 }, { id: 3 }] }, { id: 4 }] };
      const said = [Z(page, 3).id, Z(page, 9), Z(page, 0).id];
      page.children[0] = { id: 1, children: [{ id: 3, shown: true }] };
      said.push(Z(page, 3).shown, Z(page, 2), Z(page, 4).id);
      page.children.push({ id: 9 });
      console.log(JSON.stringify([...said, Z(page, 9).id]));
    """
    assert ran(helper("find_component.js") + tried) == [3, None, 0, True, None, 4, 9]


def test_the_events_of_a_component_are_those_that_gradio_finds() -> None:
    tried = """
      const list = [
        { targets: [[1, "click"], [2, "change"], [1, "input"]] },
        { targets: [[2, "load"]] },
        { targets: [[1, "change"], [3, null]] },
        { targets: [] },
      ];
      const gradios = (t, id) => t.filter((t) => t.targets.find(([t]) => t === id))
        .map((t) => { let n = t.targets.find(([t]) => t === id); return n ? n[1] : null; })
        .filter(Boolean);
      const both = [1, 2, 3, 4].map((id) => [attachedEvents(list, id), gradios(list, id)]);
      console.log(JSON.stringify([both, attachedEvents(list, 1) === attachedEvents(list, 1)]));
    """
    both, same = ran(helper("attached_events.js") + tried)
    assert [ours for ours, _ in both] == [theirs for _, theirs in both]
    assert both[0][0] == ["click", "change"]
    assert not same, "each component has a list of its own"


def test_hidden_tabs_are_rendered_as_a_first_visit_would_render_them() -> None:
    """Parents first, a few at a time; an accordion's content and a tab within a tab wait.

    Scripts come last: the one that lets keys scroll the code ran before there was any. Where the
    server hears which tab is chosen, it would hear of it before anybody was there.
    """
    tried = """
      const hidden = new Set();
      const node = (id, type, children = [], props = {}, visible = false) => {
        if (!visible) hidden.add(id);
        return { id, type, children, props: { props, shared_props: { visible } } };
      };
      const inner = [node(11, "tabitem", [node(12, "html")], { id: "x" }),
        node(13, "tabitem", [node(14, "html")], { id: "y" })];
      const unseen = node(9, "html", [], { js_on_load: "…" }, "hidden");
      const told = node(16, "tabitem", [node(17, "html")], { id: "z" });
      told.props.shared_props.attached_events = ["select"];
      const root = node(0, "column", [node(1, "tabs", [
        node(2, "tabitem", [node(3, "html", [], {}, true)], { id: "a" }, true),
        node(4, "tabitem", [
          node(5, "accordion", [node(6, "html")], { open: false }),
          unseen,
          node(8, "html", [], { js_on_load: "…" }),
          node(7, "html"),
          node(10, "tabs", inner, { selected: "y" }),
          node(15, "tabs", [told], { selected: "z" }),
        ], { id: "b" }),
      ], { selected: "a" }, true)], {}, true);
      const said = { loaded: [], told: [], slices: 0 };
      const seen = (node) => [node.props.shared_props.visible ? node.id : [],
        ...node.children.map(seen)].flat(9);
      renderAhead({
        root, hidden,
        load: (node) => said.loaded.push(node.id),
        settled: async () => { said.slices += 1; },
        tell: (node) => said.told.push(node.id),
      }).then(() => console.log(JSON.stringify({
        ...said, seen: seen(root), unseen: unseen.props.shared_props.visible })));
    """
    said = ran("const window = {};" + helper("render_ahead.js") + tried)
    assert said["told"] == said["loaded"] == [4, 5, 10, 13, 7, 14, 9, 8]
    assert said["seen"] == [0, 1, 2, 3, 4, 5, 9, 8, 7, 10, 13, 14]
    assert said["unseen"] == "hidden"
    assert said["slices"] > 2, "the browser has time for other things between them"


def test_plain_templates_say_what_gradio_would_make_of_them() -> None:
    tried = r"""
      const values = { value: "<b>\`${1}\\</b>", label: "x" };
      const gradios = (text, values) =>
        Function(...Object.keys(values), `return \`${text}\`;`)(...Object.values(values));
      const plain = ["${value}", "", '<div class="a">$ { b }</div>'];
      const both = plain.map((text) => [saidPlainly(text, values), gradios(text, values)]);
      both.push([saidPlainly("${value}", { value: null }), gradios("${value}", { value: null })]);
      const others = ["<b>${value}</b>", "a\\tb", "`", "${label}"];
      console.log(JSON.stringify([both, others.map((text) => saidPlainly(text, values))]));
    """
    both, others = ran(helper("plain_templates.js") + tried)
    assert [ours for ours, _ in both] == [gradios for _, gradios in both]
    assert others == [None] * 4


def test_answers_wait_for_the_event_that_came_before_theirs() -> None:
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
    said = ran(helper("answers_in_order.js") + tried)
    assert said == ["known", "a", "b", None, "a", 1]


def asked_again(path: Path, **headers: str) -> httpx.Response:
    """What a browser gets of a script, asked with these headers."""
    mended = Patched(StaticFiles(directory=path.parent))

    async def below_assets(scope: Any, receive: Any, send: Any) -> None:
        await mended({**scope, "root_path": "/assets"}, receive, send)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(app=below_assets)
        async with httpx.AsyncClient(transport=transport, base_url="http://here") as browser:
            return await browser.get(f"/assets/{path.name}", headers=headers)

    return asyncio.run(ask())


def test_a_browser_keeps_a_script_until_it_is_mended_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The version that Gradio gives is of the file, so a browser kept the mends of before."""
    path = scripted("index-")
    first = asked_again(path)
    version, day = first.headers["etag"], first.headers["last-modified"]
    again = asked_again(path, **{"if-none-match": version, "if-modified-since": day})
    assert (again.status_code, again.headers["etag"], again.content) == (304, version, b"")
    assert asked_again(path, range="bytes=0-9").content == first.content
    monkeypatch.setitem(HELPERS, "index-", b"function another() {}")
    other = asked_again(path, **{"if-none-match": version, "if-modified-since": day})
    assert other.status_code == 200 and other.content.endswith(b"function another() {}")
    assert other.headers["etag"] != version
