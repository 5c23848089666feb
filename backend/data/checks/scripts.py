"""Whether a text is written in Chinese or in Latin letters, and where one stands in the other.

Counted on UTF-8: what begins with a byte from E4 to E9 is U+4000 to U+9FFF, the Chinese characters
in use. Knows nothing about lessons.
"""

from __future__ import annotations

import re
from string import ascii_letters
from typing import Literal

from backend.data.checks.parameters import (
    HAN_PER_LATIN,
    HAN_RUN,
    HAN_TEXT,
    LATIN_RUN,
    LATIN_TEXT,
)

Script = Literal["han", "latin", ""]

HAN_LEADS = bytes(range(0xE4, 0xEA))
LATIN = ascii_letters.encode()

_HAN = re.compile("[\u4000-\u9fff]")
_HAN_RUN = re.compile(f"[\u4000-\u9fff\u3000-\u303f\uff00-\uffef]{{{HAN_RUN},}}")
_LATIN_RUN = re.compile(f"[\\x20-\\x7e]{{{LATIN_RUN},}}")


def has_han(text: str) -> bool:
    """Whether a short text has a Chinese character."""
    return not text.isascii() and _HAN.search(text) is not None


def counted(text: str) -> tuple[int, int]:
    """How many Chinese characters and how many Latin letters."""
    data = text.encode("utf-8", "surrogatepass")
    latin = len(data) - len(data.translate(None, LATIN))
    return (0 if text.isascii() else len(data) - len(data.translate(None, HAN_LEADS))), latin


def script_of(han: int, latin: int) -> Script:
    """What a text with so many characters of each is written in; "" where that is not clear."""
    if latin >= LATIN_TEXT and latin > HAN_PER_LATIN * han:
        return "latin"
    if han >= HAN_TEXT and 2 * han > latin:
        return "han"
    return ""


def is_chinese(text: str) -> bool:
    """Whether more of a text is Chinese than Latin, a character counted as two letters."""
    han, latin = counted(text)
    return 2 * han > latin


def foreign_words(question: str, text: str) -> str:
    """What of an answer to ``question`` is in the other script: its beginning, or a long run in
    it."""
    if question.isascii() and text.isascii():
        return ""
    han, latin = counted(text)
    asked, said = script_of(*counted(question)), script_of(han, latin)
    if asked and said and asked != said:
        return text
    run = None
    if said == "latin" and han >= HAN_RUN // 2:
        run = _HAN_RUN.search(text)
    elif said == "han" and latin >= LATIN_RUN // 2:
        run = _LATIN_RUN.search(text)
    return run.group() if run and script_of(*counted(run.group())) else ""
