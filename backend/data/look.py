"""A data file as it is seen at one moment, and what follows from that for each of its rows.

Made by ``desk``. Plain values: nothing here starts anything or writes anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.data.checks.reading import findings_of_notes
from backend.data.checks.registry import CHECKS, TWINS, bit_of
from backend.data.checks.remedies import remedied
from backend.data.checks.scan import findings
from backend.data.checks.values import Finding
from backend.data.drafts import Draft
from backend.data.meaning.choice import COUNTED_FROM_ONE, COUNTED_FROM_ZERO, Numbering
from backend.data.meaning.convert import compile_map
from backend.data.meaning.detect import Detection
from backend.data.meaning.lesson import Lesson
from backend.data.meaning.mapping import TEMPLATED, ColumnMap, Role
from backend.data.meaning.templates import check_template
from backend.data.reading.reader import Row, RowReader
from backend.data.recipe import Cutoff, Recipe
from backend.data.studies import Request, overlap_with
from backend.data.study_values import Count, Fate, Selection, Study, select
from backend.data.tasks import Task
from backend.data.tokens.cutoff import over_cutoff
from backend.data.tokens.lengths import Lengths
from backend.errors import DataError
from backend.problems import Problem

ALL, FOUND, LEFT_OUT, BY_HAND, UNUSABLE = "all", "found", "left_out", "by_hand", "unusable"
FILTERS = (ALL, FOUND, LEFT_OUT, BY_HAND, UNUSABLE)
"""Which rows are shown; the id of a check shows those in which it found something, one of
``problem_filters`` those that can't be used for one reason."""

_PROBLEM = "problem-"


@dataclass(frozen=True)
class Look:
    """A file as it is seen now.

    Attributes:
        columns: How its rows are understood, found or corrected; None where no shape fits.
        fault: Why rows can't be understood in this way: a column is not chosen yet, a template
            names what there is not. None where they can, and where ``columns`` is None.
        numbering: Of multiple choice: what the first rows say of where numbers of right options
            count from.
        task: Its study; None where none was started.
        study: What that found. Until it is done: what was found before other repairs were chosen,
            where it is known, else None.
        selection: What becomes of each row; None until the study is done.
        measuring: The measurement of its lengths under the draft's tokenizer; None where none was
            started, or no tokenizer is chosen.
        lengths: What that measured, of the rows that are taught as far as the study is known; None
            until it is done.
    """

    source_id: str
    path: Path
    reader: RowReader
    draft: Draft
    detection: Detection
    columns: ColumnMap | None
    evaluation: Path | None
    fault: Problem | None = None
    numbering: Numbering | None = None
    task: Task | None = None
    study: Study | None = None
    selection: Selection | None = None
    measuring: Task | None = None
    lengths: Lengths | None = None

    @property
    def recipe(self) -> Recipe:
        """What a dataset would be made by.

        Raises:
            DataError: it is not known how the rows are to be understood, or how long they are; or
                the evaluation file is gone.
        """
        if self.columns is None:
            raise DataError("data.errors.no_columns", name=self.path.name)
        if self.fault is not None:
            raise DataError(self.fault.key, **self.fault.params)
        draft = self.draft
        if draft.drop and self.lengths is None:
            raise DataError("data.errors.lengths_needed")
        cutoff = Cutoff(draft.model, draft.template, draft.cutoff) if draft.drop else None
        if self.evaluation_gone:
            raise DataError("data.errors.evaluation_gone", name=draft.evaluation)
        return Recipe(self.columns, draft.decisions, draft.evaluation, cutoff)

    @property
    def evaluation_gone(self) -> bool:
        """An evaluation file was chosen that is not there any more, so nothing is compared."""
        return bool(self.draft.evaluation) and self.evaluation is None


@dataclass(frozen=True)
class SeenRow:
    """A row, what it teaches and what is wrong with it.

    Attributes:
        lesson: Repaired and masked as decided.
        findings: In the lesson as the file has it.
        fate: Until the study is done, as far as the row itself tells: a duplicate is not known yet.
        twin: Number of the earlier row that it repeats; 0 where there is none, or none is known.
    """

    row: Row
    lesson: Lesson | None
    problem: Problem | None
    findings: tuple[Finding, ...]
    fate: Fate
    twin: int


def selected(look: Look, found: Study) -> Look:
    """A look with what becomes of its rows, and with the lengths of those that are not left out for
    another reason than their length: a cutoff is chosen for what is taught."""
    decided = select(found, look.draft.decisions)
    over = _over(look, found.rows)
    selection = decided if over is None else select(found, look.draft.decisions, over)
    lengths = look.lengths
    if lengths is not None and (not len(lengths) or int(lengths.rows[-1]) <= found.rows):
        lengths = lengths.only(decided.fate == Fate.TAUGHT)
    return replace(look, selection=selection, lengths=lengths)


