"""Words that are searched for in rows: whether a row holds them, and a quick no for many rows.

Whether a row holds them is decided on its values: any text or number in it, at any depth, ignoring
case as Python's ``re.IGNORECASE`` does. Before a row is read for that, its bytes are looked through
for all ways in which the words may be written there.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

_NUMBER = re.compile(r"[-+.\deEnaif]+")

# Letters outside ASCII that are the same as one inside, ignoring case: ı İ, ſ, and the Kelvin sign.
_ODD_LETTERS = {
    "i": ("\u0130", "\u0131"),
    "s": ("\u017f",),
    "k": ("\u212a",),
}

_ESCAPED_ASCII = re.compile(rb"\\u00[0-7]")


class Needle:
    """Words to search for."""

    def __init__(self, words: str) -> None:
        self._pattern = re.compile(re.escape(words), re.IGNORECASE)
        self._words = words.lower()
        self._one_spelling = _has_one_spelling(words)
        self._odd = tuple(
            letter for c, letters in _ODD_LETTERS.items() if c in self._words for letter in letters
        )

    def is_in(self, value: Any) -> bool:
        """Whether a value holds the words: a text or a number, or what a list or object holds."""
        match value:
            case str():
                return self._pattern.search(value) is not None
            case bool() | None:
                return False
            case int() | float():
                return self._pattern.search(str(value)) is not None
            case dict():
                return any(self.is_in(one) for one in value.values())
            case list():
                return any(self.is_in(one) for one in value)
        return False

    def literal(self, block: bytes, *, escaped: bool) -> bytes | None:
        """What a block, in lower case, holds if one of its rows holds the words.

        Args:
            escaped: The block is JSON, in which characters may be escaped.

        Returns:
            None where its rows must be read to know.
        """
        plain_ascii = block.isascii()
        odd_letters = [] if plain_ascii else [letter.encode() for letter in self._odd]
        if not self._one_spelling or _holds_any(block, odd_letters):
            return None
        if not escaped:
            return self._words.encode() if '"' not in self._words else None
        if b"\\u" not in block:
            return None if self._may_be_escaped(block) else _in_json(self._words)
        if _ESCAPED_ASCII.search(block) or self._may_be_escaped(block):
            return None
        if self._odd and _holds_any(block.lower(), map(_escape, self._odd)):
            return None
        if self._words.isascii():
            return _in_json(self._words)
        # One way of writing throughout; a block with both is read.
        return _in_json(self._words, escape=True) if plain_ascii else None

    def _may_be_escaped(self, block: bytes) -> bool:
        return "/" in self._words and b"\\/" in block


def _has_one_spelling(words: str) -> bool:
    """Whether words can only be written in one way, ASCII letters' case and escapes aside."""
    if _NUMBER.fullmatch(words):  # 1e3 is 1000.0
        return False
    if any("\ud800" <= c <= "\udfff" for c in words):  # half characters are in no text
        return False
    return not any(c > "\x7f" and c in _cased() for c in words)


@lru_cache(maxsize=1)
def _cased() -> frozenset[str]:
    """Characters outside ASCII of which another differs in nothing but case."""
    found = set()
    for code in range(0x80, 0x20000):
        c = chr(code)
        other = {c.lower(), c.upper(), c.casefold(), c.title()} - {c}
        if other:
            found.add(c)
            found.update(one for one in other if len(one) == 1)
    return frozenset(found)


def _in_json(words: str, *, escape: bool = False) -> bytes:
    """Words as JSON writes them, in lower case; with ``escape`` in ASCII only."""
    return json.dumps(words, ensure_ascii=escape)[1:-1].lower().encode()


def _holds_any(block: bytes, parts: Iterable[bytes]) -> bool:
    return any(part in block for part in parts)


def _escape(letter: str) -> bytes:
    return f"\\u{ord(letter):04x}".encode()
