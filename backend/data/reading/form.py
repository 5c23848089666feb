"""What a data file is, told by its first bytes: packing, encoding, kind, where its rows begin.

Its name is asked only where the bytes leave it open: a table of one column looks like any text.
"""

from __future__ import annotations

import re
from typing import Literal

from backend.data.reading import json_scanner, table_scanner
from backend.data.reading.fields import fields_of
from backend.data.reading.values import TRIED_ROWS, Encoding, Form
from backend.errors import DataError

PARQUET_MAGIC = b"PAR1"

DELIMITERS = "\t,;|"

_BOM = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_UTF32_MARKS = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")

WRAPPING_KEYS = frozenset({b"data", b"rows", b"examples", b"records", b"items", b"train"})
"""Where an object is one line, only an array under one of these is taken for the rows: one of
messages is a row."""

_TURNS = frozenset({b"messages", b"conversations", b"conversation"})


# --- Encoding -----------------------------------------------------------------------------------


def encoding_of(head: bytes, name: str) -> Encoding:
    """The encoding of a text by its beginning.

    Raises:
        DataError: it is no text.
    """
    if head.startswith(_BOM):
        return "utf-8-bom"
    if head.startswith(_UTF16_MARKS) and not head.startswith(_UTF32_MARKS):
        return "utf-16"
    if _is_binary(head):
        raise DataError("data.errors.not_text", name=name)
    return "gb18030" if _looks_like_gb18030(head) else "utf-8"


