"""Memory of an engine while four columns answer, against the sum of what they can't do without.

The sum is the base's weights in the engine's numbers, the adapters, and the keys and values of all
tokens of prompt and answer. The engine's is its process at its peak while the columns answer,
without Python, PyTorch and the like: what an engine with a model of next to nothing takes besides
its own sum.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.chat_programs import COLUMNS, TOKENS, engine, model_folder
from benchmarks.common import Result, at_most_times, shown_beside, table

MOST_TIMES = 1.05
_LOOK_SECONDS = 0.02
_FLOAT = 4


def measure(sizes: Sequence[str] = ("", "tiny"), tokens: int = TOKENS) -> list[Result]:
    """The promise, and the whole process beside it.

    Args:
        sizes: Of the model that is measured, and of the one of next to nothing.
        tokens: Of each answer.
    """
    (peak, needed), (small_peak, small_needed) = (held(size, tokens) for size in sizes)
    value = peak - (small_peak - small_needed)
    name = "memory of four columns, against base, adapters and caches"
    return [
        at_most_times(name, value / 1e6, "MB", needed / 1e6, MOST_TIMES),
        shown_beside("the engine's whole process", peak / 1e6, "MB"),
    ]


def held(size: str, tokens: int) -> tuple[int, int]:
    """Bytes of an engine at its peak, and the sum of what its columns need."""
    with model_folder(size) as folder, engine(folder, COLUMNS) as asked:
        row = len(asked.prompt()) + tokens
        peak = peak_of(asked.process.memory, lambda: asked.answers(COLUMNS, tokens))
        return peak, weights(folder) + len(COLUMNS) * cache(folder / "base", row)


def peak_of(held: Callable[[], int], work: Callable[[], object]) -> int:
    """Most bytes held while something is done."""
    peak, over = 0, threading.Event()

    def look() -> None:
        nonlocal peak
        while not over.wait(_LOOK_SECONDS):
            peak = max(peak, held())

    looking = threading.Thread(target=look)
    looking.start()
    try:
        work()
    finally:
        over.set()
        looking.join()
    return max(peak, held())


def weights(folder: Path) -> int:
    """Bytes of the base and of the columns' adapters, as they are saved: in float32."""
    adapters = [folder / name / "adapter_model.safetensors" for name in COLUMNS[1:]]
    files = [folder / "base" / "model.safetensors", *adapters]
    return sum(file.stat().st_size for file in files)


def cache(base: Path, tokens: int) -> int:
    """Bytes of keys and values of one row, in float32."""
    config = json.loads((base / "config.json").read_text(encoding="utf-8"))
    size = config["hidden_size"] // config["num_attention_heads"]
    heads, layers = config["num_key_value_heads"], config["num_hidden_layers"]
    return int(2 * layers * heads * size * _FLOAT * tokens)


if __name__ == "__main__":
    print(table(measure()))
