"""What all benchmarks share: a result and the table of results.

A benchmark is a module with ``measure() -> list[Result]``. It measures what it compares with in the
same run, since times of another day or machine say little.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Result:
    """One measured promise.

    Attributes:
        name: What was measured, in a few words.
        value: The measured value, in ``unit``.
        unit: Such as "s" or "MB".
        baseline: What it is compared with, in the same unit; None where the goal is absolute.
        ratio: ``value / baseline``; where both were measured in turns, the median of the rounds'
            own ratios, which a busy minute moves less. None without a baseline.
        goal: The promise in words, such as "≤ 1.4 ×"; empty for a value that is only shown.
        holds: Whether the promise holds; True without a goal.
    """

    name: str
    value: float
    unit: str
    baseline: float | None = None
    ratio: float | None = None
    goal: str = ""
    holds: bool = True


def at_most_times(name: str, value: float, unit: str, baseline: float, limit: float) -> Result:
    """A value that may be at most ``limit`` times its baseline."""
    ratio = value / baseline
    return Result(name, value, unit, baseline, ratio, f"≤ {limit:g} ×", ratio <= limit)


def at_most(name: str, value: float, unit: str, limit: float) -> Result:
    """A value that may be at most ``limit``."""
    return Result(name, value, unit, goal=f"≤ {limit:g} {unit}", holds=value <= limit)


def shown_beside(name: str, value: float, unit: str, baseline: float | None = None) -> Result:
    """A value without a promise, shown for comparison."""
    return Result(name, value, unit, baseline, value / baseline if baseline else None)


def broken(name: str) -> Result:
    """The benchmark ``name`` came to no end: a promise that was not measured does not hold."""
    return Result(f"{name} came to an end", 0, "times", goal="= 1 times", holds=False)


def as_dict(result: Result) -> dict[str, Any]:
    """The result as it is written to ``benchmarks/latest.json``."""
    return asdict(result)


def table(results: Sequence[Result]) -> str:
    """The results as lines of aligned columns."""
    rows: list[tuple[str, ...]] = [("what", "value", "baseline", "ratio", "goal", "")]
    rows += [_row(result) for result in results]
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(_cells(row, widths)).rstrip() for row in rows]
    return "\n".join([lines[0], "-" * sum(widths, 2 * len(widths)), *lines[1:]])


def _row(result: Result) -> tuple[str, ...]:
    def figure(value: float | None) -> str:
        return "" if value is None else f"{value:,.3g} {result.unit}"

    ratio = "" if result.ratio is None else f"{result.ratio:.2f} ×"
    verdict = "" if not result.goal else ("holds" if result.holds else "FAILS")
    value, baseline = figure(result.value), figure(result.baseline)
    return (result.name, value, baseline, ratio, result.goal, verdict)


def _cells(row: Sequence[str], widths: Sequence[int]) -> Iterator[str]:
    for column, (cell, width) in enumerate(zip(row, widths, strict=True)):
        gap = " " * (width - _width(cell))
        yield gap + cell if 1 <= column <= 3 else cell + gap


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
