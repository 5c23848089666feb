"""Where the rows of a JSON array are, in one pass and without parsing them.

Knows brackets, strings and line ends, and nothing of what a row means. A row whose structure is
broken (an unclosed string, a missing brace) costs that row: the scan goes on where the next one
opens. The file is seen through a window, so that memory stays small whatever the size of the file.
"""

from __future__ import annotations

import re
from array import array
from typing import NamedTuple

from backend.data.reading import values
from backend.data.reading.index import Spans, Tail
from backend.data.reading.values import BROKEN_LIMIT
from backend.data.reading.window import Bytes, Window

INCOMPLETE = -1
BROKEN = -2

SCANNED_NESTING = 4096
"""Depth to which brackets are followed, so that a row that is too deep to be read has an end. A
file of brackets only must not take for ever."""

_VISIBLE = re.compile(rb"\S")

# --- An array -----------------------------------------------------------------------------------

_SEPARATORS = re.compile(rb"[\s,]*+")

# How a row opens: a brace and the name of its first column, byte for byte. Behind a broken row the
# scan goes on where one opens as rows before did, so that an object inside the broken row is not
# taken for one. Inside a string the quotes would be escaped.
_OPENING = re.compile(rb'\{\s{0,64}"(?:[^"\\\n]|\\.){0,200}"')
_OPENING_LENGTH = 512
_OPENINGS_KEPT = 8

# What may stand behind the one array of an object: keys with plain values, and its brace.
_KEY = rb'"(?:[^"\\]|\\.){0,200}"\s*:\s*'
_PLAIN = rb'(?:"(?:[^"\\]|\\.){0,2000}"|[-+.\w]{1,40})'
_AFTER_ARRAY = re.compile(rb"\s*(?:,\s*" + _KEY + _PLAIN + rb"\s*){0,50}\}\s*")
_AFTER_LIMIT = 1 << 16

WRAPPER = re.compile(rb"\{\s*(?:" + _KEY + _PLAIN + rb"\s*,\s*){0,50}" + _KEY + rb"\[(?=\s*\{)")
"""How an object begins that holds one array of objects, and perhaps plain values before it."""


def scan_array(file: Bytes, spans: Spans, *, wrapped: bool = False) -> Tail:
    """The rows of a JSON array.

    Args:
        file: Stands behind the bracket that opens the array.
        spans: Takes the places of the rows.
        wrapped: The array is a value of an object, which ends behind it.
    """
    return _ArrayScan(file, spans, wrapped).run()


