"""Four columns at once against the same four one after another with plain PEFT.

The same random model of 246 M parameters, float32, greedy, a prompt of 100 tokens and answers of
64; in turns, so that a busy moment of the machine hits all. What they say must be the same, token
for token. PEFT's own mixed batch is shown beside.
"""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from benchmarks.chat_programs import COLUMNS, TOKENS, Answered, bare, engine, model_folder
from benchmarks.common import Result, shown_beside, table

ROUNDS = 3
MOST_TIMES = 0.40


def measure(size: str = "", tokens: int = TOKENS) -> list[Result]:
    """The promise about time, and the one about tokens."""
    with model_folder(size) as folder, engine(folder, COLUMNS) as ours, bare(folder) as theirs:
        prompt = ours.prompt()
        rounds = [
            (
                ours.answers(COLUMNS, tokens),
                theirs.answers(COLUMNS, tokens, prompt),
                theirs.answers(COLUMNS, tokens, prompt, way="mixed"),
            )
            for _ in range(ROUNDS + 1)
        ]
    # The first round warms up; what it says counts.
    unequal = sum(different(one, other) for one, other, _ in rounds)
    return [*compared(rounds[1:]), same_tokens(unequal)]


def compared(rounds: Sequence[tuple[Answered, Answered, Answered]]) -> list[Result]:
    """The engine and PEFT's mixed batch, each against one after another."""
    ours, alone, mixed = (median(way.seconds for way in ways) for ways in zip(*rounds, strict=True))
    ratio = median(one.seconds / other.seconds for one, other, _ in rounds)
    return [
        Result(
            name="four columns at once, against plain PEFT one after another",
            value=ours,
            unit="s",
            baseline=alone,
            ratio=ratio,
            goal=f"≤ {MOST_TIMES:g} ×",
            holds=ratio <= MOST_TIMES,
        ),
        shown_beside("PEFT's own mixed batch, against the same", mixed, "s", alone),
    ]


def different(one: Answered, other: Answered) -> int:
    """Columns that did not say the same. Four equal answers would prove nothing."""
    if len({tuple(words) for words in other.words}) < len(other.words):
        raise RuntimeError("the columns of the benchmark's model say the same")
    return sum(mine != yours for mine, yours in zip(one.words, other.words, strict=True))


def same_tokens(unequal: int) -> Result:
    """The promise that nothing is said otherwise."""
    name = "answers with other tokens than plain PEFT's"
    return Result(name, unequal, "answers", goal="= 0 answers", holds=unequal == 0)


if __name__ == "__main__":
    print(table(measure()))
