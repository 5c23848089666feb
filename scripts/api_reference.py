"""Writes the reference in docs/api.md from the endpoints: `python -m scripts.api_reference`.

What stands there before it is written by hand.
"""

from __future__ import annotations

import json
import re
import tempfile
import types
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from backend.chat.room import Room
from backend.services import Services
from backend.workspace import Workspace
from ui.outside.endpoint import Argument, Endpoint
from ui.outside.offering import endpoints

PAGE = Path(__file__).resolve().parent.parent / "docs" / "api.md"
BEGIN = "## Reference\n"


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        services = Services.of(Workspace.open(Path(folder)))
        room = Room(services.workspace, services.engines, services.remotes)
        written = PAGE.read_text(encoding="utf-8").partition(BEGIN)[0]
        PAGE.write_text(written + reference(endpoints(services, room)), encoding="utf-8")
        services.close()


def reference(offered: Sequence[Endpoint]) -> str:
    """The reference, from its heading on."""
    summary = ["| endpoint | what it does |", "|---|---|"]
    summary += [f"| [`{one.name}`](#{one.name}) | {_first(one.about)} |" for one in offered]
    return "\n".join([BEGIN, *summary, "", *(line for one in offered for line in _section(one))])


def _section(endpoint: Endpoint) -> Iterator[str]:
    yield from (f"### {endpoint.name}", "", endpoint.about, "")
    if endpoint.arguments:
        yield from ("| argument | type | default | |", "|---|---|---|---|")
        yield from (_row(one) for one in endpoint.arguments)
        yield ""
    yield from (f"Answers `{_kind(endpoint.answer)}`. {endpoint.answers}", "")


def _row(argument: Argument) -> str:
    default = "required" if argument.required else f"`{json.dumps(argument.default)}`"
    kind = _kind(argument.kind).replace("|", "\\|")
    return f"| `{argument.name}` | `{kind}` | {default} | {argument.about} |"


def _kind(kind: Any) -> str:
    if get_origin(kind) in (Union, types.UnionType):
        return " | ".join(_kind(one) for one in get_args(kind))
    if get_origin(kind) is Literal:
        return " | ".join(f'"{one}"' for one in get_args(kind))
    if kind is types.NoneType:
        return "None"
    return re.sub(r"typing\.", "", str(kind)) if get_origin(kind) else kind.__name__


def _first(words: str) -> str:
    return re.split(r"(?<=\.) ", words)[0]


if __name__ == "__main__":
    main()
