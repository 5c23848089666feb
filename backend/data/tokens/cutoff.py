"""What a cutoff length does to rows, exactly as LLaMA-Factory cuts them, for all rows at once.

``infer_seqlen`` of LLaMA-Factory 0.9.5 (data/processor/processor_utils.py) shares out what room is
left among a turn's source s and target t, turn by turn. With room c it keeps of the target

    all of it             where 2t < c
    min(c - s, t)         else, where 2s < c
    int(c · (t / (s+t)))  else, but at most t

and of the source what then fits. Either both sides are kept whole, or the room is used up: so
before a turn that is cut, every turn is whole, and behind it none is seen. Hence the whole target
of a turn is kept from one cutoff on: room for all before it, and 2t + 1 where t < s, else s + t.
What is kept of a target is *not* steady, however: where t is large, room 2s + 1 keeps less than 2s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.data.tokens.lengths import Ints, Lengths
from backend.errors import DataError

Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Effects:
    """What a cutoff does.

    Attributes:
        rows: All that make a lesson.
        answer_cut: Rows that lose a part of an answer, or a whole one.
        reasoning_unclosed: Rows that lose the ``</think>`` of their last answer.
        prompt_cut: Rows that lose a part of what is read, or a whole question.
        turns_dropped: Turns, of all rows, of which nothing is seen.
        tokens: Tokens of all rows as they are trained with. Of a preference pair the longer answer
            counts, here and below.
        tokens_dropped: Tokens that are cut off.
    """

    rows: int
    answer_cut: int
    reasoning_unclosed: int
    prompt_cut: int
    turns_dropped: int
    tokens: int
    tokens_dropped: int


@dataclass(frozen=True)
class Steps:
    """How many rows are hit at every cutoff: all of ``rows`` whose cutoff is larger, added up.

    Attributes:
        cutoffs: Ascending, each once; shape (N,).
        rows: As many more rows are hit just below that cutoff than at it; shape (N,). Negative
            where they are fewer, which happens to reasoning only.
    """

    cutoffs: Ints
    rows: Ints

    def at(self, cutoff: int) -> int:
        """Rows that are hit at a cutoff."""
        return int(self.rows[self.cutoffs > cutoff].sum())

    def pairs(self) -> list[list[int]]:
        """``[cutoff, rows]`` of each step, for JSON."""
        found: list[list[int]] = np.stack([self.cutoffs, self.rows], axis=1).tolist()
        return found


def effects(lengths: Lengths, cutoff: int) -> Effects:
    """What a cutoff length in tokens (at least 1) does to all rows."""
    source, target = kept(lengths, cutoff)
    cut_target, cut_source = target < lengths.target, source < lengths.source
    whole = int(lengths.totals.sum())
    used = int(source.sum()) + int(target.sum()) + lengths.tail * len(lengths)
    nothing = (source + target == 0) & (cut_source | cut_target)
    return Effects(
        rows=len(lengths),
        answer_cut=int(_any(lengths, cut_target).sum()),
        reasoning_unclosed=int((target[lengths.turn_starts[1:] - 1] < lengths.reasoning).sum()),
        prompt_cut=int(_any(lengths, cut_source).sum()),
        turns_dropped=int(nothing.sum()),
        tokens=used,
        tokens_dropped=whole - used,
    )


def kept(lengths: Lengths, cutoff: int) -> tuple[Ints, Ints]:
    """Tokens of source and target of each turn that a cutoff keeps; shapes (T,)."""
    room = np.maximum(cutoff - lengths.tail - lengths.before, 0)
    source, target = (side.astype(np.int64) for side in (lengths.source, lengths.target))
    kept_target = kept_of_target(source, target, room)
    return np.minimum(np.maximum(room - kept_target, 0), source), kept_target


def kept_of_target(source: Ints, target: Ints, room: Ints) -> Ints:
    """``infer_seqlen``'s target for many turns, rounding included; arrays of one shape."""
    # In this order, as there: the quotient first, in double precision, then cut to an integer.
    shared = (room * (target / np.maximum(source + target, 1))).astype(np.int64)
    most = np.where(2 * target < room, room, np.where(2 * source < room, room - source, shared))
    found: Ints = np.minimum(most, target)
    return found


