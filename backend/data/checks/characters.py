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

LOST = "\ufffd"

LOST_IN_GBK = "锟斤拷"
"""Two lost characters (U+FFFD, in UTF-8 EF BF BD) read as GBK; what was there is not known."""

# UTF-8's lead bytes C2 C3 C5 CE-D1 E2-E9 EF F0 as Latin-1, with what a second byte looks like.
_LATIN_LEADS = "ÂÃÅÎÏÐÑâãäåæçèéïð"
_LATIN_NEXT = (
    "\x80-\xbf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc"
    "\u2013\u2014\u2018-\u201a\u201c-\u201e\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122"
)
_LATIN_SIGN = re.compile(f"[{_LATIN_LEADS}][{_LATIN_NEXT}]")
# The first two bytes of ，。“ and their like are such characters in GBK, which are rare otherwise.
_GBK_SIGN = re.compile("[锛銆鈥]")
_GBK_RUN = re.compile("[^\x00-\x7f]{3,}")


MOJIBAKE_SIGNS = (("", "锛銆鈥" + LOST_IN_GBK[0], ""), ("", _LATIN_LEADS, _LATIN_NEXT))
"""Characters without which ``mojibake_in`` finds nothing, with what may stand before and behind one
of them, as in a pattern; any character where that is empty."""


def invisible_in(text: str) -> re.Match[str] | None:
    """The first character that is to go."""
    return _INVISIBLE.search(text)


def without_invisible(text: str) -> str:
    return _INVISIBLE.sub("", text)


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
