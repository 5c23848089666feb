"""Finds what may identify a person, and puts a mark in its place.

Patterns are narrow on purpose: doses, laboratory values, years and PMIDs are numbers too, and
eponyms are names too. Knows nothing about lessons.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from backend.data.checks.scripts import is_chinese

Span = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Look:
    """What identifying data looks like.

    Attributes:
        sign: Characters without which the pattern does not match.
        pattern: Begins with a literal character where it can, to which the search skips; what comes
            before that is asked by looking back. Its group, where it has one, is what identifies.
        back: So many characters before the match identify as well.
    """

    sign: str
    pattern: re.Pattern[str]
    back: int = 0

    def spans(self, text: str) -> Iterator[Span]:
        if self.sign in text:
            for match in self.pattern.finditer(text):
                start, end = match.span(self.pattern.groups)
                yield start - self.back, end


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of identifying data.

    Attributes:
        english, chinese: What stands in its place, by the language of the text.
        looks: What it looks like.
        accepts: Whether what looks like one is one indeed.
    """

    english: str
    chinese: str
    looks: tuple[Look, ...]
    accepts: Callable[[str], bool] = lambda words: True

    def spans(self, text: str) -> list[Span]:
        """Where a text has it; no two overlap, in order."""
        spans: list[Span] = []
        for start, end in sorted(span for look in self.looks for span in look.spans(text)):
            if (not spans or start >= spans[-1][1]) and self.accepts(text[start:end]):
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


def is_identity_number(words: str) -> bool:
    """Whether 18 characters are a citizen identity number: with a date of birth that exists, and
    the check digit of GB 11643-1999 (ISO 7064, MOD 11-2)."""
    try:
        date(int(words[6:10]), int(words[10:12]), int(words[12:14]))
    except ValueError:
        return False
    total = sum(int(digit) * weight for digit, weight in zip(words, _ID_WEIGHTS, strict=False))
    return _ID_DIGITS[total % 11] == words[17].upper()


_CN_ID = Look(
    "",
    re.compile(
        r"(?<![0-9A-Za-z])[1-9][0-9]{5}(?:18|19|20)[0-9]{2}[01][0-9][0-3][0-9]{4}[0-9Xx]"
        r"(?![0-9A-Za-z])"
    ),
)

# --- Telephone numbers --------------------------------------------------------------------------

_BEFORE = r"(?<![0-9A-Za-z+(])(?<![0-9][.\-])"
_AFTER = r"(?![0-9A-Za-z%/])(?![.\-][0-9])"
_PHONES = tuple(
    Look(sign, re.compile(pattern))
    for sign, pattern in (
        # Mobile numbers of mainland China: eleven digits that begin with 13 to 19.
        (
            "1",
            rf"{_BEFORE}(?:(?:\+|00)?86[ \-]?)?1[3-9][0-9][ \-]?[0-9]{{4}}[ \-]?[0-9]{{4}}{_AFTER}",
        ),
        # Landlines of China, with their area code set off.
        ("0", rf"{_BEFORE}(?:0[0-9]{{2,3}}-|\(0[0-9]{{2,3}}\) ?)[1-9][0-9]{{6,7}}{_AFTER}"),
        # International: a plus, and 10 to 15 digits in groups (ITU-T E.164 allows 15).
        (
            "+",
            r"(?<![0-9A-Za-z+])\+[1-9][0-9]{0,2}(?:[ .\-]?\(?[0-9]{2,5}\)?){2,5}(?![0-9A-Za-z%])",
        ),
        # North America: 555-123-4567, 555.123.4567, (555) 123-4567, each perhaps with 1 before.
        (
            "",
            rf"{_BEFORE}(?:1[\-. ])?(?:\([2-9][0-9]{{2}}\) ?[0-9]{{3}}-|[2-9][0-9]{{2}}-[0-9]{{3}}-"
            rf"|[2-9][0-9]{{2}}\.[0-9]{{3}}\.)[0-9]{{4}}{_AFTER}",
        ),
    )
)


def _is_phone(words: str) -> bool:
    """Numbers of groups of two or three only are laboratory values with a plus as often."""
    digits = sum(character.isdigit() for character in words)
    return 10 <= digits <= 15 and re.search("[0-9]{4}", words) is not None


_EMAIL = Look(
    "@",
    re.compile(
        r"(?<![A-Za-z0-9._%+\-])[A-Za-z0-9._%+\-]{1,64}@"
        r"(?:[A-Za-z0-9\-]{1,63}\.){1,8}[A-Za-z]{2,24}(?![A-Za-z0-9])"
    ),
)

# --- Record numbers and dates of birth ----------------------------------------------------------


def _behind(*words: str) -> str:
    """A pattern that looks back at one of these words."""
    return "(?:" + "|".join(f"(?<={word})" for word in words) + ")"


