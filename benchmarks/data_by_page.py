"""The Data tab's reading of one file, timed: ``python -m benchmarks.data_by_page WORKSPACE ID``.

Prints what it took as JSON: seconds until the first page of a file that was never seen, seconds of
the scan, and those of pages anywhere in it after that.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random

from backend.data.desk import Desk
from backend.data.look import ALL
from backend.data.reading.reader import RowReader
from backend.data.tokens.measuring import Measuring
from backend.library.datasets import find_raw_dataset
from backend.workspace import Workspace

PAGES = 30
PAGE_ROWS = 5
"""As the tab shows at a time."""


def main(folder: str, source_id: str) -> None:
    workspace = Workspace.open(Path(folder))
    desk = Desk(workspace, Measuring(workspace))
    opening = _timed(partial(_page, desk, source_id, 1))
    path = find_raw_dataset(workspace, source_id).path
    scan = _timed(lambda: RowReader.open(path, cache=workspace.cache))
    count = desk.look(source_id).reader.count
    random = Random(1)
    places = [random.randint(1, count) for _ in range(PAGES)]
    pages = [_timed(partial(_page, desk, source_id, place)) for place in places]
    print(json.dumps({"opening": opening, "scan": scan, "rows": count, "pages": pages}))


def _page(desk: Desk, source_id: str, first: int) -> None:
    """What a press on the page's buttons asks for."""
    look = desk.look(source_id)
    seen = desk.rows(look, desk.numbers(look, ALL, first, PAGE_ROWS))
    assert seen and all(one.lesson for one in seen)


def _timed(do: Callable[[], object]) -> float:
    began = time.perf_counter()
    do()
    return time.perf_counter() - began


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
