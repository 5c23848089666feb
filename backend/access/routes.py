"""What is served: a list of all there is, and nothing that is not on it.

Gradio serves more than the page needs: a proxy for addresses on the web, an editor of its own
source, a monitor, streams of media, saved states of other pages. A route that a later version adds
is not served either until it is on this list; ``tests/unit/test_access_routes.py`` asks for all.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

API: Final = "/gradio_api"
TOOLS: Final = "/mcp"
"""Where ``--mcp`` is answered."""


class Kind(Enum):
    """What has to be looked at before a request goes on to Gradio."""

    OPEN = "open"
    """Nothing of a person's: served to who is not logged in, too."""
    PAGE = "page"
    """The page itself, which a person may open from anywhere."""
    PLAIN = "plain"
    """Named by its path alone."""
    FILE = "file"
    """A file named by the rest of the path."""
    EVENTS = "events"
    """What happens on one page, which the request names."""
    JSON = "json"
    """A question with a JSON body."""
    UPLOAD = "upload"
    """Files, written to disk as they come."""
    TOOLS = "tools"
    """A question of an agent (``--mcp``), with a JSON body or none."""


@dataclass(frozen=True)
class Route:
    """One route: its methods, its path as a regular expression, and what is looked at."""

    methods: frozenset[str]
    path: re.Pattern[str]
    kind: Kind


def _route(methods: str, path: str, kind: Kind) -> Route:
    return Route(frozenset(methods.split()), re.compile(path), kind)


_FILE = r"[^\x00-\x1f\x7f\\]+"
_PART = r"[A-Za-z0-9_.\-/]{1,200}"
_WORD = r"[\w.\-]{1,200}"

ROUTES = (
    _route("GET HEAD", "/", Kind.PAGE),
    # Browsers ask for these without the cookie.
    _route("GET HEAD", r"/(favicon\.ico|manifest\.json|pwa_icon|robots\.txt)", Kind.OPEN),
    # Asked by Gradio's own start, before anybody has logged in: it runs what is to run once.
    _route("GET", f"{API}/startup-events", Kind.OPEN),
    _route("GET HEAD", rf"/(assets|static|svelte)/{_PART}", Kind.PLAIN),
    _route("GET", rf"({API})?/theme\.css", Kind.PLAIN),
    _route("GET", r"/config/?", Kind.PLAIN),
    _route(
        "GET", rf"{API}/(info/?|openapi\.json|app_id/?|queue/status|upload_progress)", Kind.PLAIN
    ),
    _route("GET HEAD", rf"{API}/file[=/]{_FILE}", Kind.FILE),
    _route("GET", f"{API}/queue/data", Kind.EVENTS),
    _route("GET", rf"{API}/heartbeat/{_WORD}", Kind.EVENTS),
    _route("POST", rf"{API}/(queue/join|cancel|reset/?|component_server/?)", Kind.JSON),
    # Named endpoints, for scripts: a call gives the id of an event, which a second one follows.
    _route("POST", rf"{API}/call/(v2/)?{_WORD}/?", Kind.JSON),
    _route("GET", rf"{API}/call/(v2/)?{_WORD}/{_WORD}", Kind.PLAIN),
    _route("POST", f"{API}/upload", Kind.UPLOAD),
    _route("GET POST DELETE", TOOLS, Kind.TOOLS),
)


def find(method: str, path: str) -> Kind | None:
    """The kind of a request, or None for what is not served."""
    for route in ROUTES:
        if method in route.methods and route.path.fullmatch(path):
            return route.kind
    return None
