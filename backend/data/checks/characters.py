"""Characters that no reader sees or that went through a wrong decoding, and how they are repaired.

Knows nothing about lessons.
"""

from __future__ import annotations

import re

INVISIBLE = (
    "[\\x00-\\x08\\x0b\\x0c\\x0e-\\x1f\\x7f-\\x9f"  # C0 but tab and line ends, delete, C1
    "\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff"  # zero width, bidirectional, byte order mark
    "\ud800-\udfff"  # halves of a pair, which no file can hold
    "\ufffd]"  # what stands for a character that was lost
)
_INVISIBLE = re.compile(INVISIBLE)
# Each begins with one literal byte, to which the search can skip.
_INVISIBLE_BYTES = (
    (b"\xe2", re.compile(rb"\xe2(?:\x80[\x8b-\x8f\xaa-\xae]|\x81[\xa0-\xa9])")),
    (b"\xef", re.compile(rb"\xef(?:\xbb\xbf|\xbf\xbd)")),
    (b"\xc2", re.compile(rb"\xc2[\x80-\x9f]")),
    (b"\xed", re.compile(rb"\xed[\xa0-\xbf]")),
)

LOST = "\ufffd"

LOST_IN_GBK = "锟斤拷"
"""Two lost characters (U+FFFD, in UTF-8 EF BF BD) read as GBK; what was there is not known."""

_LATIN_SIGN = re.compile(
    # UTF-8's lead bytes C2 C3 C5 CE-D1 E2-E9 EF F0 as Latin-1, with what a second byte looks like.
    "[ÂÃÅÎÏÐÑâãäåæçèéïð][\x80-\xbf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc"
    "\u2013\u2014\u2018-\u201a\u201c-\u201e\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122]"
)
# The first two bytes of ，。“ and their like are such characters in GBK, which are rare otherwise.
_GBK_SIGN = re.compile("[锛銆鈥]")
_GBK_RUN = re.compile("[^\x00-\x7f]{3,}")
_SIGN_BYTES = re.compile(rb"\xc3[\x82\x83\x85\x8e-\x91\xa2-\xa9\xaf\xb0][\xc2\xc5\xc6\xcb\xe2]")
_GBK_SIGN_BYTES = re.compile(rb"\xe9(?:\x94[\x9b\x9f]|\x8a\x86|\x88\xa5)")


def invisible_in(text: str) -> re.Match[str] | None:
    """The first character that is to go."""
    return _INVISIBLE.search(text)


def without_invisible(text: str) -> str:
    return _INVISIBLE.sub("", text)


def may_be_invisible(data: bytes) -> bool:
    """Whether UTF-8 (with surrogates) beyond ASCII may have a character that is to go."""
    return any(lead in data and pattern.search(data) for lead, pattern in _INVISIBLE_BYTES)


def may_be_mojibake(data: bytes) -> bool:
    """Whether UTF-8 has a sign of a wrong decoding; without one ``mojibake_in`` finds nothing."""
    latin = b"\xc3" in data and _SIGN_BYTES.search(data) is not None
    return latin or (b"\xe9" in data and _GBK_SIGN_BYTES.search(data) is not None)


def mojibake_in(text: str) -> str:
    """What was read with a wrong encoding: its first sign with some words; empty where nothing."""
    if text.isascii():
        return ""
    if LOST_IN_GBK in text:
        return LOST_IN_GBK
    sign = _LATIN_SIGN.search(text) or _GBK_SIGN.search(text)
    if sign is None or _decoded(text) == text:
        return ""
    return text[max(0, sign.start() - 20) : sign.end() + 60]


def without_mojibake(text: str) -> str:
    """The text as it was meant, as far as it can be known; what is lost is left out."""
    if not mojibake_in(text):
        return text
    return _decoded(text.replace(LOST_IN_GBK, ""))


def _decoded(text: str) -> str:
    if _LATIN_SIGN.search(text):
        import ftfy  # only here: few files need it

        text = ftfy.fix_encoding(text)
    return _GBK_RUN.sub(_from_gbk, text) if _GBK_SIGN.search(text) else text


def _from_gbk(match: re.Match[str]) -> str:
    """A run of characters that are UTF-8 read as GBK, read as UTF-8; others as they are.

    Chinese text that happens to be valid UTF-8 in GBK's bytes is all but impossible beyond a few
    characters: each needs the bit pattern of a lead byte and its followers.
    """
    try:
        return match.group().encode("gb18030").decode("utf-8")
    except UnicodeError:
        return match.group()