def _is_binary(head: bytes) -> bool:
    """Many NUL bytes, or some among bytes that are no UTF-8; a few in a text are damage to it."""
    zeros = head.count(0)
    return zeros > 0 and (zeros > len(head) // 100 + 1 or _share_of_utf8(head) < 1)


_NOT_ASCII = re.compile(rb"[\x80-\xff]+")


def _share_of_utf8(head: bytes) -> float:
    """Share of the bytes above ASCII that are UTF-8, by runs of them; 1 where there are none."""
    good = bad = 0
    for run in _NOT_ASCII.findall(head):
        try:
            run.decode("utf-8")
        except UnicodeDecodeError as error:
            # The head may end inside a character.
            if head.endswith(run) and error.reason == "unexpected end of data":
                continue
            bad += len(run)
        else:
            good += len(run)
    return good / (good + bad) if good + bad else 1.0


def _looks_like_gb18030(head: bytes) -> bool:
    """Whether most is no UTF-8, and as GB18030 most is what Chinese text is made of.

    GB18030 gives a meaning to almost any bytes. Those of other encodings come out as rare
    characters, so the rows of GB2312 with punctuation (1 to 3) and the common characters (16 to 55)
    are counted; and what takes four bytes, of which two are digits, as nothing else is written.
    """
    if _share_of_utf8(head) >= 0.5:
        return False
    words = [c for c in head.decode("gb18030", "replace") if c > "\x7f"]
    leads = "".join(words).encode("gb2312", "ignore")[::2]
    common = sum(0xA1 <= lead <= 0xA3 or 0xB0 <= lead <= 0xD7 for lead in leads)
    common += sum(len(one.encode("gb18030")) == 4 for one in words if one != _UNREADABLE)
    return common >= 0.5 * len(words)


_UNREADABLE = "\ufffd"


# --- Kind ---------------------------------------------------------------------------------------


def form_of(text: bytes, name: str, *, whole: bool) -> Form:
    """What a text is whose encoding is UTF-8 by now.

    Args:
        text: How it begins.
        whole: That is all of it.

    Raises:
        DataError: it is empty, or nothing that has rows.
    """
    start = len(text) - len(text.removeprefix(_BOM).lstrip())
    if start == len(text):
        raise DataError("data.errors.file_empty", name=name)
    table_expected = is_named_as_table(name)
    if not table_expected or _is_json(text, start):
        if text[start] == ord("["):
            return Form("json_array", start=start + 1)
        form = _form_of_objects(text, start, name)
        if form is not None:
            return form
    table = _form_of_table(text, name, table_expected, whole=whole)
    return table or Form("json_lines", start=start)


def is_named_as_table(name: str) -> bool:
    """Whether a file's name says that it is a table: all of it that is asked of a name."""
    return name.lower().removesuffix(".gz").endswith((".csv", ".tsv"))


_JSON_ROWS = re.compile(rb'(?:\[\s*)?\{\s*"')


def _is_json(text: bytes, start: int) -> bool:
    return _JSON_ROWS.match(text, start) is not None


def _form_of_objects(text: bytes, start: int, name: str) -> Form | None:
    """JSON lines, or an object around an array; None for a text that is no JSON.

    Raises:
        DataError: it is JSON, but its objects go over many lines: its lines are no rows.
    """
    lines = text[start : start + 1_000_000].split(b"\n", TRIED_ROWS)[:TRIED_ROWS]
    if not lines[0].startswith(b"{"):
        is_json = any(_JSON_ROWS.match(line.lstrip()) for line in lines)
        return Form("json_lines", start=start) if is_json else None
    wrapper = json_scanner.WRAPPER.match(text, start)
    over_lines = len(lines) > 1 and json_scanner.row_end(lines[0], 0) == json_scanner.INCOMPLETE
    if wrapper and (over_lines or (len(lines) == 1 or not any(lines[1:]))):
        key = wrapper.group().rpartition(b'"')[0].rpartition(b'"')[2]
        if key in WRAPPING_KEYS or (over_lines and key not in _TURNS):
            return Form("json_array", start=wrapper.end(), wrapped=True)
    if over_lines and json_scanner.row_end(text, start) != json_scanner.BROKEN:
        raise DataError("data.errors.one_object", name=name)
    return Form("json_lines", start=start)


# --- Tables -------------------------------------------------------------------------------------


def _form_of_table(text: bytes, name: str, named: bool, *, whole: bool) -> Form | None:
    """A table with its delimiter and its columns; None where it looks like none."""
    start = len(text) - len(text.removeprefix(_BOM).lstrip(b"\r\n"))
    found = [
        (share, len(rows[0]), -place, delimiter, rows[0])
        for place, delimiter in enumerate(DELIMITERS)
        if (rows := _first_rows(text, start, delimiter, whole=whole))
        and (share := _regular_share(rows)) >= (0.5 if named else 0.9)
        and (named or len(rows) > 1)
    ]
    wide = [one for one in found if one[1] > 1 and (named or all(one[4]))]
    if not wide and not (named and found):
        return None
    _, _, _, delimiter, header = max(wide or found)
    end, _ = table_scanner.row_end(text, start, delimiter, last=True)
    kind: Literal["csv", "tsv"] = "tsv" if delimiter == "\t" else "csv"
    return Form(kind, start=min(end + 1, len(text)), delimiter=delimiter, columns=numbered(header))


def _first_rows(text: bytes, start: int, delimiter: str, *, whole: bool) -> list[list[str]]:
    """The fields of the first rows that keep to the rules, blank lines left out."""
    rows: list[list[str]] = []
    while start < len(text) and len(rows) < TRIED_ROWS:
        end, good = table_scanner.row_end(text, start, delimiter, last=whole)
        if end < 0:
            break
        words = text[start:end].decode("utf-8", "replace").removesuffix("\r")
        start = end + 1
        if not good and not rows:
            return []
        if good and words:
            rows.append(fields_of(words, delimiter))
    return rows


def _regular_share(rows: list[list[str]]) -> float:
    """Share of the rows with as many fields as the header."""
    return sum(len(row) == len(rows[0]) for row in rows) / len(rows)


def numbered(header: list[str]) -> tuple[str, ...]:
    """Names of columns, each once: an empty one gets its place, one that was there a number."""
    names: list[str] = []
    for place, name in enumerate(header, 1):
        base = name if name.strip() else f"column_{place}"
        number, unique = 1, base
        while unique in names or (number > 1 and unique in header):
            number += 1
            unique = f"{base}_{number}"
        names.append(unique)
    return tuple(names)
