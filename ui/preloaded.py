"""Which of Gradio's scripts a page needs, said with it, so that a browser asks for all at once; and
its styles, which are in the page, since each of thirty files costs more to ask for than to have.

Gradio's script finds them one after the other, in five rounds of questions and answers. What it
would look up is read from its scripts. Where another version of Gradio writes that down otherwise,
nothing is found here and the page comes as it did.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

FRONTEND = Path(gr.__file__).parent / "templates" / "frontend"

_ENTRY = re.compile(r'src="\./assets/(index-[\w-]+\.js)"')
_TABLE = re.compile(r"m\.f=\[(.*?)\]")
_IMPORT = (
    r"import\(`\./{name}\.js`\)(?:\.then\([^()]*\))?\)?[^`]{{0,60}}?__vite__mapDeps\(\[([\d,]+)\]\)"
)
_ELSEWHERE = re.compile(r"url\((?!['\"]?data:)|@import|@charset|</")
"""In styles that can't stand in the page: addresses that begin at their own file."""
_SHELL = r"(?:Index|Blocks)-[\w-]+"


def preloads(page: gr.Blocks) -> bytes:
    """What the page's header ``Link`` says (RFC 8288), in the order in which it is needed.

    A browser begins with these before it reads the page, of which the first piece is large.
    """
    names = _files(soon_shown(page), ".js")
    links = [f"<./assets/{name}>;rel=modulepreload" for name in names]
    # Its name is made of what is in it. Gradio looks whether it has the address with the host.
    links.append(f"<./theme.css?v={page.theme_hash}>;rel=preload;as=style")
    return ",".join(links).encode()


def styles(page: gr.Blocks) -> bytes:
    """What ends the head of the page: the styles of its components, and a link to each file of them
    that is off, by which Gradio's script knows that it is there.

    Of all components, also of closed tabs: where a file of styles gets lost on a bad line, Gradio
    leaves its component out.
    """
    linked = (FRONTEND / "index.html").read_text("utf-8")
    names = _files(set(_shown(page)), ".css")
    taken = {name: (FRONTEND / "assets" / name).read_text("utf-8") for name in names}
    kept = {
        name: rules
        for name, rules in taken.items()
        if name not in linked and not _ELSEWHERE.search(rules)
    }
    off = [f'<link rel="stylesheet" href="./assets/{name}" disabled>' for name in kept]
    return "".join(["<style>", *kept.values(), "</style>", *off]).encode()


def _files(types: Iterable[str], ending: str) -> list[str]:
    return [name for name in dict.fromkeys(needed(types)) if name.endswith(ending)]


def soon_shown(page: gr.Blocks) -> set[str]:
    """Types of the components that are seen first, or in more than one of the closed tabs.

    What only one of those has is asked for when that tab is rendered, and nobody waits for it
    before (``assets/js/gradio/render_ahead.js``).
    """
    closed = Counter(kind for tab in _closed(page) for kind in set(_shown(tab)))
    return {*_shown(page, first=True), *(kind for kind, tabs in closed.items() if tabs > 1)}


def _shown(block: Any, *, first: bool = False) -> Iterator[str]:
    """Types of a block and of what is in it, of tabs perhaps the first one only."""
    if getattr(block, "visible", True) is False:
        return
    yield block.get_block_name()
    children = getattr(block, "children", [])
    for child in children[:1] if first and isinstance(block, gr.Tabs) else children:
        yield from _shown(child, first=first)


def _closed(block: Any) -> Iterator[Any]:
    """All but the first of the tabs that are in no other tab."""
    children = getattr(block, "children", [])
    if isinstance(block, gr.Tabs):
        yield from children[1:]
    else:
        for child in children:
            yield from _closed(child)


def needed(types: Iterable[str]) -> Iterator[str]:
    """Names in Gradio's folder of assets, for a page with components of these types."""
    entry = _ENTRY.search((FRONTEND / "index.html").read_text("utf-8"))
    if entry is None:
        return
    yield entry[1]
    shell = list(_imported(entry[1], _IMPORT.format(name=_SHELL)))
    yield from shell
    for script in [one for one in shell if one.startswith("Index-")]:
        yield from _imported(script, _IMPORT.format(name=_SHELL))
    for script in [one for one in shell if re.match(r"core-.*\.js", one)]:
        for kind in sorted(types):
            of_kind = rf"\b{kind}:\{{[^{{}}]*?component:\(\)=>\w+\(\(\)=>"
            yield from _imported(script, of_kind + _IMPORT.format(name=r"[\w-]+"))


def _imported(script: str, pattern: str) -> Iterator[str]:
    """What a script asks for along with what it imports, by its own table."""
    text = (FRONTEND / "assets" / script).read_text("utf-8")
    table = _TABLE.search(text)
    names = re.findall(r'"\./([^"]+)"', table[1]) if table else []
    for found in re.finditer(pattern, text):
        numbers = [int(number) for number in found[1].split(",")]
        yield from (names[number] for number in numbers if number < len(names))
