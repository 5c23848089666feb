"""One row from its bytes: an object of JSON, or the fields of a table.

Knows nothing about files; a row that can't be read is a row with a problem.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import orjson

from backend.data.reading.fields import StrayQuote, fields_of
from backend.data.reading.values import NESTING_LIMIT, Form, Row
from backend.problems import Problem

Parse = Callable[[int, bytes], Row]
"""A row from its number and its bytes."""

ParseValue = Callable[[bytes], dict[str, Any] | None]
"""The columns of a row from its bytes, without what else there is to say of it; None where it can't
be read."""

_NEAR = 24
_TEXTS = {str}


def parser_of(form: Form) -> Parse:
    """What reads the rows of such a file."""
    if form.delimiter:
        return _TableParser(form).parse
    return parse_object


def value_parser_of(form: Form) -> ParseValue:
    """What reads the columns of rows that were read before: in half the time, since nothing is
    looked for that was hidden in them."""
    if form.delimiter:
        table = _TableParser(form)
        return lambda raw: table.parse(0, raw).value
    return _object_in


# --- JSON ---------------------------------------------------------------------------------------


def parse_object(number: int, raw: bytes) -> Row:
    """A row of JSON.

    NaN and infinite numbers, which Python writes and JSON does not know, are read as null, with a
    note. Keys that are there twice have their last value, with a note.
    """
    content = raw.rstrip(b" \t\r\n,")
    notes: tuple[Problem, ...] = ()
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        value, odd = _without_odd_numbers(content)
        if not odd:
            return Row(number, None, _why_not_json(content, error.pos))
        notes = (not_numbers(odd),)
    if not isinstance(value, dict):
        # Not Python's own way to write it, which fails on what is nested a thousand deep.
        words = value if isinstance(value, str) else content[:_NEAR].decode("utf-8", "ignore")
        shown = {"near": _near(words, 0)}
        return Row(number, None, Problem("data.problems.row_not_object", shown))
    quotes = content.count(b'"')
    if quotes == 4 * len(value) and {*map(type, value.values())} == _TEXTS:
        return Row(number, value, None, notes)  # texts without quotes: nothing can be hidden
    depth, keys, strings = _measured(value)
    if depth > NESTING_LIMIT:
        return Row(number, None, Problem("data.problems.row_deep", {"limit": NESTING_LIMIT}))
    may_have_more = quotes > 2 * (keys + strings) and _more_colons(content, keys)
    if may_have_more and (twice := duplicate_keys(content)):
        shown = {"columns": ", ".join(twice)}
        notes = (*notes, Problem("data.problems.duplicate_keys", shown))
    return Row(number, value, None, notes)


def _object_in(raw: bytes) -> dict[str, Any] | None:
    content = raw.rstrip(b" \t\r\n,")
    try:
        value = orjson.loads(content)
    except orjson.JSONDecodeError:
        value, _ = _without_odd_numbers(content)
    return value if isinstance(value, dict) else None


_ODD_NUMBER = re.compile(rb"\b(?:NaN|Infinity)\b")
_STRING_OR_ODD = re.compile(rb'"(?:[^"\\]++|\\.)*+"|-?\b(?:NaN|Infinity)\b', re.DOTALL)


def _without_odd_numbers(content: bytes) -> tuple[Any, int]:
    """The value with null for NaN and infinite numbers, and how many there were.

    None and 0 where they are not what is wrong.
    """
    if not _ODD_NUMBER.search(content):
        return None, 0
    odd = 0

    def instead(match: re.Match[bytes]) -> bytes:
        nonlocal odd
        if match.group().startswith(b'"'):
            return match.group()
        odd += 1
        return b"null"

    try:
        return orjson.loads(_STRING_OR_ODD.sub(instead, content)), odd
    except orjson.JSONDecodeError:
        return None, 0


def not_numbers(count: int) -> Problem:
    """The note on numbers that are none."""
    return Problem("data.problems.not_numbers", {"number": count})


def _measured(value: dict[str, Any]) -> tuple[int, int, int]:
    """How deep a row is nested, and how many keys and how many texts it has at all levels."""
    depth = keys = strings = 0
    level: list[Any] = [value]
    while level:
        depth += 1
        below: list[Any] = []
        for one in level:
            if type(one) is dict:
                keys += len(one)
                one = one.values()
            for inner in one:
                if type(inner) is str:
                    strings += 1
                elif type(inner) is dict or type(inner) is list:
                    below.append(inner)
        level = below
    return depth, keys, strings


def _more_colons(content: bytes, keys: int) -> bool:
    """Whether there may be more keys than were read. Asked only where there are more quotes than
    the keys and texts that were read have: one byte is counted ten times faster than two in a row.
    """
    return content.count(b'":') + content.count(b'" :') > keys


def duplicate_keys(raw: bytes) -> list[str]:
    """Names of the columns that are there more than once in a row of JSON, in their order.

    Ten times slower than reading the row; for rows that have more colons behind quotes than keys.
    """
    pairs: list[str] = []

    def remember(found: list[tuple[str, Any]]) -> None:
        pairs[:] = [key for key, _ in found]  # the outermost object is the last to be done

    try:
        json.loads(raw.rstrip(b" \t\r\n,"), object_pairs_hook=remember)
    except (ValueError, RecursionError):
        return []
    return [key for key, times in Counter(pairs).items() if times > 1]


def _why_not_json(content: bytes, position: int) -> Problem:
    if (not_text := _why_not_text(content)) is not None:
        return not_text
    words = content.decode("utf-8")
    return Problem("data.problems.row_not_json", {"near": _near(words, position)})


def _why_not_text(content: bytes) -> Problem | None:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        around = content[max(error.start - _NEAR, 0) : error.start + _NEAR]
        near = _near(around.decode("utf-8", "replace"), 0)
        return Problem("data.problems.row_not_utf8", {"near": near})
    return None


def _near(words: str, position: int) -> str:
    """The text around a position, in one line."""
    around = words[max(position - _NEAR, 0) : position + _NEAR]
    return " ".join("".join(c if c.isprintable() else " " for c in around).split())


# --- Tables -------------------------------------------------------------------------------------


class _TableParser:
    """The rows of a table whose columns are known. All values are text, as in the file."""

    def __init__(self, form: Form) -> None:
        self._delimiter = form.delimiter
        self._columns = form.columns

    def parse(self, number: int, raw: bytes) -> Row:
        try:
            words = raw.decode("utf-8").removesuffix("\r")
        except UnicodeDecodeError:
            return Row(number, None, _why_not_text(raw))
        if "\0" in words:
            return Row(number, None, _stray("row_with_nul", words, words.index("\0")))
        try:
            fields = fields_of(words, self._delimiter)
        except StrayQuote as error:
            return Row(number, None, _stray("row_stray_quote", words, error.position))
        if len(fields) != len(self._columns):
            numbers = {"expected": len(self._columns), "found": len(fields)}
            return Row(number, None, Problem("data.problems.row_fields", numbers))
        return Row(number, dict(zip(self._columns, fields, strict=True)))


def _stray(what: str, words: str, position: int) -> Problem:
    return Problem(f"data.problems.{what}", {"near": _near(words, position)})
