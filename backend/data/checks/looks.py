"""How a pattern of identifying data is written down, and looked for. Knows no pattern itself."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Protocol

Span = tuple[int, int]


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    """When it is first looked for: all take 40 ms, for which the page's start need not wait."""
    return re.compile(pattern)


class Look(Protocol):
    """What identifying data looks like."""

    def spans(self, text: str) -> Iterator[Span]:
        """Where a text has what identifies; two may overlap."""


@dataclass(frozen=True, slots=True)
class Pattern:
    """What a pattern matches.

    Attributes:
        sign: Characters without which the pattern does not match.
        pattern: Begins with a literal character where it can, to which the search skips; what comes
            before that is asked by looking back. Its group, where it has one, is what identifies.
        accepts: Whether what the pattern matches is what it looks like.
        back: So many characters before the match identify as well.
    """

    sign: str
    pattern: str
    accepts: Callable[[str], bool] = lambda words: True
    back: int = 0

    def spans(self, text: str) -> Iterator[Span]:
        if self.sign in text:
            pattern = _compiled(self.pattern)
            for match in pattern.finditer(text):
                start, end = match.span(pattern.groups)
                if self.accepts(text[start - self.back : end]):
                    yield start - self.back, end

    def is_at(self, text: str, place: int) -> bool:
        """Whether the pattern matches at a place."""
        pattern = _compiled(self.pattern)
        if (match := pattern.match(text, place)) is None:
            return False
        start, end = match.span(pattern.groups)
        return self.accepts(text[start - self.back : end])


@dataclass(frozen=True, slots=True)
class Before:
    """What stands before a pattern that is seldom: looked for only there.

    Attributes:
        sign: Characters without which the pattern does not match.
        pattern: Begins with a literal character.
        before: Ends where the pattern begins; its last group that matched is what identifies.
        reach: Characters that ``before`` has at most, what it looks back at not counted.
    """

    sign: str
    pattern: str
    before: str
    reach: int

    def spans(self, text: str) -> Iterator[Span]:
        if self.sign in text:
            for match in _compiled(self.pattern).finditer(text):
                end = match.start()
                found = _compiled(self.before).search(text, max(0, end - self.reach), end)
                if found:
                    yield found.span(found.lastindex or 0)

    def is_at(self, text: str, place: int) -> bool:
        """Whether the pattern matches at a place, and what stands before it."""
        if not _compiled(self.pattern).match(text, place):
            return False
        before = _compiled(self.before)
        return before.search(text, max(0, place - self.reach), place) is not None


def behind(*words: str) -> str:
    """A pattern that looks back at one of these words."""
    return "(?:" + "|".join(f"(?<={word})" for word in words) + ")"


IS = r"\s{0,3}(?:is\b|on\b|[:=#：为是])?\s{0,3}#?"
"""What stands between a label and its value."""
