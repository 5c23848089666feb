"""The process of one task on a data file: ``python -m backend.workers.data TASK_FOLDER``.

It outlives the page that started it. SIGTERM ends it: what is half made lies in hidden folders that
the next preparation clears, or in the cache.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from backend.data.tasks import Reporter, work
from backend.workers.many_rows import get_ready


def main(arguments: list[str]) -> int:
    folder = Path(arguments[0]).resolve()
    # Nothing here multiplies matrices: without threads for that numpy is there 20 ms sooner.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    get_ready()

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


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stdout.flush()
    os._exit(status)  # all is on the disk; to take apart what is in memory takes 40 ms
