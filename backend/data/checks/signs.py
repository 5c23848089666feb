"""Asks of many texts at once what each may have in it, by signs of a few characters: with numpy, no
loop over texts.

A text without a sign surely lacks what the sign is of; with it, whoever needs to know looks closer.
To ask each text for each sign takes three times as long: every search goes over all of it, and here
one pass is enough for all signs. Knows nothing about lessons.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.data.checks.characters import INVISIBLE, MOJIBAKE_SIGNS
from backend.data.checks.parameters import LATIN_TEXT
from backend.data.checks.person_names import CHINESE_SIGNS, is_before_age, is_chinese_name


class Sign:
    """What a text may have, as bits. Plain numbers: to ask an ``IntFlag`` for a bit takes ten times
    as long."""

    INVISIBLE = 1  # a character that no reader sees
    MOJIBAKE = 2
    DIGITS = 4  # four digits in a row
    AT = 8  # an @
    NAME = 16
    ASSISTANT = 32  # what an assistant says of itself; "language model" is not looked for
    LATIN = 64  # as many Latin letters as tell a language, and characters beyond ASCII


Bytes = NDArray[np.uint8]
Places = NDArray[np.int64]
_Found = Iterable[tuple[int, Sequence[int] | Places]]
"""Signs and the places where they are, in all texts one after another."""


def signs_of(texts: Sequence[str]) -> list[int]:
    """The signs that each text has, as bits of ``Sign``.

    Args:
        texts: Some dozens at a time, so that they fit in a core's cache.
    """
    order = sorted(range(len(texts)), key=lambda place: not texts[place].isascii())
    first_wide = sum(map(str.isascii, texts))
    plain = _PAD + "".join([texts[place] + _PAD for place in order[:first_wide]])
    joined = plain.encode("ascii")
    found = [0] * len(texts)
    if first_wide < len(texts):
        wide = [texts[place] for place in order[first_wide:]]
        lined_up = _PAD + _PAD.join(wide) + _PAD
        codes = _codes_of(lined_up)
        _note(found, order[first_wide:], map(len, wide), _wide_signs(lined_up, codes))
        # Where nothing but ASCII is looked for, one byte for each other character is enough.
        narrow = np.minimum(codes[_WIDTH:], 0xFF).astype(np.uint8)
        _note_latin(found, order[first_wide:], wide, narrow)
        joined += narrow.tobytes()
    lengths = [len(texts[place]) for place in order]
    _note(found, order, lengths, _ascii_signs(joined))
    return found


_WIDTH = 4
_PAD = "\n" * _WIDTH
"""Before, between and behind texts, so that one can look some characters to both sides."""


def _note(found: list[int], order: Sequence[int], lengths: Iterable[int], signs: _Found) -> None:
    """Put signs down to the texts where they are.

    Args:
        order: Which texts they are that were joined.
    """
    ends = np.cumsum([length + _WIDTH for length in lengths]) + _WIDTH
    for sign, places in signs:
        if len(places):
            for text in {*np.searchsorted(ends, places, side="right").tolist()}:
                found[order[text]] |= sign


def _note_latin(found: list[int], order: Sequence[int], wide: Sequence[str], narrow: Bytes) -> None:
    """Put down to texts that they have many Latin letters.

    Args:
        narrow: The texts, one behind another.
    """
    letters = ((narrow | np.uint8(0x20)) - np.uint8(ord("a"))) < np.uint8(26)
    start = 0
    for text, words in zip(order, wide, strict=True):
        end = start + len(words)
        if np.count_nonzero(letters[start:end]) >= LATIN_TEXT:
            found[text] |= Sign.LATIN
        start = end + _WIDTH


# --- Signs in ASCII -----------------------------------------------------------------------------

_DIGIT, _CAPITAL, _COLON, _AT, _CONTROL = range(1, 6)


def _class_of(byte: int) -> int:
    """The class of a byte at which something may begin; 0 of any other."""
    if 0x30 <= byte <= 0x39:
        return _DIGIT
    if 0x41 <= byte <= 0x5A:
        return _CAPITAL
    if (byte < 0x20 and byte not in b"\t\n\r") or byte == 0x7F:
        return _CONTROL
    return {ord(":"): _COLON, ord("@"): _AT}.get(byte, 0)


_CLASSES = bytes(map(_class_of, range(256)))

_ANY = bytes(range(256))
_BEHIND_DR = b". \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f" + bytes(range(0x80, 0x100))  # another space
_NAME_WORDS: tuple[tuple[bytes, ...], ...] = (
    (b"M", b"rs", _ANY, _ANY),  # Mr, Mrs, Ms
    (b"M", b"i", b"s", b"s"),
    (b"M", b"y", b" ", b"n"),
    (b"D", b"r", _BEHIND_DR, _ANY),
    (b"P", b"r", b"o", b"f"),
)
_ASSISTANT_WORDS: tuple[tuple[bytes, ...], ...] = (
    (b"A", b"I", _ANY, _ANY),
    (b"G", b"P", b"T", _ANY),
    (b"D", b"e", b"e", b"p"),
    (b"Q", b"w", b"e", b"n"),
)
"""By what each of their first four bytes may be."""


def _tables_of(words: Sequence[Sequence[bytes]]) -> NDArray[np.uint16]:
    """(``_WIDTH``, 256): bit i of an entry says that word i may have this byte at this place."""
    tables = np.zeros((_WIDTH, 256), dtype=np.uint16)
    for bit, word in enumerate(words):
        for place, allowed in enumerate(word):
            tables[place, list(allowed)] |= 1 << bit
    return tables


_WORDS = _tables_of((*_NAME_WORDS, *_ASSISTANT_WORDS))
_NAME_BITS = np.uint16((1 << len(_NAME_WORDS)) - 1)


def _ascii_signs(joined: bytes) -> _Found:
    data = np.frombuffer(joined, dtype=np.uint8)
    classes = np.frombuffer(joined.translate(_CLASSES), dtype=np.uint8)
    places = np.flatnonzero(classes != 0)
    kinds = classes[places]
    capitals, digits = places[kinds == _CAPITAL], places[kinds == _DIGIT]
    words = _words_at(data, capitals)
    yield Sign.INVISIBLE, places[kinds == _CONTROL]
    yield Sign.DIGITS, digits[3:][digits[3:] - digits[:-3] == 3]
    yield Sign.AT, places[kinds == _AT]
    yield Sign.NAME, capitals[(words & _NAME_BITS) != 0]
    yield Sign.ASSISTANT, capitals[(words & ~_NAME_BITS) != 0]
    yield Sign.NAME, _inside_words(joined, data, capitals, digits, places[kinds == _COLON])


def _words_at(data: Bytes, capitals: Places) -> NDArray[np.uint16]:
    """Bits of the words that begin at each place."""
    words: NDArray[np.uint16] = _WORDS[0][data[capitals]]
    left = np.flatnonzero(words)
    for place in range(1, _WIDTH):
        words[left] &= _WORDS[place][data[capitals[left] + place]]
        left = left[words[left] != 0]
    return words


_PATIENT = (b"atient ", b"atient: ", b"atient, ")


def _inside_words(
    joined: bytes, data: Bytes, capitals: Places, digits: Places, colons: Places
) -> list[int]:
    """Places of the signs of a name that begin in the middle of words: "atient J", "ame: " and
    "45-year"."""
    named = capitals[data[capitals - 1] == ord(" ")]
    before = data[named - 2]
    named = named[(before == ord("t")) | (before == ord(":")) | (before == ord(","))]
    found = [place for place in named.tolist() if joined.endswith(_PATIENT, 0, place)]
    colons = colons[(data[colons - 1] == ord("e")) & (data[colons + 1] == ord(" "))]
    found += [place for place in colons.tolist() if joined.endswith(b"ame", 0, place)]
    ages = digits[(data[digits + 2] == ord("y")) & (data[digits + 3] == ord("e"))] + 2
    return found + [place for place in ages.tolist() if is_before_age(joined, place)]


# --- Signs beyond ASCII -------------------------------------------------------------------------

_PLANE = 0x10000

_WIDE: Sequence[tuple[int, str, str, str]] = (
    (Sign.INVISIBLE, "", INVISIBLE.strip("[]"), ""),
    *((Sign.MOJIBAKE, *sign) for sign in MOJIBAKE_SIGNS),
    (Sign.ASSISTANT, "", "我", "是"),
    (Sign.ASSISTANT, "", "作", "为"),
    *((Sign.NAME, *sign) for sign in CHINESE_SIGNS),
)
"""A sign, and what may stand before a character, the character, and what may stand behind it."""


class _Tables(NamedTuple):
    """Bit i of an entry says that this character of the basic plane may stand in sign i of
    ``_WIDE``, or beside it."""

    here: NDArray[np.uint32]
    before: NDArray[np.uint32]
    behind: NDArray[np.uint32]
    some: NDArray[np.bool_]


@cache
def _wide_tables() -> _Tables:
    """Made when the first text is asked, in 10 ms."""
    plane = "".join(map(chr, range(0x80, _PLANE)))
    before, here, behind = np.zeros((3, _PLANE), dtype=np.uint32)
    for bit, (_, *allowed) in enumerate(_WIDE):
        for table, words in zip((before, here, behind), allowed, strict=True):
            listed = re.findall(f"[{words}]", plane) if "-" in words else words
            table[list(map(ord, listed)) if words else slice(None)] |= np.uint32(1 << bit)
    return _Tables(here, before, behind, here != 0)


def _codes_of(joined: str) -> NDArray[np.uint16]:
    """The characters as numbers; U+FFFF, which is none, for each beyond the basic plane."""
    codes = np.frombuffer(joined.encode("utf-16-le", "surrogatepass"), dtype=np.uint16)
    if len(codes) > len(joined):  # emoji: places would not be those of characters
        whole = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        codes = np.minimum(whole, _PLANE - 1).astype(np.uint16)
    return codes


def _wide_signs(joined: str, codes: NDArray[np.uint16]) -> _Found:
    tables = _wide_tables()
    places = np.flatnonzero(tables.some.take(codes))
    bits = tables.here[codes[places]]
    bits &= tables.before[codes[places - 1]]
    bits &= tables.behind[codes[places + 1]]
    places, bits = places[bits != 0], bits[bits != 0]
    for sign in (Sign.INVISIBLE, Sign.MOJIBAKE, Sign.ASSISTANT):
        yield sign, places[(bits & _bits_of(sign)) != 0]
    names = places[(bits & _bits_of(Sign.NAME)) != 0].tolist()
    yield Sign.NAME, [place for place in names if is_chinese_name(joined, place)]


@cache
def _bits_of(sign: int) -> np.uint32:
    return np.uint32(sum(1 << bit for bit, (one, *_) in enumerate(_WIDE) if one == sign))