_IS = r"\s{0,3}(?:is\b|on\b|[:=#：为是])?\s{0,3}#?"
_NUMBER = r"([A-Za-z]{0,4}-?[0-9]{4,20})(?![0-9])"
_RECORD_WORDS = ("病历号", "住院号", "门诊号", "病案号", "就诊号", "登记号", "病历编号", "就诊卡号")
_RECORDS = (
    Look("号", re.compile(rf"号{_behind(*_RECORD_WORDS)}码?{_IS}{_NUMBER}")),
    Look("MRN", re.compile(rf"MRN(?<!\wMRN)(?![A-Za-z]){_IS}{_NUMBER}")),
    Look("ecord n", re.compile(rf"ecord n(?:umber|o\b\.?){_IS}{_NUMBER}")),
    Look(
        "number",
        re.compile(
            "number"
            + _behind("ospital number", "atient number", "hart number", "dmission number")
            + _IS
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
    Look("出生", re.compile(rf"出生(?:日期|年月日?|时间|于)?{_IS}{_DATE}")),
    Look("生日", re.compile(rf"生日{_IS}{_DATE}")),
    Look("生于", re.compile(rf"生于{_IS}{_DATE}")),
    Look("日出生", re.compile(rf"(?<![0-9])({_YEAR_FIRST})出生")),
    Look("日生", re.compile(rf"(?<![0-9])({_YEAR_FIRST})生(?=[，,。；;])")),
    Look("DOB", re.compile(rf"DOB(?<!\wDOB)\b{_IS}{_DATE}")),
    Look("orn ", re.compile(rf"orn (?<=[Bb]orn )(?:on )?{_DATE}")),
    Look(
        "irth",
        re.compile(rf"irth(?:{_behind('[Dd]ate of [Bb]irth')}|(?:day| ?date)\b){_IS}{_DATE}"),
    ),
)

# --- Names --------------------------------------------------------------------------------------

# The hundred most frequent family names in China (Ministry of Public Security, 2020) but those that
# are common words before 女士 and 某; 何 and 高 are asked for what makes them such words.
_SURNAMES = (
    "王李张刘陈杨黄赵吴周徐孙马朱胡郭林罗郑梁谢宋唐许韩冯邓曹彭曾肖田董袁潘蒋蔡余杜叶程苏魏吕丁"
    "沈姚卢姜崔钟谭陆汪范廖贾韦夏付邹熊孟秦邱江尹薛闫段雷侯龙史陶黎贺顾毛郝龚邵万钱严覃武戴莫孔汤"
)


def _titled(title: str) -> Look:
    """A family name before a title."""
    first = title[0]
    named = _behind(f"[{_SURNAMES}]{first}", f"[^任如为]何{first}", f"[^最较很更身增]高{first}")
    return Look(title, re.compile(f"(){first}{named}{title[1:]}"), back=1)


_NAMES = (
    # Not "Mr. and Mrs.", and no single letter: "Mr. X" is nobody.
    Look(
        "M",
        re.compile(
            r"M(?<!\wM)(?:rs?|s)\b\.?\s([A-Z][a-z]+(?:['’\-][A-Z][a-z]+)?(?:\s[A-Z][a-z]+)?)"
        ),
    ),
    Look("Miss", re.compile(r"Miss(?<!\wMiss)\s([A-Z][a-z]+(?:['’\-][A-Z][a-z]+)?)")),
    Look(
        "ame: ",
        re.compile(
            r"ame: (?:(?<=[Pp]atient name: )|(?<=\bName: )) ?([A-Z][a-z]+(?: [A-Z][a-z]+){0,2})"
        ),
    ),
    _titled("先生"),
    _titled("女士"),
    _titled("小姐"),
    Look(
        "某",
        re.compile(rf"某(?<=[{_SURNAMES}]某)某?(?![某种些个一类年月日天时地处项段次])"),
        back=1,
    ),
    Look(
        "姓名",
        re.compile(rf"姓名{_IS}([{_SURNAMES}何高][\u4e00-\u9fff]{{1,2}})(?![\u4e00-\u9fff])"),
    ),
)


KINDS: Mapping[str, Kind] = {
    "pii_cn_id": Kind("[ID]", "【身份证号】", (_CN_ID,), is_identity_number),
    "pii_phone": Kind("[PHONE]", "【电话】", _PHONES, _is_phone),
    "pii_email": Kind("[EMAIL]", "【邮箱】", (_EMAIL,)),
    "pii_record": Kind("[RECORD NUMBER]", "【病历号】", _RECORDS),
    "pii_birth": Kind("[DATE OF BIRTH]", "【出生日期】", _BIRTHS),
    "pii_name": Kind("[NAME]", "【姓名】", _NAMES),
}
"""By the id of their check."""

# --- What a text with such data has -------------------------------------------------------------

SEPARATORS = b" -.()"
"""What may stand between the digits of a telephone number."""

_AROUND = 96
"""All that belongs to a number or a date is within so many bytes of four digits in a row."""

_MR = re.compile(rb"M(?:r|s|iss)")
_NUMBERED = re.compile("MRN|ecord n|number|DOB|orn |irth|号|生".encode())


def suspects(data: bytes, shape: bytes, text: str) -> set[str]:
    """Ids of the checks that may find something; the others find nothing.

    Args:
        data: The text in UTF-8.
        shape: ``data`` with "0" for each digit and "-" for each of ``SEPARATORS``.
        text: The text; empty where it has no Chinese characters.
    """
    found = {"pii_email"} if b"@" in data else set()
    place = shape.find(b"0000")
    while place >= 0:
        first, end = max(0, place - _AROUND), place + _AROUND
        if _NUMBERED.search(data, first, end):
            found |= {"pii_record", "pii_birth"}
        if b"0000000000" in shape[first:end].replace(b"-", b""):
            found |= {"pii_cn_id", "pii_phone"}
        place = shape.find(b"0000", place + 4)
    if _MR.search(data) or b"ame: " in data or (text and _may_have_han_name(text)):
        found.add("pii_name")
    return found


def _may_have_han_name(text: str) -> bool:
    # One character is found several times faster than two.
    if "某" in text or ("姐" in text and "小姐" in text) or ("姓" in text and "姓名" in text):
        return True
    return "女士" in text or "先生" in text
