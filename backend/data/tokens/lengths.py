"""How long each row is in tokens, turn by turn: arrays in files, read only where looked at.

A row is a sequence of turns, of which each has a source (what is read) and a target (what is
trained). Knows nothing about tokenizers; what a cutoff does to rows is ``cutoff``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.errors import DataError
from backend.files import read_json, replacing

ARRAYS = ("rows", "turn_starts", "source", "target", "reasoning")
SHOWN_SHARE = 0.995
"""The last bin of a histogram takes the rows that are longer than this share of them."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Histogram:
    """How many rows are how long, and what they consist of.

    Attributes:
        edges: bins + 1 lengths in tokens, ascending; a bin has its lower edge, not its upper, but
            the last has both.
        rows: Rows in each bin, by their whole length.
        prompt, reasoning, answer: Tokens of these parts in the rows of each bin.
    """

    edges: Ints
    rows: Ints
    prompt: Ints
    reasoning: Ints
    answer: Ints


@dataclass(frozen=True)
class Lengths:
    """Lengths in tokens of all rows that make a lesson.

    Attributes:
        rows: Their numbers, ascending; shape (R,), as all arrays with one entry a row.
        turn_starts: Row i has the turns ``turn_starts[i]`` to ``turn_starts[i + 1]`` - 1; shape
            (R + 1,).
        source, target: Tokens of each turn's sides, shape (T,); of a preference pair the target is
            the longer answer.
        reasoning: Tokens of the last target up to and including ``</think>``; 0 where there is
            none.
        tail: Tokens that LLaMA-Factory adds behind the last turn of each row, whatever the cutoff.
    """

    rows: Ints
    turn_starts: Ints
    source: NDArray[np.int32]
    target: NDArray[np.int32]
    reasoning: NDArray[np.int32]
    tail: int = 0

    @classmethod
    def load(cls, folder: Path) -> Lengths:
        """The lengths that a task measured; only what is looked at is read.

        Raises:
            DataError: they are not there, or damaged.
        """
        try:
            arrays: dict[str, Any] = {
                name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in ARRAYS
            }
            found = cls(**arrays, tail=int(read_json(folder / "outcome.json")["result"]["tail"]))
        except (OSError, ValueError, KeyError, TypeError, EOFError) as error:
            raise DataError("data.errors.lengths_lost") from error
        if not found._whole():
            raise DataError("data.errors.lengths_lost")
        return found

    def _whole(self) -> bool:
        turns = len(self.source)
        return (
            len(self.turn_starts) == len(self.rows) + 1
            and len(self.reasoning) == len(self.rows)
            and len(self.target) == turns
            and int(self.turn_starts[-1]) == turns
        )

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def multi_turn(self) -> bool:
        """Some row has more than one turn."""
        return len(self.source) > len(self.rows)

    @cached_property
    def last(self) -> NDArray[np.int32]:
        """Tokens of each row's last target."""
        found: NDArray[np.int32] = self.target[self.turn_starts[1:] - 1]
        return found

    @cached_property
    def before(self) -> Ints:
        """Tokens of a row before each of its turns, shape (T,)."""
        sums = np.concatenate([[0], np.cumsum(self.source + self.target.astype(np.int64))])
        found: Ints = sums[:-1] - np.repeat(sums[self.turn_starts[:-1]], self.turns)
        return found

    @cached_property
    def turns(self) -> Ints:
        """Turns of each row; each has one at least."""
        found: Ints = np.diff(self.turn_starts)
        return found

    @cached_property
    def totals(self) -> Ints:
        """Tokens of each whole row."""
        return self.sum_of(self.source + self.target.astype(np.int64)) + self.tail

    @cached_property
    def prompt(self) -> Ints:
        """Tokens before each row's last answer: earlier turns are among them."""
        found: Ints = self.totals - self.tail - self.last
        return found

    @cached_property
    def answer(self) -> Ints:
        """Tokens of each row's last answer behind its reasoning, with the end token."""
        found: Ints = self.last.astype(np.int64) - self.reasoning + self.tail
        return found

    def only(self, taught: NDArray[np.bool_]) -> Lengths:
        """The lengths of some rows.

        Args:
            taught: One entry for each row of the file.
        """
        kept = taught[np.asarray(self.rows) - 1]
        turns = np.repeat(kept, self.turns)
        starts = np.concatenate([[0], np.cumsum(self.turns[kept])]).astype(np.int64)
        return Lengths(
            rows=self.rows[kept],
            turn_starts=starts,
            source=self.source[turns],
            target=self.target[turns],
            reasoning=self.reasoning[kept],
            tail=self.tail,
        )

    def sum_of(self, values: NDArray[Any]) -> Ints:
        """Values of turns, shape (T,), summed by row."""
        if not len(self.rows):
            return np.zeros(0, dtype=np.int64)
        found: Ints = np.add.reduceat(values.astype(np.int64), self.turn_starts[:-1])
        return found

    def histogram(self, bins: int = 60) -> Histogram:
        """Rows by length, in bins of one width; the last takes the very long rows.

        Args:
            bins: At least 1.
        """
        totals = self.totals
        longest = int(totals.max()) if len(totals) else 0
        shown = int(np.quantile(totals, SHOWN_SHARE)) if len(totals) else 0
        width = max(1, -(-(shown + 1) // bins))
        edges = np.arange(bins + 1, dtype=np.int64) * width
        edges[-1] = max(int(edges[-1]), longest)
        place = np.minimum(totals // width, bins - 1)

        def summed(values: NDArray[Any]) -> Ints:
            return np.bincount(place, values, bins).astype(np.int64)

        rows = np.bincount(place, minlength=bins).astype(np.int64)
        parts = (summed(part) for part in (self.prompt, self.reasoning, self.answer))
        return Histogram(edges, rows, *parts)


def save(folder: Path, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Write the arrays that ``Lengths.load`` reads.

    Raises:
        OSError: they can't be written.
    """
    for name in ARRAYS:
        with replacing(folder / f"{name}.npy", durable=False) as file:
            np.save(file, arrays[name])
