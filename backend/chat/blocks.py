"""Finds where Markdown that is still being written has finished blocks.

A finished block can be rendered once and left alone, so that showing a long answer while it comes
costs what is new. Knows nothing about how blocks are rendered.
"""

from __future__ import annotations

import re

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_MATHS = {"$$": "$$", "\\[": "\\]"}


class Blocks:
    """The ends of finished blocks in a text that grows: after each blank line that no fence of code
    and no displayed formula spans. What is fed is looked at once.

    Attributes:
        ends: Offsets, rising; the text behind the last one is unfinished.
    """

    def __init__(self) -> None:
        self.ends: list[int] = []
        self._done = 0
        self._line: list[str] = []
        self._fence = ""
        self._maths = ""
        self._written = False  # there is more than white space since the last end

    def feed(self, text: str) -> None:
        """Take what was appended to the text."""
        lines = text.split("\n")
        for piece in lines[:-1]:
            self._line.append(piece)
            line = "".join(self._line)
            self._line.clear()
            self._done += len(line) + 1
            self._take(line)
        self._line.append(lines[-1])

    def _take(self, line: str) -> None:
        bare = line.strip()
        if not bare:
            if self._written and not self._fence and not self._maths:
                self.ends.append(self._done)
                self._written = False
            return
        self._written = True
        if self._fence:
            closing = bare.strip(self._fence[0]) == "" and len(bare) >= len(self._fence)
            self._fence = "" if closing else self._fence
        elif self._maths:
            self._maths = "" if bare.endswith(self._maths) else self._maths
        elif match := _FENCE.match(line):
            self._fence = match[1]
        else:
            for opening, closing_mark in _MATHS.items():
                if bare.startswith(opening) and closing_mark not in bare[len(opening) :]:
                    self._maths = closing_mark
