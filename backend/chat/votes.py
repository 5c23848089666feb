"""Blind rating: answers in an order of chance and without names, and what a person says of them.

Each sheet that is rated has a *ballot*: the secret from which the order of each row comes, and
whether it has been revealed. Votes are lines that are only ever added; of several about one row the
last counts. A vote has all that is known of it in itself (question, answers, fingerprints of the
weights), so that it outlives the sheet and is never inherited by other weights of the same name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal, get_args

from backend.chat.ballots import Ballot, changing, is_blind, opened_ballot, votes_folder
from backend.chat.lines import JsonLines
from backend.chat.sheets import Answer, Contestant, Sheet, contestant_from
from backend.errors import EngineError
from backend.workspace import Workspace

Verdict = Literal["", "best", "tie", "bad"]
"""Not said (yet), one is the best, all are as good, all are bad."""

Mark = Literal["unsafe", "unsupported"]
"""Would harm a patient; claims what is not so, or what nothing supports."""

MARKS: tuple[Mark, ...] = get_args(Mark)
LETTERS = "ABCDEFGH"


@dataclass(frozen=True)
class Rated:
    """One answer of a vote."""

    column: Contestant
    content: str
    reasoning: str = ""
    text: str = ""
    whole: bool = True
    marks: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Vote:
    """What a person has said of the answers to one question.

    Attributes:
        sheet, question: Of which row of which sheet.
        verdict: See ``Verdict``.
        best: Place of the best answer in ``answers``; None but for the verdict "best".
        asked: The messages that were answered.
        answers: In the sheet's order of columns, not in the order in which they were shown.
        when: ISO 8601 in UTC.
    """

    sheet: str
    question: int
    verdict: Verdict
    best: int | None
    asked: tuple[Mapping[str, str], ...]
    answers: tuple[Rated, ...]
    when: str = ""

    @property
    def decided(self) -> bool:
        return self.verdict != ""


# --- Voting -------------------------------------------------------------------------------------


def say(
    workspace: Workspace, sheet: Sheet, question: int, verdict: Verdict, letter: int | None = None
) -> Vote:
    """Say which answer to a question is the best, or that none is.

    Args:
        letter: Which of the answers as they are shown, counted from 0; for "best" only.

    Raises:
        EngineError: the names have been revealed, an answer is not there yet, or there is no such
            answer or verdict.
        WorkspaceError: this dashboard only reads.
    """
    if verdict not in get_args(Verdict):
        raise EngineError("chat.blind.errors.no_answer")
    return _change(workspace, sheet, question, letter, verdict=verdict)


def mark(workspace: Workspace, sheet: Sheet, question: int, letter: int, name: str) -> Vote:
    """Put a mark on an answer, or take it off again.

    Raises:
        EngineError: as for ``say``.
        WorkspaceError: this dashboard only reads.
    """
    if name not in MARKS:
        raise EngineError("chat.blind.errors.no_answer")
    return _change(workspace, sheet, question, letter, toggled=name)


def _change(
    workspace: Workspace,
    sheet: Sheet,
    question: int,
    letter: int | None,
    *,
    verdict: Verdict | None = None,
    toggled: str = "",
) -> Vote:
    with changing:
        ballot = opened_ballot(workspace, sheet.id)
        if ballot.revealed:
            raise EngineError("chat.blind.errors.revealed")
        now = vote_on(workspace, sheet, question) or _blank(sheet, question)
        place = _place(ballot, question, letter, len(now.answers))
        if toggled and place is not None:
            rated = now.answers[place]
            rated = replace(rated, marks=rated.marks ^ {toggled})
            now = replace(now, answers=(*now.answers[:place], rated, *now.answers[place + 1 :]))
        if verdict is not None:
            if (verdict == "best") is (place is None):
                raise EngineError("chat.blind.errors.no_answer")
            now = replace(now, verdict=verdict, best=place)
        now = replace(now, when=datetime.now(UTC).isoformat(timespec="seconds"))
        try:
            _votes(votes_folder(workspace) / f"{sheet.id}.jsonl").append([_written(now)])
        except OSError as error:
            reason = error.strerror or str(error)
            raise EngineError("chat.many.errors.not_kept", reason=reason) from error
        return now


def _place(ballot: Ballot, question: int, letter: int | None, count: int) -> int | None:
    if letter is None:
        return None
    if not 0 <= letter < count:
        raise EngineError("chat.blind.errors.no_answer")
    return ballot.order(question, count)[letter]


def _blank(sheet: Sheet, question: int) -> Vote:
    answers = sheet.answers(question, question + 1)
    found = [answers.get((question, column.key)) for column in sheet.columns]
    asked = sheet.questions(question, question + 1)
    if not asked or any(answer is None for answer in found):
        raise EngineError("chat.blind.errors.not_yet")
    rated = [
        _rated(column, answer)
        for column, answer in zip(sheet.columns, found, strict=True)
        if answer is not None
    ]
    return Vote(sheet.id, question, "", None, tuple(asked[0].messages(sheet.system)), tuple(rated))


def _rated(column: Contestant, answer: Answer) -> Rated:
    return Rated(column, answer.content, answer.reasoning, answer.text, answer.whole)


# --- Reading ------------------------------------------------------------------------------------


def vote_on(workspace: Workspace, sheet: Sheet, question: int) -> Vote | None:
    """What was said of a row last; None where nothing was."""
    book = _votes(votes_folder(workspace) / f"{sheet.id}.jsonl")
    last = book.latest().get(question)
    return _vote(sheet.id, book.pick([last.number])[0]) if last else None


def verdicts(workspace: Workspace, sheet: Sheet) -> dict[int, str]:
    """The verdict on each row of which something was said."""
    latest = _votes(votes_folder(workspace) / f"{sheet.id}.jsonl").latest()
    return {int(str(number)): str(last.fact) for number, last in latest.items()}


def all_votes(workspace: Workspace, *, revealed_only: bool = True) -> list[Vote]:
    """The last vote on each row that was decided, of all sheets, also of those deleted since.

    Args:
        revealed_only: Leave those out that are still blind: a tally that moves at each vote would
            tell who was who.
    """
    return [
        vote
        for file in sorted(votes_folder(workspace).glob("*.jsonl"))
        if not (revealed_only and is_blind(workspace, file.stem))
        for vote in _votes_in(file)
        if vote.decided
    ]


def _votes_in(file: Path) -> Iterator[Vote]:
    book = _votes(file)
    for line in book.pick(last.number for last in book.latest().values()):
        vote = _vote(file.stem, line)
        if vote is not None:
            yield vote


def _written(vote: Vote) -> dict[str, Any]:
    value = asdict(vote)
    for answer in value["answers"]:
        answer["marks"] = sorted(answer["marks"])
    return value


def _vote(sheet_id: str, value: Mapping[str, Any]) -> Vote | None:
    """The vote in a line; None where it is none, whoever wrote it there."""
    try:
        answers = tuple(_answer(one) for one in _listed(value["answers"]))
        verdict, best = value["verdict"], value.get("best")
        if verdict not in get_args(Verdict) or (verdict == "best") is (best is None):
            return None
        if best is not None and not (type(best) is int and 0 <= best < len(answers)):
            return None
        asked = tuple(
            {"role": str(one["role"]), "content": str(one["content"])}
            for one in _listed(value["asked"])
        )
        number, when = int(value["question"]), str(value.get("when", ""))
        return Vote(sheet_id, number, verdict, best, asked, answers, when)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _answer(value: Mapping[str, Any]) -> Rated:
    return Rated(
        column=contestant_from(value["column"]),
        content=str(value["content"]),
        reasoning=str(value.get("reasoning", "")),
        text=str(value.get("text", "")),
        whole=bool(value.get("whole", True)),
        marks=frozenset(mark for mark in _listed(value.get("marks", [])) if mark in MARKS),
    )


def _listed(value: Any) -> Sequence[Any]:
    if not isinstance(value, list):
        raise TypeError("not a list")
    return value


@lru_cache(maxsize=64)
def _votes(path: Path) -> JsonLines:
    return JsonLines(path, key=_row, fact=lambda one: str(one["verdict"]))


def _row(value: Mapping[str, Any]) -> int:
    number = value["question"]
    if type(number) is not int:
        raise TypeError(number)
    return number
