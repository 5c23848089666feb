"""Text as HTML in which places are marked: think tags, what a check found, what was searched for.

Marks may overlap; each says by its class what it is. Knows nothing about rows and checks.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby

from backend.text import text
from ui.html import Safe, count, element, join, safe

SHOWN_CHARACTERS = 20_000
"""A field longer than this is cut on the page, with a sentence; the file keeps all of it."""

_TAG = re.compile(r"</?think>")
_CLASSES = {1: "mt-tag", 2: "mt-found", 4: "mt-hit"}
"""Bit of a character → class of the mark: a think tag, a check's evidence, a searched word."""

_HIDDEN = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")


def visible(content: str) -> str:
    """Control characters as the pictures that Unicode has for them, and halves of pairs as U+FFFD.

    A browser drops the former, and the latter can't be sent to it at all. The length stays.
    """
    return _HIDDEN.sub(_picture, content)


def _picture(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code >= 0xD800:
        return "\ufffd"
    return chr(0x2421 if code == 0x7F else 0x2400 + code)


def marked(content: str, *, evidence: Sequence[str] = (), words: str = "") -> Safe:
    """``content`` with its think tags, all places of ``evidence`` and of ``words`` marked.

    Args:
        evidence: Found as it is written; empty strings are passed over.
        words: What was searched for: one string, found in upper and lower case as the reader
            of the rows finds it.
    """
    bits = bytearray(len(content))
    for bit, start, end in _places(content, evidence, words):
        for place in range(start, end):
            bits[place] |= bit
    pieces: list[Safe] = []
    start = 0
    for bit, run in groupby(bits):
        end = start + sum(1 for _ in run)
        pieces.append(_piece(content[start:end], bit))
        start = end
    return join(pieces)


def _piece(content: str, bits: int) -> Safe:
    if not bits:
        return safe(visible(content))
    classes = " ".join(name for bit, name in _CLASSES.items() if bits & bit)
    return element("mark", visible(content), cls=classes)


def _places(content: str, evidence: Sequence[str], words: str) -> Iterator[tuple[int, int, int]]:
    """Bit, start and end of everything that is marked."""
    patterns = [(1, _TAG)]
    patterns += [(2, re.compile(re.escape(one))) for one in evidence if one]
    if words.strip():
        patterns.append((4, re.compile(re.escape(words), re.IGNORECASE)))
    for bit, pattern in patterns:
        for match in pattern.finditer(content):
            yield bit, match.start(), match.end()


def shortened(content: str) -> str:
    """What the page shows of a field."""
    return content[:SHOWN_CHARACTERS]


def cut_note(content: str, language: str) -> Safe:
    """Says how much of a field is not shown; nothing where all of it is."""
    left = len(content) - SHOWN_CHARACTERS
    if left <= 0:
        return Safe("")
    return element("p", text(language, "data.view.rows.cut", number=count(left)), cls="mt-quiet")
