"""Finds what may identify a person, and puts a mark in its place.

Patterns are narrow on purpose: doses, laboratory values, years and PMIDs are numbers too, and
eponyms are names too. Knows nothing about lessons.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from backend.data.checks.looks import IS, Look, Pattern, Span, behind
from backend.data.checks.person_names import NAMES
from backend.data.checks.scripts import is_chinese


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of identifying data.

    Attributes:
        english, chinese: What stands in its place, by the language of the text.
        looks: What it looks like.
    """

    english: str
    chinese: str
    looks: tuple[Look, ...]

    def spans(self, text: str) -> list[Span]:
        """Where a text has it; no two overlap, in order."""
        spans: list[Span] = []
        for start, end in sorted(span for look in self.looks for span in look.spans(text)):
            if not spans or start >= spans[-1][1]:
                spans.append((start, end))
        return spans

    def masked(self, text: str) -> str:
        """The text with marks; the same where it has none."""
        spans = self.spans(text)
        mark = self.chinese if spans and is_chinese(text) else self.english
        for start, end in reversed(spans):
            text = f"{text[:start]}{mark}{text[end:]}"
        return text


# --- Identity numbers ---------------------------------------------------------------------------

_ID_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_ID_DIGITS = "10X98765432"
_PROVINCES = frozenset(
    [*range(11, 16), *range(21, 24), *range(31, 38), *range(41, 47), *range(50, 55)]
    + [*range(61, 66), 71, 81, 82]
)
"""The first two digits, by GB/T 2260."""


def is_identity_number(words: str) -> bool:
    """Whether 18 characters are a citizen identity number: with a date of birth that exists, and
    the check digit of GB 11643-1999 (ISO 7064, MOD 11-2)."""
    if not _is_day(words[6:14]):
        return False
    total = sum(int(digit) * weight for digit, weight in zip(words, _ID_WEIGHTS, strict=False))
    return _ID_DIGITS[total % 11] == words[17].upper()


def is_old_identity_number(words: str) -> bool:
    """Whether 15 digits are an identity number as given out until 1999: a province that there is,
    and a date of birth. It has no check digit; one in seventy of any 15 digits passes."""
    return int(words[:2]) in _PROVINCES and _is_day(f"19{words[6:12]}")


def _is_day(digits: str) -> bool:
    try:
        date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return False
    return True


_CN_IDS = (
    Pattern(
        "",
        (
            r"(?<![0-9A-Za-z])[1-9][0-9]{5}(?:18|19|20)[0-9]{2}[01][0-9][0-3][0-9]{4}[0-9Xx]"
            r"(?![0-9A-Za-z])"
        ),
        is_identity_number,
    ),
    Pattern(
        "",
        (
            r"(?<![0-9A-Za-z])(?<![0-9][.\-])[1-8][0-9]{7}[01][0-9][0-3][0-9]{4}(?![0-9A-Za-z])"
            r"(?![.\-][0-9])"
        ),
        is_old_identity_number,
    ),
)

# --- Telephone numbers --------------------------------------------------------------------------


def _is_phone(words: str) -> bool:
    """Numbers of groups of two or three only are laboratory values with a plus as often."""
    digits = sum(character.isdigit() for character in words)
    return 10 <= digits <= 15 and re.search("[0-9]{4}", words) is not None


_BEFORE = r"(?<![0-9A-Za-z+])(?<![0-9][.\-])"
_AFTER = r"(?![0-9A-Za-z%/])(?![.\-][0-9])"
_LOCAL = r"[1-9](?:[0-9]{2}[ \-]?|[0-9]{3}[ \-]?)[0-9]{4}"
"""A number without its area code."""

_PHONES = (
    *(
        Pattern(sign, pattern, _is_phone)
        for sign, pattern in (
            # Mobile numbers of mainland China: eleven digits that begin with 13 to 19.
            (
                "1",
                rf"{_BEFORE}(?:(?:\+|00)?86[ \-]?)?1[3-9][0-9][ \-]?[0-9]{{4}}[ \-]?[0-9]{{4}}"
                rf"{_AFTER}",
            ),
            # Landlines of China, with their area code set off. By a space alone only the short
            # ones and 03 to 09: "0800 2000 2200" are times of a day.
            ("0", rf"{_BEFORE}0[1-9][0-9]{{1,2}}-{_LOCAL}{_AFTER}"),
            ("0", rf"{_BEFORE}(?:010|02[0-9]) {_LOCAL}{_AFTER}"),
            ("0", rf"{_BEFORE}0[3-9][1-9][0-9] [2-9][0-9]{{6,7}}{_AFTER}"),
            ("0", rf"[(（]0[1-9][0-9]{{1,2}}[)）][ \-]?{_LOCAL}{_AFTER}"),
            # International: a plus, and 10 to 15 digits in groups (ITU-T E.164 allows 15).
            (
                "+",
                r"(?<![0-9A-Za-z+])\+[1-9][0-9]{0,2}(?:[ .\-]?\(?[0-9]{2,5}\)?){2,5}"
                r"(?![0-9A-Za-z%])",
            ),
            # North America: 555-123-4567, 555.123.4567, (555) 123-4567, each perhaps with 1 before.
            (
                "",
                rf"{_BEFORE}(?:1[\-. ])?(?:\([2-9][0-9]{{2}}\) ?[0-9]{{3}}-"
                r"|[2-9][0-9]{2}-[0-9]{3}-|[2-9][0-9]{2}\.[0-9]{3}\.)"
                rf"[0-9]{{4}}{_AFTER}",
            ),
        )
    ),
    # Without an area code, only behind the word.
    Pattern("电话", rf"电话(?:号码)?{IS}({_LOCAL}){_AFTER}"),
    Pattern("hone", rf"hone(?: number| no\b\.?)?{IS}({_LOCAL}){_AFTER}"),
    Pattern("Tel", rf"Tel(?<!\wTel)\b\.?{IS}({_LOCAL}){_AFTER}"),
)

