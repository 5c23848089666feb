"""Counts the tokens of all rows of a file: ``python -m backend.workers.lengths TASK_FOLDER``.

The folder holds ``task.json``, and gets ``progress.json``, the arrays of
``backend.data.tokens.lengths`` and last ``outcome.json`` (see ``backend.data.tasks``). SIGTERM ends
it at once: what it leaves are whole files or hidden ones, and no outcome. torch is not loaded.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from backend.data.checks.remedies import remedied
from backend.data.meaning.convert import compile_map
from backend.data.meaning.lesson import Lesson
from backend.data.meaning.mapping import Shape
from backend.data.reading.reader import RowReader
from backend.data.tasks import Reporter, work
from backend.data.tokens.lengths import save
from backend.data.tokens.measuring import LengthsRequest, note_content
from backend.workers.inspect_source import hide_torch

STEP = "lengths"


def main(arguments: list[str]) -> int:
    """Do the task in a folder. The result is the exit status."""
    # Rust's threads: all cores. The count is the same with any number of them.
    os.environ["TOKENIZERS_PARALLELISM"] = "true"
    hide_torch()
    folder = Path(arguments[0]).resolve()
    return work(folder, lambda asked, progress: _measure(folder, asked, progress))


def _measure(folder: Path, asked: Mapping[str, Any], progress: Reporter) -> dict[str, Any]:
    from backend.workers.inspect_model import fit
    from backend.workers.lengths_measure import measure

    started = time.monotonic()
    progress(STEP, 0, 0)
    request = LengthsRequest.from_asked(asked)
    fitted = fit(request.model, request.template)
    reader = RowReader.open(request.source, cache=Path(asked["cache"]))
    content = request.content_key(reader.sha256())
    lessons = _lessons(reader, request)
    found = measure(lessons, fitted, lambda row: progress(STEP, row, reader.count))
    pairs = request.columns.shape is Shape.PREFERENCE
    save(folder, found.arrays())
    note_content(folder, content)
    return {
        # Of a pair the end token is part of the answers already.
        "tail": 0 if pairs else fitted.tail,
        "rows": found.count,
        "tokens": found.tokens,
        "seconds": round(time.monotonic() - started, 1),
    }


def _lessons(reader: RowReader, request: LengthsRequest) -> Iterator[tuple[int, Lesson]]:
    """The rows that make a lesson, as they are taught with the repairs that apply."""
    convert, applied = compile_map(request.columns), request.applied
    for row in reader:
        lesson = convert(row).lesson
        if lesson is not None:
            # Looking for what to mend takes longer than converting a row.
            yield row.number, remedied(lesson, applied) if applied else lesson


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