class _ArrayScan:
    """One pass over an array."""

    def __init__(self, file: Bytes, spans: Spans, wrapped: bool) -> None:
        self._window = Window(file)
        self._position = 0
        self._spans = spans
        self._wrapped = wrapped
        self._openings: set[bytes] = set()
        self._layout = Layout()
        self._layouts = 0
        self._closed = False
        self._bad_in_a_row = 0

    def run(self) -> Tail:
        while (byte := self._next_byte()) is not None:
            if byte == ord("]"):  # the array's end; a stray one where more follows
                self._closed = True
                self._position += 1
                if self._wrapped:
                    return self._after_array()
                continue
            start = self._offset
            ended = self._pass_row(is_object=byte == ord("{"))
            if not ended or self._bad_in_a_row == BROKEN_LIMIT:
                return self._give_up(start, ended)
            self._spans.add(start, self._offset)
        if self._closed:
            return Tail.CLOSED
        self._spans.add(self._offset, self._offset)
        return Tail.TRUNCATED

    def _after_array(self) -> Tail:
        while len(self._window.bytes) - self._position < _AFTER_LIMIT and self._grow():
            pass
        rest = self._window.bytes[self._position :]
        if _AFTER_ARRAY.fullmatch(rest):
            return Tail.CLOSED
        if rest.strip():
            return Tail.MORE
        self._spans.add(self._offset, self._offset)
        return Tail.TRUNCATED

    @property
    def _offset(self) -> int:
        return self._window.offset + self._position

    def _next_byte(self) -> int | None:
        """Step over separators, and rows that are laid out like one before, to the next byte; None
        at the end of the file."""
        while True:
            self._pass_alike()
            window = self._window
            match = _SEPARATORS.match(window.bytes, self._position)
            self._position = match.end() if match else self._position
            if self._position < len(window.bytes):
                return window.bytes[self._position]
            if not self._grow():
                return None

    def _pass_alike(self) -> None:
        """Step over the rows in the window, up to one that is laid out otherwise."""
        separators = _SEPARATORS.match(self._window.bytes, self._position)
        start = separators.end() if separators else self._position
        rows = laid_out_rows(self._window.bytes, start, self._layout, self._window.offset)
        if rows:
            self._spans.add_many(rows.tobytes())
            self._position, self._bad_in_a_row = rows[-1] - self._window.offset, 0

    def _grow(self) -> bool:
        """Read on, keeping what lies behind the position; False at the end of the file."""
        grown = self._window.grow(self._position)
        self._position = 0
        return grown

    def _pass_row(self, *, is_object: bool) -> bool:
        """Step over the row that begins here; False where it goes on to the end of the file."""
        end = self._row_end()
        self._note_layout(end)
        self._bad_in_a_row = 0 if end > 0 and is_object else self._bad_in_a_row + 1
        self._note_opening(good=end > 0)
        if end < 0:
            return self._pass_broken_row()
        self._position = end
        return True

    def _note_opening(self, *, good: bool) -> None:
        """Remember how a good row opens; a broken one's opening is only better than none."""
        opening = _OPENING.match(self._window.bytes, self._position)
        if opening and len(self._openings) < (_OPENINGS_KEPT if good else 1):
            self._openings.add(opening.group())

    def _note_layout(self, end: int) -> None:
        """Remember how a good row is laid out: most often the next ones are laid out like it."""
        if end > 0 and self._layouts < LAYOUTS_TRIED:
            self._layouts += 1
            self._layout = layout_of(self._window.bytes, self._position, end)

    def _row_end(self) -> int:
        """End of the row in the window, which grows as far as a row may be long."""
        while True:
            end = row_end(self._window.bytes, self._position)
            seen = len(self._window.bytes) - self._position
            if end != INCOMPLETE or seen > values.ROW_LIMIT or not self._grow():
                return end

    def _pass_broken_row(self) -> bool:
        """Step to where the next row opens; False where none does."""
        known = b"|".join(re.escape(opening) for opening in sorted(self._openings))
        opening = re.compile(known) if known else _OPENING
        self._position += 1
        while (found := opening.search(self._window.bytes, self._position)) is None:
            seen = len(self._window.bytes) - _OPENING_LENGTH
            self._position = max(self._position, seen)
            if not self._grow():
                return False
        self._position = found.start()
        return True

    def _give_up(self, start: int, ended: bool) -> Tail:
        """Let the last row go to the end of the file, and say what is wrong there."""
        last = self._window.bytes.rstrip()[-1:]
        while self._window.grow(len(self._window.bytes)):
            last = self._window.bytes.rstrip()[-1:] or last
        self._spans.add(start, self._window.offset + len(self._window.bytes))
        if ended or self._bad_in_a_row == BROKEN_LIMIT:
            return Tail.LOST
        return Tail.CLOSED if last == b"]" else Tail.TRUNCATED


# --- Rows that are laid out alike -----------------------------------------------------------------


class Layout(NamedTuple):
    """All of an object but what its texts say: keys, brackets, quotes, white space, numbers.

    Attributes:
        gaps: What stands before each text, with the quotes on both sides of it.
        last: What stands behind the last text; empty where nothing is laid out so.
    """

    gaps: tuple[bytes, ...] = ()
    last: bytes = b""


LAYOUTS_TRIED = 64
"""Rows of a file whose layout is noted at most: in some files no two are laid out alike."""

_MOST_GAPS = 64
"""Texts of a row whose layout is noted."""

_COLON = re.compile(rb"\s*:")


def layout_of(buffer: bytes, start: int, end: int) -> Layout:
    """The layout of the row in ``buffer[start:end]``, whose structure is good; none of what is no
    object."""
    if buffer[start] != ord("{"):
        return Layout()
    gaps: list[bytes] = []
    position = start
    while (quote := buffer.find(b'"', position, end)) >= 0:
        position = _string_end(buffer, quote + 1)
        if not _COLON.match(buffer, position):  # a key belongs to the layout
            gaps.append(buffer[start : quote + 1])
            start = position - 1
        if len(gaps) > _MOST_GAPS:
            return Layout()
    return Layout(tuple(gaps), buffer[start:end])


