"""One column over the engine's API against a bare ``generate`` of the same base.

In turns, float32, greedy. Until the first token, and until the last.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks.chat_columns import different, same_tokens
from benchmarks.chat_programs import TOKENS, bare, engine, model_folder
from benchmarks.common import Result, table

ROUNDS = 5
MOST_TIMES = 1.1
COLUMN = ("base",)


def measure(size: str = "", tokens: int = TOKENS) -> list[Result]:
    """The promises about the first token, the whole, and what is said."""
    with model_folder(size) as folder, engine(folder, COLUMN) as ours, bare(folder) as theirs:
        prompt = ours.prompt()
        rounds = [
            (ours.answers(COLUMN, tokens), theirs.answers(COLUMN, tokens, prompt))
            for _ in range(ROUNDS + 1)
        ]
    unequal = sum(different(one, other) for one, other in rounds)
    # The first round warms up.
    firsts = [(one.first or 0, other.first or 0) for one, other in rounds[1:]]
    wholes = [(one.seconds, other.seconds) for one, other in rounds[1:]]
    return [
        against_generate("first token over the API, against a bare generate", firsts),
        against_generate("an answer over the API, against a bare generate", wholes),
        same_tokens(unequal),
    ]


def against_generate(name: str, rounds: Sequence[tuple[float, float]]) -> Result:
    """Seconds of both in each round."""
    ours, theirs = (median(way) for way in zip(*rounds, strict=True))
    ratio = median(one / other for one, other in rounds)
    goal = f"≤ {MOST_TIMES:g} ×"
    return Result(name, ours, "s", theirs, ratio, goal, ratio <= MOST_TIMES)


if __name__ == "__main__":
    print(table(measure()))
