"""The process of one task on a data file: ``python -m backend.workers.data TASK_FOLDER``.

It outlives the page that started it. SIGTERM ends it: what is half made lies in hidden folders that
the next preparation clears, or in the cache.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from backend.data.tasks import Reporter, work


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0]).resolve()
    # Nothing here multiplies matrices: without threads for that numpy is there 20 ms sooner.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    _keep_freed_memory()

    def do(asked: Mapping[str, Any], progress: Reporter) -> Any:
        # Each task imports what it needs, and no more: that is a tenth of its time.
        match asked["task"]:
            case "study":
                from backend.data.studies import do_study

                return do_study(folder, asked, progress)
            case "prepare":
                from backend.data.preparing import do_prepare

                return do_prepare(asked, progress)
        raise ValueError(f"no such task: {asked['task']}")

    return work(folder, do)


_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
_KEPT_BYTES = 128 << 20
_LARGEST_KEPT = 32 << 20


def _keep_freed_memory() -> None:
    """Let freed memory be used again: blocks of a megabyte come and go here by the hundred, glibc
    gives each back to the system, and to get the next one takes longer than to fill it.
    """
    with suppress(AttributeError, TypeError):  # another C library, or another system
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(_M_MMAP_THRESHOLD, _LARGEST_KEPT)
        mallopt(_M_TRIM_THRESHOLD, _KEPT_BYTES)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
