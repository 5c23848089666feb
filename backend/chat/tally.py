"""What votes say of checkpoints, and how sure that is. Numbers only; knows nothing about pages."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from backend.chat.sheets import Contestant
from backend.chat.votes import MARKS, Vote

Z = 1.959963984540054
"""The 97.5 % quantile of the standard normal distribution: intervals hold 95 %."""

MOST_NEEDED = 100_000


@dataclass(frozen=True)
class Share:
    """A share of votes with its 95 % confidence interval.

    Attributes:
        value: From 0 to 1; None without votes.
        low, high: The interval; 0 and 1 without votes.
        count: Votes that it is a share of.
    """

    value: float | None
    low: float
    high: float
    count: int


@dataclass(frozen=True)
class Standing:
    """What votes say of one column's weights.

    Attributes:
        column: The column as it was voted on last.
        rated: Answers that were voted on.
        best, ties, bad: Votes: it alone was the best, all were as good, all were bad.
        share: Of votes in which it alone was the best.
        marks: For each mark the share of its answers that have it.
        against: Win rate against the reference; None for the reference itself, and for weights
            that were never beside it.
        needed: With so many votes a win rate as this one would lie outside chance; None where
            there is no rate, or where it is exactly one half.
    """

    column: Contestant
    rated: int
    best: int
    ties: int
    bad: int
    share: Share
    marks: dict[str, Share]
    against: Share | None = None
    needed: int | None = None

    @property
    def clear(self) -> bool | None:
        """Whether the difference from the reference is more than chance; None without a rate."""
        if self.against is None or self.against.value is None:
            return None
        return not self.against.low <= 0.5 <= self.against.high


def wilson(hits: float, count: int, *, z: float = Z) -> Share:
    """A share with its score interval.

        (p + z²/2n ± z·√(p(1−p)/n + z²/4n²)) / (1 + z²/n),   p = hits/n

    E. B. Wilson, "Probable inference, the law of succession, and statistical inference", Journal of
    the American Statistical Association 22 (1927). It holds what it promises for few votes and near
    0 and 1, where p ± z·√(p(1−p)/n) does not (L. D. Brown, T. T. Cai and A. DasGupta, "Interval
    estimation for a binomial proportion", Statistical Science 16, 2001).

    Args:
        hits: From 0 to ``count``; a half is a tie. A score of 0, ½ or 1 varies less than one of 0
            or 1 with the same mean, so that with ties the interval is rather too wide.
    """
    if count <= 0:
        return Share(None, 0.0, 1.0, 0)
    share = hits / count
    square = z * z / count
    middle = share + square / 2
    spread = z * math.sqrt(share * (1 - share) / count + square / (4 * count))
    low, high = (middle - spread) / (1 + square), (middle + spread) / (1 + square)
    return Share(share, max(0.0, min(low, share)), min(1.0, max(high, share)), count)


def votes_needed(rate: float) -> int | None:
    """Fewest votes with which a win rate lies outside chance; None where no number is enough.

    The interval of ``wilson`` leaves ½ out when |p − ½| > z/(2√n), since it is made of the test
    with the variance at ½; hence n > (z / (2p − 1))². It is a number for a plan: to look after each
    vote and to stop when the difference is there finds differences that are none.
    """
    distance = abs(2 * rate - 1)
    if distance == 0 or (Z / distance) ** 2 > MOST_NEEDED:
        return None
    return math.floor((Z / distance) ** 2) + 1


@dataclass
class _Count:
    column: Contestant
    rated: int = 0
    best: int = 0
    ties: int = 0
    bad: int = 0
    score: float = 0.0
    compared: int = 0
    marks: dict[str, int] = field(default_factory=dict)


def tally(votes: Iterable[Vote], reference: str | None = None) -> list[Standing]:
    """What votes say of each weights, the reference first, then by their share of best answers.

    Weights are told apart by their fingerprints: of one name trained anew there are two standings,
    and of one checkpoint under two names one.

    The win rate against the reference is (wins + ties/2) / votes, over the votes that say something
    of the pair: one of the two was the best (1 or 0), or all were as good or as bad (½). That a
    third was the best says nothing of these two, and such a vote is left out. Ties as halves: the
    usual score of a comparison in pairs, as in H. A. David, "The Method of Paired Comparisons"
    (1988). Each interval holds 95 % by itself; of twenty checkpoints that are all the same, one
    will look different.

    Args:
        reference: Identity of the weights to compare with; the first base model where it is None
            or was not voted on.
    """
    decided = [vote for vote in votes if vote.decided]
    columns = contestants(decided)
    against = reference if any(one.identity == reference for one in columns) else _base(columns)
    counts = {one.identity: _Count(one) for one in columns}
    for vote in decided:
        _count(vote, counts, against)
    standings = [_standing(count, against) for count in counts.values()]
    standings.sort(key=lambda one: (one.column.identity != against, -(one.share.value or 0)))
    return standings


def contestants(votes: Iterable[Vote]) -> list[Contestant]:
    """Each weights that were voted on, once, as they were called last."""
    found: dict[str, Contestant] = {}
    for vote in votes:
        for answer in vote.answers:
            found[answer.column.identity] = answer.column
    return list(found.values())


def _base(columns: Sequence[Contestant]) -> str | None:
    bases = [one.identity for one in columns if one.kind == "base"]
    return bases[0] if bases else None


def _count(vote: Vote, counts: dict[str, _Count], against: str | None) -> None:
    """Add a vote. Two columns with the same weights are one, the best if either of them is."""
    winner = None if vote.best is None else vote.answers[vote.best].column.identity
    present = dict.fromkeys(answer.column.identity for answer in vote.answers)
    for identity in present:
        one = counts[identity]
        one.rated += 1
        one.best += winner == identity
        one.ties += vote.verdict == "tie"
        one.bad += vote.verdict == "bad"
        marks = {
            name
            for answer in vote.answers
            if answer.column.identity == identity
            for name in answer.marks
        }
        for name in marks:
            one.marks[name] = one.marks.get(name, 0) + 1
        if against in present and identity != against and winner in (None, identity, against):
            one.compared += 1
            one.score += 0.5 if winner is None else float(winner == identity)


def _standing(one: _Count, against: str | None) -> Standing:
    rate = None
    if against is not None and one.column.identity != against and one.compared:
        rate = wilson(one.score, one.compared)
    return Standing(
        column=one.column,
        rated=one.rated,
        best=one.best,
        ties=one.ties,
        bad=one.bad,
        share=wilson(one.best, one.rated),
        marks={name: wilson(one.marks.get(name, 0), one.rated) for name in MARKS},
        against=rate,
        needed=votes_needed(rate.value) if rate is not None and rate.value is not None else None,
    )
