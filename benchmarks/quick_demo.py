"""How long a newcomer's first training takes: the preset "Quick demo", from start to finished.

The samples of both languages, prepared as the page prepares them, and the preset's own values. The
promise is for two cores with nothing else to do, the start of the trainer's process included.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from backend.data.preparing import prepare_now
from backend.data.recipe import PrepareSettings
from backend.text import ASSETS
from backend.training.presets import list_presets, switched
from backend.workspace import Workspace
from benchmarks.common import Result, at_most, table
from benchmarks.trainings import trained

MOST_SECONDS = 120
SAMPLES = {"English": "medical_en", "Chinese": "medical_zh"}


def measure() -> list[Result]:
    """The promise, for each language of the samples."""
    preset = next(one for one in list_presets() if one.name == "quick_demo")
    results = []
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(Path(folder) / "workspace")
        for language, sample in SAMPLES.items():
            file = ASSETS / "samples" / f"{sample}.json"
            prepare_now(workspace, file, PrepareSettings(name=sample))
            values = {**switched(preset), "dataset": sample, "run_name": sample}
            _, seconds = trained(workspace, values)
            what = f"quick demo, start to finished ({language} samples)"
            results.append(at_most(what, seconds, "s", MOST_SECONDS))
    return results


if __name__ == "__main__":
    print(table(measure()))
