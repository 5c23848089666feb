"""Data files that tests make, and how they are read."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.data.reading.reader import RowReader
from backend.errors import DataError

Rows = list[dict[str, Any]]
NewFile = Callable[[], Path]


def new_files(folder: Path) -> NewFile:
    """Names a new file for each example of a property: one written over may keep its time stamp."""
    numbers = itertools.count()
    return lambda: folder / f"{next(numbers)}.json"


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def opened(path: Path) -> RowReader:
    """A reader whose cache is beside the file."""
    return RowReader.open(path, cache=path.parent / "cache")


def glanced(path: Path, rows: int = 200) -> RowReader:
    return RowReader.glance(path, cache=path.parent / "cache", rows=rows)


def contents(path: Path) -> list[dict[str, Any] | None]:
    return [row.value for row in opened(path)]


def problems(path: Path) -> dict[int, str]:
    """What is wrong with rows, by their numbers; it must also be said in Chinese."""
    found = {row.number: row.problem for row in opened(path) if row.problem}
    assert all(problem.sentence("zh") for problem in found.values())
    return {number: problem.sentence("en") for number, problem in found.items()}


def refused(path: Path, *, glance: bool = False) -> str:
    """The sentence with which a file is refused; it must also be there in Chinese."""
    with pytest.raises(DataError) as caught:
        glanced(path) if glance else opened(path)
    assert caught.value.sentence("zh")
    return str(caught.value)


def a_row(number: int, **more: Any) -> dict[str, Any]:
    return {"Question": f"q{number}", "Complex_CoT": 'so "it" is', "Response": "r", **more}
