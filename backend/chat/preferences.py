"""Votes as pairs of a better and a worse answer: a file that the Data tab prepares for DPO.

Its columns are those by which ``backend.data.meaning`` knows a ranking: messages, chosen, rejected.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from backend.chat.votes import Rated, Vote, all_votes
from backend.data.meaning.lesson import output_of
from backend.errors import EngineError
from backend.files import replacing
from backend.workspace import Workspace


@dataclass(frozen=True)
class Pairs:
    """What became of votes.

    Attributes:
        rows: One for each pair.
        undecided: Votes that prefer nothing: all as good, or all bad.
        unfit: Votes whose best answer must not be taught: it was marked, or did not come to its
            end.
    """

    rows: tuple[dict[str, Any], ...]
    undecided: int
    unfit: int


def pairs_of(votes: Iterable[Vote]) -> Pairs:
    """The best answer of each vote against each of the others that says something else."""
    rows: list[dict[str, Any]] = []
    undecided = unfit = 0
    for vote in votes:
        if vote.best is None:
            undecided += 1
        elif not _teaches(vote.answers[vote.best]):
            unfit += 1
        else:
            rows += _rows(vote, vote.answers[vote.best])
    return Pairs(tuple(rows), undecided, unfit)


def save_pairs(workspace: Workspace) -> tuple[Path, Pairs]:
    """Put the pairs of all votes that are revealed among the raw data files of the workspace.

    Raises:
        EngineError: there is no pair, or the disk does not take it.
        WorkspaceError: this dashboard only reads.
    """
    pairs = pairs_of(all_votes(workspace))
    if not pairs.rows:
        raise EngineError("chat.tally.errors.no_pair")
    name = f"votes-{datetime.now(UTC):%Y%m%d-%H%M%S}.jsonl"
    path = workspace.named(workspace.raw_datasets, name)
    try:
        with replacing(path) as file:
            for row in pairs.rows:
                file.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))
    except OSError as error:
        reason = error.strerror or str(error)
        raise EngineError("chat.many.errors.not_kept", reason=reason) from error
    return path, pairs


def _rows(vote: Vote, best: Rated) -> Iterator[dict[str, Any]]:
    chosen = taught(best)
    for other in vote.answers:
        rejected = taught(other)
        if other is best or not rejected.strip() or rejected == chosen:
            continue
        yield {
            "messages": [dict(message) for message in vote.asked],
            "chosen": {"role": "assistant", "content": chosen},
            "rejected": {"role": "assistant", "content": rejected},
            "chosen_model": f"{best.column.label} ({best.column.identity})",
            "rejected_model": f"{other.column.label} ({other.column.identity})",
            "rejected_marks": sorted(other.marks),
        }


def _teaches(best: Rated) -> bool:
    return best.whole and not best.marks and bool(best.text.strip())


def taught(answer: Rated) -> str:
    """An answer as LLaMA-Factory is to read it: with both tags, also where the prompt had the first
    of them, or the server sent the reasoning apart."""
    if answer.reasoning and answer.whole:
        return output_of(answer.reasoning.strip("\r\n"), answer.text.lstrip("\r\n"))
    return answer.content or answer.text
