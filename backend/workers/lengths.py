"""Counts the tokens of all rows of a file: ``python -m backend.workers.lengths TASK_FOLDER``.

The folder holds ``task.json``, and gets ``progress.json``, the arrays of
``backend.data.tokens.lengths`` and last ``outcome.json`` (see ``backend.data.tasks``). SIGTERM ends
it at once: what it leaves are whole files or hidden ones, and no outcome. torch is not loaded.

Rows are dealt out in ranges to one process for each core, since to read a row, to convert it and to
look for what is to be mended takes half the time, in Python; each counts with one thread. A small
file is counted in this very process, by Rust's threads.
"""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from backend.data.checks.remedies import each_remedied
from backend.data.forked import can_fork, forked, heard, told
from backend.data.meaning.convert import compile_map
from backend.data.meaning.lesson import Lesson
from backend.data.meaning.mapping import Shape
from backend.data.reading.reader import RowReader
from backend.data.tasks import Reporter, work
from backend.data.tokens.lengths import save
from backend.data.tokens.measuring import LengthsRequest, note_content
from backend.problems import Problem
from backend.workers.inspect_source import hide_torch
from backend.workers.many_rows import get_ready

if TYPE_CHECKING:
    from backend.workers.inspect_model import Fitted
    from backend.workers.lengths_measure import Measured

STEP = "lengths"

RANGE_BYTES = 1 << 20
"""Of a file, about, for each range of rows: half a second's work, after which progress is told."""

RANGE_ROWS = 1000
"""In a range at most."""

_Range = tuple[int, int]


def main(arguments: list[str]) -> int:
    """Do the task in a folder. The result is the exit status."""
    hide_torch()
    get_ready()
    folder = Path(arguments[0]).resolve()
    return work(folder, lambda asked, progress: _measure(folder, asked, progress))


def _measure(folder: Path, asked: Mapping[str, Any], progress: Reporter) -> dict[str, Any]:
    from backend.workers.inspect_model import fit
    from backend.workers.lengths_measure import Measured

    started = time.monotonic()
    progress(STEP, 0, 0)
    request = LengthsRequest.from_asked(asked)
    fitted = fit(request.model, request.template)
    reader = RowReader.open(request.source, cache=Path(asked["cache"]))
    content = request.content_key(reader.sha256())
    found = Measured()
    for end, part in counted(Counting(request, fitted, reader)):
        found.extend(part)
        progress(STEP, end, reader.count)
    save(folder, found.arrays())
    note_content(folder, content)
    pairs = request.columns.shape is Shape.PREFERENCE
    return {
        # Of a pair the end token is part of the answers already.
        "tail": 0 if pairs else fitted.tail,
        "rows": found.count,
        "tokens": found.tokens,
        "seconds": round(time.monotonic() - started, 1),
    }


class Counting:
    """Counts the rows of ranges.

    Attributes:
        ranges: All of them: the place of the first row of each, and that behind its last.
    """

    def __init__(self, request: LengthsRequest, fitted: Fitted, reader: RowReader) -> None:
        self._request, self._fitted, self._reader = request, fitted, reader
        rows = min(RANGE_ROWS, max(1, RANGE_BYTES * reader.count // max(1, reader.size)))
        starts = range(0, reader.count, rows)
        self.ranges = [(start, min(start + rows, reader.count)) for start in starts]

    def __call__(self, bounds: _Range) -> Measured:
        from backend.workers.lengths_measure import measure

        return measure(self._lessons(bounds), self._fitted)

    def _lessons(self, bounds: _Range) -> Iterator[tuple[int, Lesson]]:
        """The rows that make a lesson, as they are taught with the repairs that apply."""
        convert = compile_map(self._request.columns)
        converted = map(convert, self._reader.rows(*bounds))
        lessons = ((row.number, lesson) for row, lesson, _ in converted if lesson is not None)
        return each_remedied(lessons, self._request.applied)


def counted(counting: Counting) -> Iterator[tuple[int, Measured]]:
    """What is found in each range, in their order, with the place behind its last row.

    Raises:
        DataError: the file changed since it was opened, or can't be read any more.
    """
    ranges = counting.ranges
    workers = min(_cores(), len(ranges)) if can_fork() else 1
    # Rust's threads do not go with a fork: where there are several processes, there are none.
    os.environ["TOKENIZERS_PARALLELISM"] = "false" if workers > 1 else "true"
    with ExitStack() as ending:
        parts = map(counting, ranges)
        if workers > 1:
            gc.freeze()  # else each process would soon have its own copy of all modules
            pool = ending.enter_context(forked(workers, _begin, counting))
            parts = map(heard, pool.map(_count_mine, ranges))
        for (_, end), part in zip(ranges, parts, strict=True):
            yield end, part


def _cores() -> int:
    """All, or as many threads as Rust is allowed."""
    said = os.environ.get("RAYON_NUM_THREADS", "")
    return int(said) if said.isdecimal() and int(said) else os.cpu_count() or 1


# --- In a process of the pool -------------------------------------------------------------------

_mine: list[Counting] = []


def _begin(counting: Counting) -> None:
    _mine[:] = [counting]


def _count_mine(bounds: _Range) -> Measured | Problem:
    return told(lambda: _mine[0](bounds))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
