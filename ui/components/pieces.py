"""Long text in pieces that a browser lays out one by one.

The time that Chromium takes for the lines of one block grows with the square of its length where
scripts change within it: 7 s for 100,000 characters of English with Chinese words, and memory by
the gigabyte while such blocks stand beside each other. In pieces it takes 0.7 s, and those out of
sight take none.
"""

from __future__ import annotations

from collections.abc import Iterator

from ui.html import Safe, element, join, safe

LONGEST = 2000
"""Characters of a piece."""


def in_pieces(content: str) -> Safe:
    """``content`` for a place in which white space counts; its text stays what it is.

    Short text is left without elements of its own.
    """
    if len(content) <= LONGEST:
        return safe(content)
    return join(element("div", piece, cls="mt-piece") for piece in cut(content))


def cut(content: str) -> Iterator[str]:
    """Pieces of at most ``LONGEST`` characters that end with a line, where they can."""
    start = 0
    while start < len(content):
        end = start + LONGEST
        line = content.rfind("\n", start, end) + 1 if end < len(content) else 0
        end = line if line > start else end
        yield content[start:end]
        start = end