_EMAIL = Pattern(
    "@",
    (
        r"(?<![A-Za-z0-9._%+\-])[A-Za-z0-9._%+\-]{1,64}@"
        r"(?:[A-Za-z0-9\-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])"
    ),
)

# --- Record numbers and dates of birth ----------------------------------------------------------


_NUMBER = r"([A-Za-z]{0,4}-?[0-9]{4,20})(?![0-9])"
_RECORD_WORDS = ("病历号", "住院号", "门诊号", "病案号", "就诊号", "登记号", "病历编号", "就诊卡号")
_RECORDS = (
    Pattern("号", rf"号{behind(*_RECORD_WORDS)}码?{IS}{_NUMBER}"),
    Pattern("MRN", rf"MRN(?<!\wMRN)(?![A-Za-z]){IS}{_NUMBER}"),
    Pattern("ecord n", rf"ecord n(?:umber|o\b\.?){IS}{_NUMBER}"),
    Pattern(
        "number",
        (
            "number"
            + behind("ospital number", "atient number", "hart number", "dmission number")
            + IS
            + _NUMBER
        ),
    ),
)

_MONTH = (
    r"(?:Jan(?:uary)?|Feb(?:ruary)?|Mar(?:ch)?|Apr(?:il)?|May|June?|July?|Aug(?:ust)?"
    r"|Sep(?:t(?:ember)?)?|Oct(?:ober)?|Nov(?:ember)?|Dec(?:ember)?)\.?"
)
_YEAR_FIRST = r"[12][0-9]{3}\s?[年/.\-]\s?[01]?[0-9]\s?[月/.\-]\s?[0-3]?[0-9](?![0-9])\s?日?"
_DATE = (
    rf"({_YEAR_FIRST}"
    r"|[0-3]?[0-9][/.\-][0-3]?[0-9][/.\-][12][0-9]{3}(?![0-9])"
    rf"|{_MONTH}\s[0-3]?[0-9](?:st|nd|rd|th)?,?\s[12][0-9]{{3}}(?![0-9])"
    rf"|[0-3]?[0-9](?:st|nd|rd|th)?\s{_MONTH},?\s[12][0-9]{{3}}(?![0-9]))"
)
_BIRTHS = (
    Pattern("出生", rf"出生(?:日期|年月日?|时间|于)?{IS}{_DATE}"),
    Pattern("生日", rf"生日{IS}{_DATE}"),
    Pattern("生于", rf"生于{IS}{_DATE}"),
    Pattern("日出生", rf"(?<![0-9])({_YEAR_FIRST})出生"),
    Pattern("日生", rf"(?<![0-9])({_YEAR_FIRST})生(?=[，,。；;])"),
    Pattern("DOB", rf"DOB(?<!\wDOB)\b{IS}{_DATE}"),
    Pattern("orn ", rf"orn (?<=[Bb]orn )(?:on )?{_DATE}"),
    Pattern(
        "irth",
        rf"irth(?:{behind('[Dd]ate of [Bb]irth')}|(?:day| ?date)\b){IS}{_DATE}",
    ),
)

KINDS: Mapping[str, Kind] = {
    "pii_cn_id": Kind("[ID]", "【身份证号】", _CN_IDS),
    "pii_phone": Kind("[PHONE]", "【电话】", _PHONES),
    "pii_email": Kind("[EMAIL]", "【邮箱】", (_EMAIL,)),
    "pii_record": Kind("[RECORD NUMBER]", "【病历号】", _RECORDS),
    "pii_birth": Kind("[DATE OF BIRTH]", "【出生日期】", _BIRTHS),
    "pii_name": Kind("[NAME]", "【姓名】", NAMES),
}
"""By the id of their check."""

# --- What a text with such data has -------------------------------------------------------------

_SEPARATORS = b" -.()"
"""What may stand between the digits of a telephone number."""

_SHAPES = bytes(
    ord("0") if 0x30 <= byte <= 0x39 else ord("-") if byte in _SEPARATORS else ord("x")
    for byte in range(256)
)
_AROUND = 96
"""All that belongs to a number or a date is within so many bytes of four digits in a row."""

_NUMBERED = re.compile("MRN|ecord n|number|DOB|orn |irth|号|生".encode())


def numbers_in(data: bytes) -> set[str]:
    """Ids of the checks of numbers and dates that may find something; the others find nothing.

    Args:
        data: A text in UTF-8.
    """
    found: set[str] = set()
    shape = data.translate(_SHAPES)
    place = shape.find(b"0000")
    while place >= 0:
        first, end = max(0, place - _AROUND), place + _AROUND
        if _NUMBERED.search(data, first, end):
            found |= {"pii_record", "pii_birth"}
        if b"0000000" in shape[first:end].replace(b"-", b""):
            found |= {"pii_cn_id", "pii_phone"}
        place = shape.find(b"0000", place + 4)
    return found