def laid_out_rows(buffer: bytes, start: int, layout: Layout, offset: int) -> array[int]:
    """Starts and ends of the rows from ``start`` on, up to one that is laid out in another way or
    goes on behind the buffer.

    The same bytes between the texts have the same structure, which ``row_end`` would find in four
    times the time. Written without calls: there are millions of texts.

    Args:
        offset: Is added to each place.
    """
    rows: array[int] = array("Q")
    if not layout.gaps:
        return rows
    find, startswith = buffer.find, buffer.startswith
    first, behind = layout.gaps[0], (*layout.gaps[1:], layout.last)
    next_first, between = first, 0
    at = start
    while True:
        if startswith(next_first, at):
            start = at + between
            at += len(next_first)
        elif (separators := _SEPARATORS.match(buffer, at)) and startswith(first, separators.end()):
            between = separators.end() - at
            next_first = buffer[at : separators.end()] + first
            start = separators.end()
            at = start + len(first)
        else:
            return rows
        for gap in behind:
            quote = find(b'"', at)
            if quote < 0:
                return rows
            if buffer[quote - 1] == _BACKSLASH:
                quote = _string_end(buffer, at) - 1
                if quote < 0:
                    return rows
            elif find(b"\n", at, quote) >= 0:  # as in _string_end
                return rows
            if not startswith(gap, quote):
                return rows
            at = quote + len(gap)
        rows.append(start + offset)
        rows.append(at + offset)


# --- One value ------------------------------------------------------------------------------------

# Between two brackets or strings: separators, numbers and words. Behind a string only a separator
# or a closing bracket can follow; anything else shows that a quote is missing or too many.
_GAP = re.compile(rb"[\s,:]*+(?:[-+.\w]++[\s,:]*+)*+")
_GAP_AFTER_STRING = re.compile(rb"\s*+(?:[,:][\s,:]*+(?:[-+.\w]++[\s,:]*+)*+|(?=[]}]))")
_SCALAR = re.compile(rb'[^\s,\]\["{]++')
_CLOSER = {ord("{"): ord("}"), ord("["): ord("]")}
_QUOTE = ord('"')
_BACKSLASH = ord("\\")


def row_end(buffer: bytes, start: int) -> int:
    """End of the JSON value that begins at ``start``, or ``INCOMPLETE``, or ``BROKEN``.

    Only the structure is looked at: ``{"a": oops}`` has an end, ``{"a": "b}`` has none.
    """
    first = buffer[start]
    if first == _QUOTE:
        return _string_end(buffer, start + 1)
    if first in _CLOSER:
        return _bracket_end(buffer, start)
    match = _SCALAR.match(buffer, start)
    end = match.end() if match else start + 1
    return end if end < len(buffer) else INCOMPLETE


def _bracket_end(buffer: bytes, start: int) -> int:
    closers = bytearray()
    position, gap = start, _GAP
    while True:
        match = gap.match(buffer, position)
        if match is None:
            return BROKEN if _VISIBLE.search(buffer, position) else INCOMPLETE
        position = match.end()
        if position == len(buffer):
            return INCOMPLETE
        byte, gap = buffer[position], _GAP
        position += 1
        if byte == _QUOTE:
            position = _string_end(buffer, position)
            gap = _GAP_AFTER_STRING
            if position < 0:
                return position
        elif byte in _CLOSER:
            if len(closers) == SCANNED_NESTING or _misplaced(closers, match.group()):
                return BROKEN
            closers.append(_CLOSER[byte])
        elif closers and byte == closers[-1]:
            closers.pop()
            if not closers:
                return position
        else:
            return BROKEN


def _misplaced(closers: bytearray, before: bytes) -> bool:
    """Whether a bracket opens inside an object without a key: the row before was not closed."""
    return bool(closers) and closers[-1] == _CLOSER[ord("{")] and not before.rstrip().endswith(b":")


def _string_end(buffer: bytes, start: int) -> int:
    """Position behind the closing quote of the string whose content begins at ``start``."""
    position = start
    while (quote := buffer.find(b'"', position)) >= 0:
        escapes = quote
        while buffer[escapes - 1] == _BACKSLASH:  # ends at the opening quote at the latest
            escapes -= 1
        if (quote - escapes) % 2 == 0:
            # A line end can't stand in a JSON string: the string was not closed on its line.
            return BROKEN if buffer.find(b"\n", start, quote) >= 0 else quote + 1
        position = quote + 1
    return BROKEN if buffer.find(b"\n", start) >= 0 else INCOMPLETE
