"""How soon the page is there, and what the web process weighs.

MedTune against a minimal Gradio app in the same environment, in turns, so that a busy moment of the
machine hits both. LlamaBoard is measured beside them in an environment of its own, since it needs
Gradio 5; that is built once in the user's cache folder. MEDTUNE_BENCH_LLAMABOARD=0 leaves it out.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

from benchmarks.common import ROOT, Result, at_most, at_most_times, shown_beside, table
from benchmarks.servers import Candidate, megabytes_after_a_visit, seconds_to_first_page

RUNS = 5
LLAMABOARD_RUNS = 3
MOST_TIMES = 1.4
MOST_MEGABYTES = 300
BUILD_SECONDS = 900
LLAMABOARD = ("llamafactory==0.9.5", "gradio==5.50.0")


def measure() -> list[Result]:
    """The promises about the start, and LlamaBoard beside them."""
    minimal = Candidate(
        "minimal Gradio app",
        lambda port: [sys.executable, "-m", "benchmarks.minimal_app", str(port)],
        lambda port: {"GRADIO_ANALYTICS_ENABLED": "False"},
    )
    with tempfile.TemporaryDirectory() as folder:
        ours = Candidate(
            "MedTune",
            lambda port: [
                *(sys.executable, "app.py", "--no-browser", "--port", str(port)),
                *("--workspace", Path(folder) / "workspace"),
            ],
        )
        ours_seconds, minimal_seconds = in_turns([ours, minimal], RUNS)
        ours_megabytes = megabytes_after_a_visit(ours)
    return [
        at_most_times(
            "start to first HTML, against a minimal Gradio app",
            ours_seconds,
            "s",
            minimal_seconds,
            MOST_TIMES,
        ),
        at_most("memory of the web process", ours_megabytes, "MB", MOST_MEGABYTES),
        shown_beside("memory of a minimal Gradio app", megabytes_after_a_visit(minimal), "MB"),
        *beside_llamaboard(ours_seconds, ours_megabytes),
    ]


def in_turns(candidates: list[Candidate], runs: int) -> list[float]:
    """Median seconds to the first page of each candidate.

    Each round goes through them in the other direction than the one before. One more round goes
    first and is not counted: it reads files into memory for the rest.
    """
    times: list[list[float]] = [[] for _ in candidates]
    for number in range(runs + 1):
        for place in range(len(candidates))[:: 1 if number % 2 else -1]:
            times[place].append(seconds_to_first_page(candidates[place]))
    return [median(counted[1:]) for counted in times]


def beside_llamaboard(ours_seconds: float, ours_megabytes: float) -> list[Result]:
    """The same of LlamaBoard; nothing where its environment can't be built."""
    if os.environ.get("MEDTUNE_BENCH_LLAMABOARD") == "0":
        print("LlamaBoard is left out, as MEDTUNE_BENCH_LLAMABOARD=0 asks.")
        return []
    environment = llamaboard_environment()
    if environment is None:
        return []
    board = Candidate(
        "LlamaBoard",
        lambda port: [environment / "bin" / "llamafactory-cli", "webui"],
        lambda port: {
            "GRADIO_SERVER_NAME": "127.0.0.1",
            "GRADIO_SERVER_PORT": str(port),
            "GRADIO_ANALYTICS_ENABLED": "False",
            # It opens a browser by itself; this one does nothing.
            "BROWSER": "true",
        },
        environment,
    )
    seconds = in_turns([board], LLAMABOARD_RUNS)[0]
    megabytes = megabytes_after_a_visit(board)
    return [
        shown_beside("start to first HTML, against LlamaBoard", ours_seconds, "s", seconds),
        shown_beside("memory, against LlamaBoard", ours_megabytes, "MB", megabytes),
    ]


def llamaboard_environment() -> Path | None:
    """An environment with LLaMA-Factory and the Gradio it asks for, made at the first call."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    environment = cache / "medtune" / "-".join(LLAMABOARD).replace("==", "-")
    whole = environment / "whole"
    if whole.exists():
        return environment
    print(f"building LlamaBoard's environment in {environment} (once, minutes)", flush=True)
    uv, python = str(Path(sys.executable).parent / "uv"), str(environment / "bin" / "python")
    make = [uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(environment)]
    # torch and transformers as in our own lock: comparable, and mostly in uv's cache already.
    fill = [uv, "pip", "install", "--quiet", "--python", python, "--constraints", "-", *LLAMABOARD]
    try:
        subprocess.run(make, check=True, timeout=60)
        pins = locked("torch", "torchvision", "torchaudio", "transformers")
        subprocess.run(fill, check=True, timeout=BUILD_SECONDS, input=pins, text=True)
    except (OSError, subprocess.SubprocessError) as error:
        print(f"LlamaBoard is left out: its environment can't be built ({error}).")
        return None
    whole.touch()
    return environment


def locked(*names: str) -> str:
    """The lines ``name==version`` of requirements.lock for ``names``."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    wanted = tuple(f"{name}==" for name in names)
    return "\n".join(line.rstrip(" \\") for line in lines if line.startswith(wanted))


if __name__ == "__main__":
    print(table(measure()))
