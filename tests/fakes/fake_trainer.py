"""A trainer that trains nothing: it writes the files of the real one, in its formats, in no time.

Started by the supervisor in the real one's place, so that what surrounds a training can be tested
in milliseconds: ``python fake_trainer.py [options] RUN_FOLDER``.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from backend.files import read_json, write_json
from backend.training import layout, trainer_lock

STARTS = "starts.txt"
"""A line for each trainer that began in a folder: never two at once."""


def main() -> None:
    options = parse()
    folder = Path(options.folder)
    if options.silent_seconds:  # Python itself may take a while to start
        time.sleep(options.silent_seconds)
    if not trainer_lock.claim(folder):
        sys.exit("the run has ended, or another trainer is at work in this folder")
    with (folder / STARTS).open("a", encoding="utf-8") as file:
        file.write(f"{os.getpid()}\n")
    if options.deaf:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    probe = read_json(folder / layout.PROBE)
    if probe is not None:
        options.steps, options.save_steps = probe["steps"], 10**9
    print("importing", flush=True)
    wait(options.start_seconds, folder)
    first = (read_json(folder / layout.RESUME) or {"step": 0})["step"]
    begun = {"event": "begin", "step": first, "time": time.time(), "total": options.steps}
    append(folder / layout.METRICS, begun)
    begin = time.time()
    for step in range(first + 1, options.steps + 1):
        time.sleep(options.step_seconds)
        log_step(folder, step, options.steps, begin)
        if step == options.fail_at:
            fail(folder, options.message)
        if step == options.die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        stop = (folder / layout.STOP).exists() and not options.deaf
        asked = (folder / layout.CHECKPOINT).exists()
        if probe is not None and step == options.steps:
            write_json(
                folder / layout.PROBED, {"tokens_per_second": 1234.5, "memory": 2_000_000_000}
            )
            leave(folder, 0, "finished")
        if stop or asked or step == options.steps or step % options.save_steps == 0:
            save(folder / f"checkpoint-{step}", step, options.steps)
            (folder / layout.CHECKPOINT).unlink(missing_ok=True)
        if stop:
            save(folder, step, options.steps)
            leave(folder, 0, "stopped")
    save(folder, options.steps, options.steps)
    append(folder / layout.TRAINER_LOG, entry(options.steps, options.steps, begin))
    leave(folder, 0, "finished")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--step-seconds", type=float, default=0.01)
    parser.add_argument("--start-seconds", type=float, default=0.0)
    parser.add_argument("--silent-seconds", type=float, default=0.0)
    parser.add_argument("--save-steps", type=int, default=10**9)
    parser.add_argument("--fail-at", type=int, default=0)
    parser.add_argument("--message", default="ValueError: the loss is not a number")
    parser.add_argument("--die-at", type=int, default=0)
    parser.add_argument("--deaf", action="store_true", help="hear neither a stop nor SIGTERM")
    parser.add_argument("folder")
    return parser.parse_args()


def wait(seconds: float, folder: Path) -> None:
    """Imports and loading: a stop ends the process at once, with nothing saved."""
    until = time.time() + seconds
    while time.time() < until:
        if (folder / layout.STOP).exists():
            leave(folder, 0, "stopped")
        time.sleep(0.01)


def loss_of(step: int) -> float:
    return 2.0 / step


def entry(step: int, total: int, begin: float) -> dict[str, Any]:
    elapsed = time.time() - begin
    remaining = elapsed / step * (total - step)
    return {
        "current_steps": step,
        "total_steps": total,
        "epoch": step / total,
        "percentage": round(100 * step / total, 2),
        "elapsed_time": str(timedelta(seconds=int(elapsed))),
        "remaining_time": str(timedelta(seconds=int(remaining))),
        "throughput": 1234.5,
        "total_tokens": 100 * step,
    }


def log_step(folder: Path, step: int, total: int, begin: float) -> None:
    logged = {**entry(step, total, begin), "loss": loss_of(step), "lr": 1e-4}
    append(folder / layout.TRAINER_LOG, logged)
    print(f"{{'loss': {loss_of(step)}}}", flush=True)


def save(folder: Path, step: int, total: int) -> None:
    """A checkpoint with the files by which a real one is known, those to go on from included."""
    folder.mkdir(exist_ok=True)
    save_file({"lora_A": np.zeros((2, 2), np.float32)}, folder / "adapter_model.safetensors")
    (folder / "adapter_config.json").write_text("{}", encoding="utf-8")
    if folder.name.startswith("checkpoint-"):
        for name in ("optimizer.pt", "scheduler.pt", "rng_state.pth"):
            with zipfile.ZipFile(folder / name, "w") as archive:
                archive.writestr("archive/data.pkl", f"state at {step}")
    state = {"global_step": step, "max_steps": total, "num_input_tokens_seen": 100 * step}
    (folder / "trainer_state.json").write_text(json.dumps(state), encoding="utf-8")


def append(path: Path, line: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def fail(folder: Path, message: str) -> None:
    print(f'Traceback (most recent call last):\n  File "x.py", line 1\n{message}', flush=True)
    leave(folder, 1, "failed", error=message)


def leave(folder: Path, code: int, reason: layout.Reason, error: str | None = None) -> None:
    ending = {"code": code, "reason": reason, "error": error, "when": "2026-01-01T00:00:00+00:00"}
    write_json(folder / layout.EXIT, ending)
    sys.exit(code)


if __name__ == "__main__":
    main()
