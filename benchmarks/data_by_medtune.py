"""MedTune's part in the benchmarks of conversion: ``python -m benchmarks.data_by_medtune``

convert SOURCE TARGET CACHE     read, convert and write, as preparing does between its checks
prepare SOURCE WORKSPACE        all of preparing but LLaMA-Factory's own look at the result
"""

from __future__ import annotations

import sys
from pathlib import Path


def convert(source: Path, target: Path, cache: Path) -> None:
    """Write the rows of a file as LLaMA-Factory reads them."""
    import orjson

    from backend.data.meaning.convert import compile_map
    from backend.data.meaning.detect import DETECTED_ROWS, detect
    from backend.data.meaning.records import record_of, target_of
    from backend.data.reading.reader import RowReader

    reader = RowReader.open(source, cache=cache)
    first = reader.page(0, DETECTED_ROWS)
    columns = detect([row.value for row in first if row.value is not None]).best
    assert columns is not None
    make, form = compile_map(columns), target_of(columns)
    with target.open("wb", buffering=1 << 17) as file:
        for row in reader:
            lesson = make(row).lesson
            assert lesson is not None
            line = orjson.dumps(record_of(lesson, form), option=orjson.OPT_APPEND_NEWLINE)
            file.write(line)


def prepare(source: Path, workspace: Path) -> None:
    """Make a dataset of a file, studied for the first time."""
    from backend.data.preparing import prepare_now
    from backend.data.recipe import PrepareSettings
    from backend.workspace import Workspace

    prepare_now(Workspace.open(workspace), source, PrepareSettings("all"))


def main(what: str, *paths: str) -> None:
    match what, [Path(path) for path in paths]:
        case "convert", [source, target, cache]:
            convert(source, target, cache)
        case "prepare", [source, workspace]:
            prepare(source, workspace)
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    main(*sys.argv[1:])
