"""Where the rows of a CSV or TSV text are, in one pass and without taking their fields apart.

Knows quotes, delimiters and line ends (RFC 4180), and nothing of what a field means. Where every
quote of a chunk is where one belongs, a line end with an even number of quotes before it ends a
row, which numpy counts at gigabytes a second; from the first odd quote on, the rest of the chunk is
read row by row. A row with a quote in the wrong place costs that row: it ends with the line on
which that quote is.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from backend.data.reading import values
from backend.data.reading.index import Spans, Tail
from backend.data.reading.values import BROKEN_LIMIT
from backend.data.reading.window import Bytes, Window

INCOMPLETE = -1
_QUOTE = ord('"')
_LINE_END = ord("\n")
_RETURN = ord("\r")


def scan_table(file: Bytes, spans: Spans, delimiter: str) -> Tail:
    """The rows of a table, from where ``file`` stands, behind the header. Blank lines are no rows.

    Args:
        spans: Takes the places of the rows.
        delimiter: One byte in UTF-8.
    """
    return _TableScan(file, spans, delimiter).run()


def row_end(buffer: bytes, start: int, delimiter: str, *, last: bool) -> tuple[int, bool]:
    """Where the row ends that begins at ``start``: at its line end, or at the buffer's.

    Args:
        last: Nothing follows the buffer.

    Returns:
        The end, or ``INCOMPLETE``; and whether each quote is where one belongs.
    """
    rest = _row(delimiter).match(buffer, start)
    end = rest.end() if rest else start
    if end == len(buffer):
        return (end, True) if last else (INCOMPLETE, True)
    if buffer[end] == _LINE_END:
        return end, True
    if buffer.startswith(b"\r\n", end):
        return end + 1, True
    if end == len(buffer) - 1 and buffer[end] == _RETURN:
        return (end, True) if last else (INCOMPLETE, True)
    place = end if buffer[end] == _QUOTE else end + 1
    if not last and _is_open(buffer, place):
        return INCOMPLETE, True
    line_end = buffer.find(b"\n", place)
    if line_end < 0:
        return (len(buffer) if last else INCOMPLETE), False
    return line_end, False


@lru_cache(maxsize=8)
def _row(delimiter: str) -> re.Pattern[bytes]:
    """The fields of a row, as far as their quotes are where they belong."""
    mark = re.escape(delimiter.encode())
    quoted = rb'"(?:[^"]++|"")*+"(?=' + mark + rb"|\r?\n|\r?\Z)"
    field = rb"(?:" + quoted + rb'|(?!")[^\n' + mark + rb"]*+)"
    return re.compile(field + rb"(?:" + mark + field + rb")*+")


_QUOTED = re.compile(rb'"(?:[^"]++|"")*+')


def _is_open(buffer: bytes, place: int) -> bool:
    """Whether the quoted field at ``place`` may go on behind the buffer."""
    match = _QUOTED.match(buffer, place)
    if match is None:
        return False
    behind = len(buffer) - match.end() - 1
    return behind <= 0 or (behind == 1 and buffer[-1] == _RETURN)


class _TableScan:
    """One pass over a table."""

    def __init__(self, file: Bytes, spans: Spans, delimiter: str) -> None:
        self._window = Window(file)
        self._spans = spans
        self._delimiter = delimiter
        self._position = 0
        self._last = False
        self._bad_in_a_row = 0

    def run(self) -> Tail:
        while not self._last:
            self._last = not self._window.grow(self._position)
            self._position = 0
            self._add_regular()
            if not self._add_one_by_one():
                return self._give_up()
        return Tail.CLOSED

    def _add_regular(self) -> None:
        """The rows of the window before the first quote that is not where one belongs."""
        buffer = self._window.bytes
        starts, ends = regular_rows(buffer, self._delimiter)
        if not len(ends):
            return
        import numpy as np

        data = np.frombuffer(buffer, np.uint8)
        kept = ends > starts
        for row in np.flatnonzero(kept & (data[starts] == _RETURN)):
            kept[row] = bool(buffer[starts[row] : ends[row]].strip(b"\r"))
        pairs: Any = np.stack([starts[kept], ends[kept]], axis=1).astype(np.uint64)
        self._spans.add_many((pairs + np.uint64(self._window.offset)).tobytes())
        self._position = int(ends[-1]) + 1
        self._bad_in_a_row = 0

    def _add_one_by_one(self) -> bool:
        """The rest of the window; False where nothing can be made out any more."""
        buffer = self._window.bytes
        while self._position < len(buffer):
            start = self._position
            end, good = row_end(buffer, start, self._delimiter, last=self._last)
            if end == INCOMPLETE and len(buffer) - start <= values.ROW_LIMIT:
                return True
            self._bad_in_a_row = 0 if good and end > 0 else self._bad_in_a_row + 1
            if self._bad_in_a_row == BROKEN_LIMIT:
                return False
            if end == INCOMPLETE:
                self._add_long()
                buffer = self._window.bytes
                continue
            if buffer[start:end].strip(b"\r"):
                self._spans.add(self._window.offset + start, self._window.offset + end)
            self._position = end + 1
        return True

    def _add_long(self) -> None:
        """The row that began too long ago; read on to where its line ends, without keeping it."""
        window = self._window
        start = window.offset + self._position
        end, _ = row_end(window.bytes, self._position, self._delimiter, last=True)
        if end == len(window.bytes):
            while (end := window.bytes.find(b"\n", end)) < 0:
                end = 0
                if not window.grow(len(window.bytes)):
                    self._last = True
                    break
        self._spans.add(start, window.offset + end)
        self._position = end + 1

    def _give_up(self) -> Tail:
        """Let the last row go to the end of the file."""
        start = self._window.offset + self._position
        while self._window.grow(len(self._window.bytes)):
            pass
        self._spans.add(start, self._window.offset + len(self._window.bytes))
        return Tail.LOST


def regular_rows(buffer: bytes, delimiter: str) -> tuple[Any, Any]:
    """Starts and ends of the rows of a buffer, up to where a quote is not where one belongs.

    A quote opens a field behind a delimiter or a line end, and closes one before either; two in a
    row stand for one. As long as each keeps to that, counting them is reading them.
    """
    import numpy as np

    data = np.frombuffer(buffer, np.uint8)
    ends = np.flatnonzero(data == _LINE_END)
    quotes = np.flatnonzero(data == _QUOTE)
    if len(quotes):
        inside = np.searchsorted(quotes, ends) & 1
        ends = ends[(inside == 0) & (ends < _first_odd(data, quotes, ord(delimiter)))]
    starts = np.concatenate([[0], ends[:-1] + 1]) if len(ends) else ends
    return starts, ends


def _first_odd(data: Any, quotes: Any, mark: int) -> int:
    """Place of the first quote that is not where one belongs; the length where all are."""
    import numpy as np

    size = len(data)
    before = np.where(quotes > 0, data[quotes - 1], _LINE_END)
    after = np.where(quotes + 1 < size, data[np.minimum(quotes + 1, size - 1)], _LINE_END)
    second = np.where(quotes + 2 < size, data[np.minimum(quotes + 2, size - 1)], _LINE_END)
    opens = (before == mark) | (before == _LINE_END) | (before == _QUOTE)
    closes = (after == mark) | (after == _LINE_END) | (after == _QUOTE)
    closes |= (after == _RETURN) & (second == _LINE_END)
    good = np.where(np.arange(len(quotes)) & 1, closes, opens)
    odd = np.flatnonzero(~good)
    return int(quotes[odd[0]]) if len(odd) else len(data)
