"""Answers that are the same for everybody, kept in memory: the page as Gradio made it, its scripts.

For each page Gradio copies its whole configuration and writes it as JSON, and each script that the
page loads is read and compressed anew: two thirds of what the server does until a page is there.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Mapping
from typing import Any

from backend.access.gate import Application
from ui.answers import Answer, asked, header, say

Scope = Mapping[str, Any]

MOST_BYTES = 16_000_000
"""Kept at most; what nobody has asked for longest goes first."""

ASKS_FOR_PART = frozenset({b"range", b"if-none-match", b"if-modified-since"})


class Kept:
    """An ASGI application that asks the one in it once for each thing.

    Args:
        about: What is asked for, if it may be kept: two requests that give the same get the same.
            Only whole answers with status 200 and no cookie are kept.
    """

    def __init__(self, app: Application, *, about: Callable[[Scope], Hashable | None]) -> None:
        self._app = app
        self._about = about
        self._answers: OrderedDict[Hashable, Answer] = OrderedDict()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        whole = scope["type"] == "http" and not _asks_for_part(scope)
        key = self._about(scope) if whole else None
        if key is None:
            await self._app(scope, receive, send)
            return
        if key not in self._answers:
            answer = await asked(self._app, scope, receive)
            if not _for_everybody(answer[0]):
                await say(answer, send)
                return
            self._keep(key, answer)
        self._answers.move_to_end(key)
        await say(self._answers[key], send)

    def _keep(self, key: Hashable, answer: Answer) -> None:
        self._answers[key] = answer
        while sum(len(body) for _, body in self._answers.values()) > MOST_BYTES:
            if len(self._answers) == 1:
                return
            self._answers.popitem(last=False)


def of_page(scope: Scope) -> Hashable | None:
    """The page itself, which says under which address it was asked for; Gradio's log-in, whose name
    it would say too, is not used."""
    if scope["path"] != "/" or scope["method"] != "GET" or scope["query_string"]:
        return None
    return scope["scheme"], scope.get("root_path", ""), header(scope, b"host")


def of_script(scope: Scope) -> Hashable | None:
    """Gradio's scripts and styles, whose names say their content."""
    if not scope["path"].startswith("/assets/") or scope["method"] != "GET":
        return None
    return scope["path"], header(scope, b"accept-encoding")


def _for_everybody(begun: Mapping[str, Any]) -> bool:
    names = {name.lower() for name, _ in begun["headers"]}
    return begun["status"] == 200 and b"set-cookie" not in names


def _asks_for_part(scope: Scope) -> bool:
    return any(name.lower() in ASKS_FOR_PART for name, _ in scope["headers"])
