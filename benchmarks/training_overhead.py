"""What training through MedTune costs against the bare ``llamafactory-cli train``.

The same configuration file, environment variables, bundled model and samples; in turns, so that a
busy moment of the machine hits both. MedTune's time is from pressing start to the end of the
trainer's process. Both must log the same losses, every digit of every step.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from backend.data.preparing import prepare_now
from backend.data.recipe import PrepareSettings
from backend.text import ASSETS
from backend.training import layout
from backend.training.curves import series_of
from backend.training.environment import environment
from backend.training.runs import Run
from backend.workspace import Workspace
from benchmarks.common import Result, shown_beside, table
from benchmarks.trainings import trained

ROUNDS = 5
MOST_TIMES = 1.03
SAMPLES = ASSETS / "samples" / "medical_en.json"
VALUES = {
    "model": "medtune/demo",
    "dataset": "samples",
    "template": "deepseekr1",
    "max_steps": 40,
    "per_device_train_batch_size": 4,
    "gradient_accumulation_steps": 1,
    "cutoff_len": 512,
    "save_steps": 20,
}
"""As short as a person's first run: of a longer one, the start would be a smaller part."""


def measure() -> list[Result]:
    """The promise about time, and the one about losses."""
    with tempfile.TemporaryDirectory() as folder:
        workspace = Workspace.open(Path(folder) / "workspace")
        prepare_now(workspace, SAMPLES, PrepareSettings(name="samples", validation_share=0.0))
        by_medtune(workspace, "warm-up")  # fills the caches of both
        ours, bare, shell, different = [], [], [], 0
        for number in range(ROUNDS):
            run, seconds = by_medtune(workspace, f"run-{number}")
            ours.append(seconds)
            output, seconds = by_command(workspace, run, environment(workspace))
            bare.append(seconds)
            different += differences(run.folder, output)
            shell.append(by_command(workspace, run, shell_environment(workspace))[1])
    ratio = median(mine / theirs for mine, theirs in zip(ours, bare, strict=True))
    return [
        Result(
            name="training, against llamafactory-cli train",
            value=median(ours),
            unit="s",
            baseline=median(bare),
            ratio=ratio,
            goal=f"≤ {MOST_TIMES:g} ×",
            holds=ratio <= MOST_TIMES,
        ),
        shown_beside("the same, its threads as in a shell", median(ours), "s", median(shell)),
        Result(
            name="logged steps that differ from llamafactory-cli train",
            value=different,
            unit="steps",
            goal="= 0 steps",
            holds=different == 0,
        ),
    ]


def by_medtune(workspace: Workspace, name: str) -> tuple[Run, float]:
    """A run through the supervisor, and its seconds until the trainer's process is gone."""
    return trained(workspace, {**VALUES, "run_name": name})


def by_command(workspace: Workspace, run: Run, variables: Mapping[str, str]) -> tuple[Path, float]:
    """The same file through the bare command, into another folder, and its seconds."""
    output = run.folder / f"bare-{len(list(run.folder.glob('bare-*')))}"
    command = Path(sys.executable).with_name("llamafactory-cli")
    with (workspace.root / "bare.log").open("wb") as log:
        began = time.perf_counter()
        subprocess.run(
            [command, "train", run.folder / layout.CONFIG, f"output_dir={output}"],
            env=dict(variables),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            check=True,
        )
        return output, time.perf_counter() - began


def shell_environment(workspace: Workspace) -> dict[str, str]:
    """The trainer's variables without the one that MedTune sets for the sake of speed."""
    variables = environment(workspace)
    del variables["GOMP_SPINCOUNT"]
    return variables


def differences(ours: Path, bare: Path) -> int:
    """Logged steps with another loss or learning rate; a missing one counts."""
    mine, theirs = logged(ours), logged(bare)
    unequal = sum(1 for one, other in zip(mine, theirs, strict=False) if one != other)
    return unequal + abs(len(mine) - len(theirs))


def logged(folder: Path) -> list[tuple[float, ...]]:
    """Step, loss and learning rate of each logged step."""
    series = series_of(folder)
    columns = (series.step.tolist(), series.loss.tolist(), series.learning_rate.tolist())
    return list(zip(*columns, strict=True))


if __name__ == "__main__":
    print(table(measure()))