def rows_cut(lengths: Lengths, cutoff: int) -> Bools:
    """Which rows lose a part of an answer at a cutoff; one entry for each of ``lengths.rows``."""
    found: Bools = thresholds(lengths) > cutoff
    return found


def over_cutoff(lengths: Lengths, cutoff: int, rows: int) -> Bools:
    """The same for all ``rows`` rows of a file, those included that make no lesson.

    Raises:
        DataError: the lengths are those of a longer file.
    """
    numbers = np.asarray(lengths.rows)
    if len(numbers) and int(numbers[-1]) > rows:
        raise DataError("data.errors.lengths_lost")
    over = np.zeros(rows, dtype=bool)
    over[numbers[rows_cut(lengths, cutoff)] - 1] = True
    return over


def smallest_cutoff(lengths: Lengths) -> int:
    """The smallest cutoff at which no row loses any of its answers; 0 where there are no rows."""
    return int(thresholds(lengths).max(initial=0))


def thresholds(lengths: Lengths) -> Ints:
    """Of each row the smallest cutoff at which all its answers are whole."""
    source, target = lengths.source.astype(np.int64), lengths.target.astype(np.int64)
    room = np.where(target < source, 2 * target + 1, source + target)
    # A turn without any token loses none, even where there is no room left for it.
    needed = np.where(target > 0, lengths.tail + lengths.before + room, 0)
    if not len(lengths):
        return np.zeros(0, dtype=np.int64)
    found: Ints = np.maximum.reduceat(needed, lengths.turn_starts[:-1])
    return found


# --- For a slider -------------------------------------------------------------------------------


def answer_steps(lengths: Lengths) -> Steps:
    """How many rows lose a part of an answer, for every cutoff."""
    return _steps(np.zeros(len(lengths), dtype=np.int64), thresholds(lengths))


def reasoning_steps(lengths: Lengths) -> Steps:
    """How many rows lose the ``</think>`` of their last answer, for every cutoff.

    A row may lose it at two ranges of cutoffs: below the share that keeps it, and again from the
    cutoff at which the source is kept whole to that at which both fit.
    """
    place = np.flatnonzero(lengths.reasoning)
    turn = lengths.turn_starts[1:][place] - 1
    source, target = (side[turn].astype(np.int64) for side in (lengths.source, lengths.target))
    wanted = lengths.reasoning[place].astype(np.int64)
    offset = lengths.tail + lengths.before[turn]
    share = _share(source, target, wanted)
    steady = np.minimum(2 * source, 2 * target)  # up to this room both sides are shared out
    after = np.where(target > source, np.maximum(2 * source + 1, source + wanted), 2 * target + 1)
    reached = share <= steady
    again = reached & (after > steady + 1)
    zeros = np.zeros(len(place), dtype=np.int64)
    starts = np.concatenate([zeros, (offset + steady + 1)[again]])
    ends = np.concatenate([offset + np.where(reached, share, after), (offset + after)[again]])
    return _steps(starts, ends)


def _share(source: Ints, target: Ints, wanted: Ints) -> Ints:
    """The smallest room c with ``int(c · (t / (s+t))) >= wanted``; rounding included."""
    near = -(-wanted * (source + target) // np.maximum(target, 1))
    quotient = target / np.maximum(source + target, 1)
    found = near + 1
    for one in (near, near - 1):
        found = np.where((one * quotient).astype(np.int64) >= wanted, one, found)
    return found


def _steps(starts: Ints, ends: Ints) -> Steps:
    """Of ranges of cutoffs [start, end), at each of which a row is hit."""
    places = np.concatenate([ends, starts])
    changes = np.concatenate([np.ones(len(ends)), -np.ones(len(starts))])
    cutoffs, which = np.unique(places, return_inverse=True)
    rows = np.bincount(which, changes, len(cutoffs)).astype(np.int64)
    counts = (cutoffs > 0) & (rows != 0)  # a range from 0 on begins below every cutoff
    return Steps(cutoffs[counts], rows[counts])


def _any(lengths: Lengths, hit: NDArray[Any]) -> Bools:
    """Which rows have a turn that is hit."""
    return lengths.sum_of(hit) > 0
