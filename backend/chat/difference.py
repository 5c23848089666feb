"""Where two texts differ, word by word; in scripts without spaces character by character.

The words that stay are a longest common subsequence, found with one machine word for 64 places:
M. Crochemore, C. S. Iliopoulos, Y. J. Pinzon and J. F. Reid, "A fast and practical bit-vector
algorithm for the longest common subsequence problem", Information Processing Letters 80 (2001).
Python's integers are those machine words. difflib needs a minute for what takes this a tenth of a
second, and where words repeat it finds less in common. Knows nothing about pages.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from typing import Literal, NamedTuple

Kind = Literal["kept", "removed", "added"]

_MOST_BITS = 1 << 27
"""So many cells of the table are held at once: 16 MB. Above it the first text is cut in two where
D. S. Hirschberg's method says (Communications of the ACM 18, 1975), at twice the time."""

_CONFETTI = 3
"""So many words at most are given up between changes."""

_ALONE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
"""Kana and Han: each character is a word."""

_WORD = rf"[^\W{_ALONE}]"
_TOKEN = re.compile(rf"([{_ALONE}]|\d+(?:[.,]\d+)*%?|{_WORD}+(?:['’-]{_WORD}+)*|\S)(\s*)")
"""A character, a number, a word such as "HbA1c" or "COVID-19", or any other sign."""


class Piece(NamedTuple):
    """A run of text: in both texts, only in the old one, or only in the new one."""

    kind: Kind
    text: str


@dataclass(frozen=True)
class Difference:
    """What has become of a text.

    Attributes:
        pieces: ``kept`` and ``removed`` together are the old text, ``kept`` and ``added`` the new.
        kept, removed, added: Words of each kind.
    """

    pieces: tuple[Piece, ...]
    kept: int
    removed: int
    added: int


class _Token(NamedTuple):
    word: str
    space: str


class _Span(NamedTuple):
    """Words ``start`` to ``end`` of the old text became ``new_start`` to ``new_end`` of the new."""

    same: bool
    start: int
    end: int
    new_start: int
    new_end: int

    @property
    def size(self) -> int:
        return max(self.end - self.start, self.new_end - self.new_start)


@lru_cache(maxsize=64)
def difference(old: str, new: str) -> Difference:
    """From ``old`` to ``new``. Two answers of 8,000 words take some 60 ms, kept for the next time.

    A word or two that happen to stay between larger changes are shown as changed too: a sentence
    that was written anew is easier to read whole than as confetti.
    """
    before, after = _tokens(old), _tokens(new)
    spans = _readable(_spans(before, after))
    pieces = [piece for span in spans for piece in _pieces(span, before, after)]
    kept = sum(_words(before[span.start : span.end]) for span in spans if span.same)
    removed, added = _words(before) - kept, _words(after) - kept
    return Difference(tuple(_joined(pieces)), kept, removed, added)


def _words(tokens: Sequence[_Token]) -> int:
    return sum(bool(token.word) for token in tokens)


def _tokens(text: str) -> list[_Token]:
    """Words, each with the white space behind it; white space at the start is behind no word."""
    lead = len(text) - len(text.lstrip())
    tokens = [_Token("", text[:lead])] if lead else []
    return tokens + [_Token(*match.groups()) for match in _TOKEN.finditer(text, lead)]


def _pieces(span: _Span, before: Sequence[_Token], after: Sequence[_Token]) -> Iterator[Piece]:
    old, new = before[span.start : span.end], after[span.new_start : span.new_end]
    if not span.same:
        yield Piece("removed", "".join(map("".join, old)))
        yield Piece("added", "".join(map("".join, new)))
        return
    for was, now in zip(old, new, strict=True):
        yield Piece("kept", was.word)
        if was.space == now.space:
            yield Piece("kept", was.space)
        else:
            yield Piece("removed", was.space)
            yield Piece("added", now.space)


def _joined(pieces: Iterable[Piece]) -> Iterator[Piece]:
    full = (piece for piece in pieces if piece.text)
    for kind, run in groupby(full, key=lambda piece: piece.kind):
        yield Piece(kind, "".join(piece.text for piece in run))


# --- What stays ---------------------------------------------------------------------------------


