"""MedTune's own styles as Gradio's script would make them, so that it has nothing to make.

It reads them, writes each rule down again and adds a copy that holds below the page's own element,
which wins against rules of its components; until then the page is without. That took 24 ms of a
page's start.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import gradio as gr

PAGE = f".gradio-container.gradio-container-{gr.__version__.replace('.', '-')} .contain"
"""The element that holds the page, in Gradio's words."""

_COMMENT = re.compile(r"/\*.*?\*/", re.S)
_DARK = ".dark"


def scoped(css: str) -> str:
    """The same rules as Gradio 6.31's ``prefix_css`` gives in a browser, in the same order.

    Rules within ``@media`` are there only with the page before them, and a list of selectors is
    parted at each comma, also within ``:is(a, b)``, as there.

    Raises:
        ValueError: a rule of a kind that Gradio leaves out.
    """
    return "".join(_made(_COMMENT.sub("", css)))


def _made(css: str) -> Iterator[str]:
    for head, body in _rules(css):
        if head.startswith("@media"):
            inner = (_below(*rule) for rule in _rules(body))
            yield f"{head} {{{''.join(inner)}}}"
        elif head.startswith("@keyframes"):
            yield f"{head} {{{body}}}"
        elif head.startswith("@"):
            raise ValueError(f"Gradio leaves out {head}")
        else:
            yield f"{head} {{{body}}}"
            yield _below(head, body)


def _below(head: str, body: str) -> str:
    dark = _DARK if _DARK in head + body else ""
    parts = head.replace(_DARK, "", 1).split(",")
    return ",".join(f"{dark} {PAGE} {part.strip()}" for part in parts) + f" {{{body}}}"


def _rules(css: str) -> Iterator[tuple[str, str]]:
    """What stands before the braces, and what is in them."""
    start = opened = depth = 0
    for found in re.finditer(r"[{}]", css):
        depth += 1 if found[0] == "{" else -1
        if found[0] == "{" and depth == 1:
            opened = found.start()
        elif found[0] == "}" and depth == 0:
            yield css[start:opened].strip(), css[opened + 1 : found.start()].strip()
            start = found.end()
