"""Two texts as pieces that both have, or only one. Knows nothing about templates."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher

from backend.data.tokens.values import Piece, PieceKind

WORDS_LIMIT = 2000
"""Longer middles, once what begins and ends alike is set aside, are not compared word by word:
the time for that grows with the square."""

_WORD = re.compile(r"<[^<>\s]{1,40}>|\w+|\n|[^\S\n]+|[^\w\s]")


def pieces(training: str, serving: str) -> tuple[Piece, ...]:
    """The two texts aligned by words and markers; pieces of a side put together are its text."""
    ours, theirs = _WORD.findall(training), _WORD.findall(serving)
    start = _same(ours, theirs)
    end = _same(ours[start:][::-1], theirs[start:][::-1])
    found = [
        ("same", ours[:start]),
        *_middle(ours[start : len(ours) - end], theirs[start : len(theirs) - end]),
        ("same", ours[len(ours) - end :]),
    ]
    return tuple(_joined(found))


def _same(one: Sequence[str], other: Sequence[str]) -> int:
    """So many words are the same from the start."""
    for place, (mine, yours) in enumerate(zip(one, other, strict=False)):
        if mine != yours:
            return place
    return min(len(one), len(other))


def _middle(ours: list[str], theirs: list[str]) -> Iterator[tuple[PieceKind, list[str]]]:
    if not ours or not theirs or max(len(ours), len(theirs)) > WORDS_LIMIT:
        yield "training", ours
        yield "serving", theirs
        return
    matcher = SequenceMatcher(None, ours, theirs, autojunk=False)
    for tag, first, last, start, end in matcher.get_opcodes():
        if tag == "equal":
            yield "same", ours[first:last]
        else:
            yield "training", ours[first:last]
            yield "serving", theirs[start:end]


def _joined(found: Sequence[tuple[PieceKind, list[str]]]) -> Iterator[Piece]:
    """Neighbours of one kind as one piece; empty ones left out."""
    kind: PieceKind = "same"
    words: list[str] = []
    for next_kind, more in found:
        if more and next_kind != kind:
            if words:
                yield Piece(kind, "".join(words))
            kind, words = next_kind, []
        words = words + more
    if words:
        yield Piece(kind, "".join(words))
