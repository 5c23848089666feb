"""Where the lines of a text are, in one pass: the rows of JSON lines.

A line is never held as a whole, however long. Blank lines are no rows. Knows line ends and nothing
of what a line means.
"""

from __future__ import annotations

from typing import Any

from backend.data.reading import window
from backend.data.reading.index import Spans, Tail
from backend.data.reading.window import Bytes

_SPACE = ord(" ")
_LINE_END = ord("\n")


def scan_lines(file: Bytes, spans: Spans) -> Tail:
    """The lines of a text, from where ``file`` stands.

    Args:
        spans: Takes the places of the rows.
    """
    offset = start = file.tell()
    visible = False  # something other than blank space was in the line that began before
    while chunk := file.read(window.CHUNK):
        first_end = chunk.find(b"\n")
        if first_end < 0:
            visible = visible or bool(chunk.strip())
            offset += len(chunk)
            continue
        if visible or chunk[:first_end].strip():
            spans.add(start, offset + first_end)
        last_end = chunk.rfind(b"\n")
        _add_lines(chunk, first_end, last_end, offset, spans)
        start = offset + last_end + 1
        visible = bool(chunk[last_end + 1 :].strip())
        offset += len(chunk)
    if visible:
        spans.add(start, offset)
    return Tail.CLOSED


def _add_lines(chunk: bytes, first_end: int, last_end: int, offset: int, spans: Spans) -> None:
    """The lines between the first line end of a chunk and its last."""
    import numpy as np

    whole = np.frombuffer(chunk, np.uint8)[first_end : last_end + 1]
    ends = np.flatnonzero(whole == _LINE_END) + first_end
    pairs: Any = np.stack([ends[:-1] + 1, ends[1:]], axis=1).astype(np.uint64)
    opens = np.frombuffer(chunk, np.uint8)[ends[:-1] + 1]
    kept = opens > _SPACE
    for place in np.flatnonzero(~kept):
        kept[place] = bool(chunk[ends[place] : ends[place + 1]].strip())
    spans.add_many((pairs[kept] + np.uint64(offset)).tobytes())