def _spans(before: Sequence[_Token], after: Sequence[_Token]) -> list[_Span]:
    """Runs that stay and runs that change, by turns."""
    old, new = [token.word for token in before], [token.word for token in after]
    spans: list[_Span] = []
    at, new_at = 0, 0
    ends = [(len(old), len(new))]
    for place, new_place in [*_common(old, new), *ends]:
        if place > at or new_place > new_at:
            spans.append(_Span(False, at, place, new_at, new_place))
        if (place, new_place) == ends[0]:
            break
        last = spans[-1] if spans else None
        if last is not None and last.same and (last.end, last.new_end) == (place, new_place):
            spans[-1] = last._replace(end=place + 1, new_end=new_place + 1)
        else:
            spans.append(_Span(True, place, place + 1, new_place, new_place + 1))
        at, new_at = place + 1, new_place + 1
    return spans


def _common(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    """Places of the words that stay, in both texts, ascending: as many as there can be."""
    start = 0
    shorter = min(len(old), len(new))
    while start < shorter and old[start] == new[start]:
        start += 1
    tail = 0
    while tail < shorter - start and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    middle = _longest(old[start : len(old) - tail], new[start : len(new) - tail])
    head = [(place, place) for place in range(start)]
    inner = [(start + place, start + other) for place, other in middle]
    return head + inner + [(len(old) - left, len(new) - left) for left in range(tail, 0, -1)]


def _longest(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    if not old or not new:
        return []
    if len(old) * len(new) <= _MOST_BITS or len(old) == 1:
        return _traced(old, new)
    half = len(old) // 2
    cut = _best_cut(old, new, half)
    later = _longest(old[half:], new[cut:])
    return _longest(old[:half], new[:cut]) + [(half + a, cut + b) for a, b in later]


def _rows(old: Iterable[str], new: Sequence[str]) -> Iterator[int]:
    """After each word of ``old``: bit j is 0 where word j of ``new`` makes the longest common
    subsequence one longer."""
    places: dict[str, int] = {}
    for place, word in enumerate(new):
        places[word] = places.get(word, 0) | 1 << place
    full = (1 << len(new)) - 1
    row = full
    for word in old:
        if here := places.get(word, 0):
            grown = row & here
            row = ((row + grown) | (row - grown)) & full
        yield row


def _traced(old: Sequence[str], new: Sequence[str]) -> list[tuple[int, int]]:
    # As bytes a bit is looked up in no time; of an integer, all of it would be shifted.
    width = len(new) // 8 + 1
    full = (1 << len(new)) - 1
    rows = [full.to_bytes(width, "little")]
    rows += [row.to_bytes(width, "little") for row in _rows(old, new)]
    found: list[tuple[int, int]] = []
    place, other = len(old), len(new)
    while place and other:
        byte, bit = divmod(other - 1, 8)
        if rows[place][byte] >> bit & 1:
            other -= 1
        elif not rows[place - 1][byte] >> bit & 1:
            place -= 1
        else:
            place, other = place - 1, other - 1
            found.append((place, other))
    return found[::-1]


def _best_cut(old: Sequence[str], new: Sequence[str], half: int) -> int:
    """Where ``new`` is cut so that both halves together have the longest in common."""
    first = _lengths(old[:half], new)
    last = _lengths(old[half:][::-1], new[::-1])[::-1]
    return max(range(len(new) + 1), key=lambda cut: first[cut] + last[cut])


def _lengths(old: Sequence[str], new: Sequence[str]) -> list[int]:
    """The length in common of ``old`` and the first 0, 1, 2, … words of ``new``."""
    row = deque(_rows(old, new), maxlen=1).pop()
    bits = f"{row:0{len(new)}b}"[::-1]
    lengths = [0]
    for bit in bits:
        lengths.append(lengths[-1] + (bit == "0"))
    return lengths


# --- What is read -------------------------------------------------------------------------------


def _readable(spans: Iterable[_Span]) -> list[_Span]:
    """Short runs that stay are given up where the changes on both sides are as long as they are.

    The rule is that of diff-match-patch's "semantic cleanup" (N. Fraser, 2006), which has no limit
    of length: it gives up whole sentences.
    """
    kept: list[_Span] = []
    for span in spans:
        kept.append(span)
        while len(kept) >= 3 and _is_confetti(*kept[-3:]):
            first, _, last = kept[-3:]
            kept[-3:] = [_Span(False, first.start, last.end, first.new_start, last.new_end)]
    return kept


def _is_confetti(first: _Span, middle: _Span, last: _Span) -> bool:
    between = middle.same and not first.same and not last.same
    return between and middle.size <= min(first.size, last.size, _CONFETTI)
