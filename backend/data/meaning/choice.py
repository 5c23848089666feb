"""Questions with options: what the options are, and which of them are right.

Exams write both in many ways; all become options with a label each, and the places of the right
ones. Knows nothing about column maps and lessons.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from string import ascii_uppercase
from typing import Any, NamedTuple

import orjson

from backend.data.meaning.faults import Unusable, blank


class Option(NamedTuple):
    """One option. One without text is there for the count only and never shown."""

    label: str
    text: str

    @property
    def line(self) -> str:
        return f"{self.label}. {self.text}"


Options = tuple[Option, ...]

_LETTERS = ascii_uppercase
_MARKED = r"\s*[(（\[【]?\s*([A-ZＡ-Ｚ])(?:\s*[)）\]】.．。、:：,，]+[ \t\u3000]*"
_LABELLED = re.compile(_MARKED + r"|[ \t\u3000]+|\s*$)")
"""A line's label: "A. x", "A) x", "A、x", "(A) x", "A x", half or full width."""

_ITEM_LABELLED = re.compile(_MARKED + ")")
"""The label of an item of a list. "A x" is none: ["A cells", "B cells"] are whole texts."""

_SAID = re.compile(
    r"^(?:the\s+)?(?:(?:correct|right|best)\s+)?(?:answer|option|choice|正?确?答案|正确选项|选项?)"
    r"\s*(?:is|是|为)?\s*[:：]?\s*",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"(?:[\s,，、;；/|&+.．。()（）\[\]【】'\"]|\band\b|和|与)+")
_PAIRS = (("key", "value"), ("label", "text"), ("id", "text"), ("letter", "text"))


# --- The options --------------------------------------------------------------------------------


def options_of(values: Sequence[Any], column: str) -> Options:
    """The options of a question.

    Args:
        values: What the columns of the options hold: one value with all of them (an object, a list,
            a text with lettered lines), or one text for each.
        column: Their name, for the sentence.

    Raises:
        Unusable: there are no two options in it.
    """
    found = _labelled(values) if len(values) > 1 else _single(values[0])
    if len(filled(found)) < 2 or len({_folded(option.label) for option in found}) < len(found):
        raise Unusable("data.problems.options_unusable", column=column)
    return found


def filled(options: Options) -> Options:
    """The options that have a text."""
    return tuple(option for option in options if not blank(option.text))


def _single(value: Any) -> Options:
    if isinstance(value, str):
        parsed = _json(value)
        return _lettered(value) if parsed is None else _single(parsed)
    if isinstance(value, Mapping):
        return _from_object(value)
    if isinstance(value, list | tuple):
        return _from_list(value)
    return ()


def _json(words: str) -> Any:
    """The object or list that a cell of a table holds as JSON; None where it holds other text."""
    if not words.lstrip().startswith(("{", "[")):
        return None
    try:
        return orjson.loads(words)
    except orjson.JSONDecodeError:
        return None


def _from_object(value: Mapping[str, Any]) -> Options:
    for label, words in _PAIRS:
        labels, texts = value.get(label), value.get(words)
        if isinstance(labels, list) and isinstance(texts, list) and len(labels) == len(texts):
            return tuple(map(_option, labels, texts))
    return tuple(_option(label, words) for label, words in value.items())


def _from_list(items: Sequence[Any]) -> Options:
    for label, words in _PAIRS:
        if all(isinstance(item, Mapping) and label in item and words in item for item in items):
            return tuple(_option(item[label], item[words]) for item in items)
    if not all(isinstance(item, str) for item in items):
        return _labelled(items)
    heads = [_ITEM_LABELLED.match(item) for item in items]
    if [_half(head[1]) if head else "" for head in heads] != list(_LETTERS[: len(items)]):
        return _labelled(items)
    return tuple(
        Option(letter, item[head.end() :].strip())
        for letter, item, head in zip(_LETTERS, items, heads, strict=False)
        if head
    )


def _lettered(words: str) -> Options:
    """The options of a text: lines with letters in order, or one option a line."""
    found: list[tuple[str, list[str]]] = []
    for line in _lines(words):
        head = _LABELLED.match(line)
        if head and len(found) < len(_LETTERS) and _half(head[1]) == _LETTERS[len(found)]:
            found.append((_half(head[1]), [line[head.end() :]]))
        elif found:
            found[-1][1].append(line)
    if len(found) < 2:
        return _labelled([line for line in _lines(words) if not blank(line)])
    return tuple(Option(letter, "\n".join(lines).strip()) for letter, lines in found)


def _lines(words: str) -> list[str]:
    """Lines by line ends only; ``splitlines`` would part a text at U+2028 too."""
    return words.replace("\r\n", "\n").split("\n")


def _labelled(texts: Sequence[Any]) -> Options:
    """Options that bring no labels: they get A, B, C…"""
    if len(texts) > len(_LETTERS):
        return ()
    return tuple(_option(label, words) for label, words in zip(_LETTERS, texts, strict=False))


def _option(label: Any, words: Any) -> Option:
    """An option; one that is neither text nor a number has no text."""
    plain = isinstance(words, str | int | float) and not isinstance(words, bool)
    return Option(str(label).strip(), str(words).strip() if plain else "")


# --- The right ones -----------------------------------------------------------------------------


