"""Small pieces of HTML. Every text that comes from data or a person is escaped here, once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from backend.text import text


class Safe(str):
    """HTML that is already escaped, so that pieces can be put together without doubt."""

    __slots__ = ()


def safe(value: object) -> Safe:
    """``value`` as HTML: escaped unless it is already."""
    return value if isinstance(value, Safe) else Safe(escape(str(value)))


def element(tag: str, *children: object, cls: str = "", **attributes: object) -> Safe:
    """``<tag class=cls …>children</tag>``; ``data_x=1`` becomes ``data-x="1"``."""
    if cls:
        attributes["class"] = cls
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(str(value))}"'
        for name, value in attributes.items()
    )
    return Safe(f"<{tag}{written}>{''.join(safe(child) for child in children)}</{tag}>")


def join(pieces: Iterable[object]) -> Safe:
    return Safe("".join(safe(piece) for piece in pieces))


def table(
    headers: Sequence[str], rows: Iterable[Sequence[object]], *, numeric: frozenset[int]
) -> Safe:
    """A table; the columns in ``numeric`` are set right-aligned in tabular figures."""

    def cells(tag: str, values: Sequence[object]) -> Safe:
        return join(
            element(tag, value, cls="mt-number" if index in numeric else "")
            for index, value in enumerate(values)
        )

    head = element("thead", element("tr", cells("th", headers)))
    body = element("tbody", join(element("tr", cells("td", row)) for row in rows))
    return element("div", element("table", head, body, cls="mt-table"), cls="mt-scroll")


def badge(words: str, tone: str) -> Safe:
    """A small label; ``tone`` is good, busy, bad or quiet. The words carry the meaning."""
    return element("span", words, cls=f"mt-badge mt-{tone}")


def empty(language: str, key: str, *ways: str, **params: object) -> Safe:
    """What an empty place says: what to do next.

    Args:
        ways: Where the words in square brackets lead, in their order, see ``linked``.
    """
    words = linked(text(language, key, **params), *ways)
    return element("div", element("span", words), cls="mt-empty")


def linked(words: str, *ways: str) -> Safe:
    """A sentence whose words in square brackets are links that do what they say.

    Args:
        ways: For each of them ``"tab"``, ``"tab#field"``, ``"#field"`` or ``"sample"``, see
            ``assets/js/ways.js``. Without any the sentence is taken as it is.
    """
    if not ways:
        return safe(words)
    plain, *rest = words.split("[")
    pieces: list[object] = [plain]
    for way, piece in zip(ways, rest, strict=True):
        said, _, after = piece.partition("]")
        # No button: its words would not run on over the end of a line.
        pieces += [element("a", said, href="#", cls="mt-link", data_way=way), after]
    return join(pieces)


def facts(pairs: Iterable[tuple[str, object]]) -> Safe:
    """Labelled figures in a row."""
    return element(
        "dl",
        join(
            element("div", element("dt", label), element("dd", value), cls="mt-fact")
            for label, value in pairs
        ),
        cls="mt-facts",
    )


def duration(seconds: float | None) -> str:
    """``h:mm:ss`` or ``m:ss``; a dash where it is unknown."""
    if seconds is None:
        return "–"
    minutes, second = divmod(round(seconds), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def count(value: float | None) -> str:
    """A whole number with thousands separators; a dash where it is unknown."""
    return "–" if value is None else f"{value:,.0f}"


def figure(value: float | None, digits: int = 4) -> str:
    """A measured number in ``digits`` significant digits; a dash where it is unknown."""
    if value is None:
        return "–"
    return f"{value:.{digits}g}"