def _over(look: Look, rows: int) -> NDArray[np.bool_] | None:
    """Which rows the draft drops since they are over its cutoff; None where it drops none."""
    if not look.draft.drop or look.lengths is None:
        return None
    return over_cutoff(look.lengths, look.draft.cutoff, rows)


def fault_in(columns: ColumnMap, known: Sequence[str]) -> Problem | None:
    try:
        compile_map(columns)
        if columns.shape in TEMPLATED:
            for words in (columns.prompt, columns.answer):
                check_template(words, columns=known, shape=columns.shape)
    except DataError as error:
        return Problem(error.key, {name: str(value) for name, value in error.params.items()})
    return None


def doubt_in(look: Look) -> Problem | None:
    """Why numbers of right options may be counted from the wrong end, which would teach the answer
    beside the right one in every row: rows further down contradict it, or no row tells."""
    columns, numbering = look.columns, known_numbering(look)
    if columns is None or look.fault is not None or numbering is None:
        return None
    column = columns.column(Role.CORRECT) or ""
    if look.study is not None:
        against = COUNTED_FROM_ZERO if columns.one_based else COUNTED_FROM_ONE
        for problem, found in look.study.problem_counts():
            if problem.key == against:
                wrong = "one" if columns.one_based else "zero"
                return Problem(
                    f"data.problems.numbering_contradicted.{wrong}",
                    {"column": column, "rows": f"{found.rows:,}", "row": found.examples[0]},
                )
    if numbering.numbers and not numbering.certain:
        known = "first" if look.study is None else "whole"
        return Problem(f"data.problems.numbering_uncertain.{known}", {"column": column})
    return None


def known_numbering(look: Look) -> Numbering | None:
    """What rows say of where the numbers of right options count from: all of them once the file is
    studied, until then the first ones. None where there are no options."""
    if look.numbering is None or look.study is None:
        return look.numbering
    return look.study.numbering


def request_of(look: Look) -> Request | None:
    if look.columns is None or look.fault is not None:
        return None
    return Request(look.path, look.columns, look.evaluation, look.draft.decisions.mended)


def findings_in(look: Look, row: Row, lesson: Lesson | None, cache: Path) -> tuple[Finding, ...]:
    """What is found in the row itself, and what only its study knows."""
    if lesson is None:
        return ()
    found = [*findings_of_notes(row.notes), *findings(lesson)]
    found.sort(key=lambda one: bit_of(one.check))
    place = row.number - 1
    if look.study is not None:
        twin = int(look.study.twin[place])
        for check in look.study.checks_of(place):
            if check in TWINS:
                found.append(Finding(check, params={"row": twin}))
            if check == "evaluation_overlap" and look.evaluation is not None:
                taught = remedied(lesson, look.draft.decisions.mended)
                found += overlap_with(look.evaluation, cache, taught, lesson)
    return tuple(found)


def fate_of(look: Look, place: int, lesson: Lesson | None, found: Sequence[Finding]) -> Fate:
    if look.selection is not None:
        return Fate(int(look.selection.fate[place]))
    decisions, number = look.draft.decisions, place + 1
    if lesson is None:
        return Fate.UNUSABLE
    if number in decisions.excluded:
        return Fate.BY_HAND
    excluding = any(decisions.excluding >> bit_of(finding.check) & 1 for finding in found)
    return Fate.BY_CHECK if excluding and number not in decisions.kept else Fate.TAUGHT


def filtered(look: Look, only: str) -> NDArray[np.bool_] | None:
    """Which rows a filter shows; None for all of them."""
    if only == ALL or look.study is None or look.selection is None:
        return None
    fate = look.selection.fate
    match only:
        case "found":
            return np.asarray(look.study.flags != 0)
        case "left_out":
            return np.asarray(fate != Fate.TAUGHT)
        case "by_hand":
            return np.asarray(fate == Fate.BY_HAND)
        case "unusable":
            return np.asarray(fate == Fate.UNUSABLE)
    kind = _kind_of(look, only)
    if kind is not None:
        return np.asarray(look.study.problem == kind)
    return look.study.found(only) if only in _CHECKS else None


_CHECKS = frozenset(check.id for check in CHECKS)


def problem_filters(look: Look) -> dict[str, Count]:
    """A filter for each kind of fault that makes rows unusable, in the order of their counts."""
    if look.study is None:
        return {}
    numbers = {id(problem): n for n, problem in enumerate(look.study.problems, start=1)}
    counted = look.study.problem_counts()
    return {f"{_PROBLEM}{numbers[id(problem)]}": found for problem, found in counted}


def problem_of(look: Look, only: str) -> Problem | None:
    """The kind of fault that a filter shows; None where it is another filter."""
    kind = _kind_of(look, only)
    return look.study.problems[kind - 1] if kind and look.study else None


def _kind_of(look: Look, only: str) -> int | None:
    number = only.removeprefix(_PROBLEM)
    if look.study is None or number == only or not number.isdecimal():
        return None
    return int(number) if 1 <= int(number) <= len(look.study.problems) else None
