"""Turning the pages of a log: older, newer, the end, a search; what stays when lines come.

Takes a ``LogReader``; knows nothing about pages of the browser.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from backend.training.log_reader import Line, LogReader, Query

PAGE = 200

Move = Literal["stay", "older", "newer", "end"]


@dataclass(frozen=True)
class Place:
    """Where a reader of a log is.

    Attributes:
        numbers: The lines on the page.
        top, bottom: What has been looked through for them, both included.
        follow: The page moves along when lines come.
    """

    generation: int
    query: Query
    numbers: tuple[int, ...]
    top: int
    bottom: int
    follow: bool


def turn(reader: LogReader, query: Query, place: Place | None, move: Move = "stay") -> Place:
    """Where a reader is after a move; a new search or another file begins at the end.

    ``reader`` is brought up to date by the caller. A move that finds nothing stays where it was.
    """
    if place is None or place.generation != reader.generation or place.query != query:
        return _end(reader, query)
    if move == "end":
        return _end(reader, query)
    if move == "older":
        return _older(reader, place)
    if move == "newer":
        return _newer(reader, place)
    return _follow(reader, place) if place.follow else place


def around(reader: LogReader, number: int) -> Place:
    """The page in whose middle a line is, all lines shown."""
    first = max(1, min(number, reader.count) - PAGE // 2)
    found = reader.find(Query(), first, PAGE, forward=True)
    numbers = tuple(line.number for line in found.lines)
    return Place(reader.generation, Query(), numbers, first, found.reached, follow=False)


def page(reader: LogReader, place: Place) -> list[Line]:
    """The lines on the page as they are now."""
    return reader.lines(place.numbers)


def _end(reader: LogReader, query: Query) -> Place:
    found = reader.find(query, reader.count, PAGE, forward=False)
    numbers = tuple(line.number for line in found.lines)
    return Place(reader.generation, query, numbers, found.reached, reader.count, follow=True)


def _older(reader: LogReader, place: Place) -> Place:
    if place.top <= 1:
        return replace(place, follow=False)
    found = reader.find(place.query, place.top - 1, PAGE, forward=False)
    numbers = tuple(line.number for line in found.lines)
    bottom = place.top - 1
    if not numbers:  # looked further without a hit: what was seen stays
        return replace(place, top=found.reached, follow=False)
    return Place(place.generation, place.query, numbers, found.reached, bottom, follow=False)


def _newer(reader: LogReader, place: Place) -> Place:
    found = reader.find(place.query, place.bottom + 1, PAGE, forward=True)
    at_end = found.reached >= reader.count
    if len(found.lines) < PAGE and at_end:
        return _end(reader, place.query)
    numbers = tuple(line.number for line in found.lines)
    if not numbers:
        return replace(place, bottom=found.reached)
    top = place.bottom + 1
    return Place(place.generation, place.query, numbers, top, found.reached, follow=False)


def _follow(reader: LogReader, place: Place) -> Place:
    """Only what is new is looked through; the line that was being written is looked at again."""
    found = reader.find(place.query, max(1, place.bottom), PAGE, forward=True)
    if found.reached < reader.count and len(found.lines) >= PAGE:
        return _end(reader, place.query)  # more has come than a page holds
    old = [number for number in place.numbers if number < place.bottom]
    numbers = (*old, *(line.number for line in found.lines))[-PAGE:]
    top = numbers[0] if len(old) + len(found.lines) > PAGE else place.top
    return replace(place, numbers=numbers, top=top, bottom=max(place.bottom, found.reached))