def right_of(value: Any, options: Options, column: str, one_based: bool = False) -> Options:
    """The right options, in the order of the options.

    Args:
        value: Letters ("C", "A,C", "ABD", "答案：C"), a number, an option's own text, or a list of
            these.
        column: Its name, for the sentence.
        one_based: Numbers count from 1.

    Raises:
        Unusable: it names no option, or one without text.
    """
    items = _items(value)
    named = [_places(item, options, one_based) for item in items]
    right = tuple(options[place] for place in sorted(set(chain.from_iterable(named))))
    if not named or not all(named) or len(filled(right)) < len(right):
        raise Unusable(_why_unresolved(items, options, one_based), column=column)
    return right


def _why_unresolved(items: Sequence[Any], options: Options, one_based: bool) -> str:
    """A number that is none only since it is counted from the other end tells of the whole file."""
    numbers = [_number(item, options) for item in items]
    if one_based and 0 in numbers:
        return COUNTED_FROM_ZERO
    if not one_based and len(filled(options)) in numbers:
        return COUNTED_FROM_ONE
    return "data.problems.correct_unresolved"


COUNTED_FROM_ZERO = "data.problems.counted_from_zero"
COUNTED_FROM_ONE = "data.problems.counted_from_one"
"""Why a row can't be used whose number says that the file counts in the other way."""


class Numbering(NamedTuple):
    """What rows say of where their numbers of right options count from.

    Attributes:
        numbers: So many rows have a number.
        zero: So many a 0, which there is only when the first option is number 0.
        last: So many one as large as the number of options, which there is only when it is
            number 1.
    """

    numbers: int = 0
    zero: int = 0
    last: int = 0

    @classmethod
    def of_all(cls, parts: Iterable[Numbering]) -> Numbering:
        """What rows say together."""
        numbers, zero, last = (sum(counts) for counts in zip(cls(), *parts, strict=True))
        return cls(numbers, zero, last)

    @property
    def one_based(self) -> bool:
        """Where nothing tells, it is no: so it is in MedMCQA and MMLU."""
        return self.last > 0 and not self.zero

    @property
    def certain(self) -> bool:
        """Something tells, and nothing tells otherwise."""
        return (self.zero > 0) is not (self.last > 0)


def numbering_of(rows: Iterable[tuple[Any, Options]]) -> Numbering:
    """What rows say of where their numbers count from.

    Args:
        rows: What names the right option, and the options of the same row.
    """
    numbers = zero = last = 0
    for value, options in rows:
        named = [_number(item, options) for item in _items(value)]
        told = [number for number in named if number is not None]
        size = len(filled(options))
        numbers += bool(told)
        zero += 0 in told
        last += any(number >= size for number in told)
    return Numbering(numbers, zero, last)


def _items(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list | tuple) else [value]


def _places(item: Any, options: Options, one_based: bool) -> tuple[int, ...]:
    """Where the options are that one item names; empty where it names none."""
    number = _number(item, options)
    if number is not None:
        place = number - one_based
        return (place,) if 0 <= place < len(options) else ()
    named = isinstance(item, str | int) and not isinstance(item, bool)
    return _named(str(item), options) if named else ()


def _number(item: Any, options: Options) -> int | None:
    """The number of an option; what is an option's label is none, nor are digits of its text."""
    if isinstance(item, int) and _where([option.label for option in options], str(item)):
        return None
    if isinstance(item, str):
        digits = item.strip()
        if not digits.isdecimal() or len(digits) > 2 or _exactly(digits, options):
            return None
        return int(digits)
    if isinstance(item, bool) or not isinstance(item, int | float) or item != item // 1:
        return None
    return int(item)


def _named(words: str, options: Options) -> tuple[int, ...]:
    words = words.strip()
    said = _SAID.sub("", words, count=1)
    return (
        _exactly(words, options)
        or _letters(said, options)
        or _exactly(said, options)
        or _with_text(said, options)
    )


def _exactly(words: str, options: Options) -> tuple[int, ...]:
    """The option with this label, or with this text if no other has the same."""
    places = _where([option.label for option in options], words)
    return places or _where([option.text for option in options], words)


def _where(texts: Sequence[str], words: str) -> tuple[int, ...]:
    for same in (str.strip, _folded):
        wanted = same(words)
        places = tuple(place for place, one in enumerate(texts) if one and same(one) == wanted)
        if places:
            return places if len(places) == 1 else ()
    return ()


def _letters(words: str, options: Options) -> tuple[int, ...]:
    """The options of some letters, such as "A,C" or "ABD"."""
    labels = {_folded(option.label): place for place, option in enumerate(options)}
    places: list[int] = []
    for word in filter(None, _BETWEEN.split(_half(words))):
        letters = list(word) if len(word) > 1 and word.isupper() else [word]
        if any(_folded(letter) not in labels for letter in letters):
            return ()
        places += [labels[_folded(letter)] for letter in letters]
    return tuple(places) if len(places) == len(set(places)) else ()


def _with_text(words: str, options: Options) -> tuple[int, ...]:
    """The option of "C. its text"."""
    head = _LABELLED.match(words)
    if not head:
        return ()
    rest = words[head.end() :].strip()
    return tuple(
        place
        for place, option in enumerate(options)
        if _folded(option.label) == _folded(head[1]) and _folded(option.text) == _folded(rest)
    )


def _half(words: str) -> str:
    """Full-width letters and marks as half-width ones."""
    return unicodedata.normalize("NFKC", words)


def _folded(words: str) -> str:
    return _half(words).strip().casefold()
