"""What the Data tab asks of a file: its rows, what was found, and what becomes of them."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import pytest

from backend.data import desk as desk_module
from backend.data import studies, tasks
from backend.data.checks.registry import CHECKS
from backend.data.desk import Desk
from backend.data.drafts import Draft, read_draft
from backend.data.look import ALL, BY_HAND, FOUND, LEFT_OUT, UNUSABLE, Look, request_of
from backend.data.meaning.mapping import ColumnMap, Role, Shape
from backend.data.reading import beginning
from backend.data.recipe import Cutoff
from backend.data.studies import KEPT, Request, do_study, start_study, study_in
from backend.data.study_values import Fate
from backend.data.tasks import OUTCOME, TASK, TaskState, cancel_task, read_task, work
from backend.data.tokens.lengths import Lengths
from backend.data.tokens.measuring import Measuring
from backend.errors import DataError, LibraryError
from backend.files import write_json
from backend.text import LANGUAGES
from backend.workspace import Workspace
from tests.fakes.ready_workspace import medical_rows, name_of

ID = "rows.json"
REFUSAL = "I'm sorry, but I can't help with that."
QA = ColumnMap(Shape.QA, {Role.QUESTION: ("Question",), Role.ANSWER: ("Response",)})

SLEEPER = "import time; time.sleep(60)"


@pytest.fixture
def desk(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    """A desk whose studies are started and get nowhere; ``study_now`` makes one."""
    monkeypatch.setattr(tasks, "WORKER", (sys.executable, "-c", SLEEPER))
    put(workspace, faulty_rows())
    yield Desk(workspace, Measuring(workspace))
    for folder in (workspace.cache / "studies").glob("*"):
        if folder.is_dir():
            cancel_task(folder)


def put(workspace: Workspace, rows: list[Any], name: str = ID) -> Path:
    path = workspace.raw_datasets / name
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def faulty_rows() -> list[Any]:
    """Twenty rows: 3 and 17 refuse, 5 lacks its answer, 8 repeats row 2, 12 has a telephone
    number, 16 is no object.
    """
    rows: list[Any] = medical_rows(20)
    rows[2] = {**rows[2], "Response": REFUSAL}
    rows[4] = {**rows[4], "Response": ""}
    rows[7] = rows[1]
    rows[11] = {**rows[11], "Response": "Call 13812345678, then take Remedy 11."}
    rows[15] = 5
    rows[16] = {**rows[16], "Response": REFUSAL}
    return rows


def study_now(workspace: Workspace, look: Look) -> None:
    """The study that the desk would start, made in this process."""
    assert look.columns is not None
    request = request_of(look)
    assert request is not None
    asked = request.asked(workspace.cache)
    folder = studies._folder(workspace, asked)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / TASK, asked)
    assert work(folder, lambda asked, progress: do_study(folder, asked, progress)) == 0


def studied(workspace: Workspace, desk: Desk) -> Look:
    study_now(workspace, desk.look(ID))
    look = desk.look(ID)
    assert look.study is not None and look.selection is not None
    return look


# --- Before and after its study -----------------------------------------------------------------


def test_before_its_study(desk: Desk) -> None:
    look = desk.look(ID)
    assert (look.task, look.study, look.selection) == (None, None, None)
    assert look.columns is not None and look.columns == look.detection.best
    assert look.columns.shape is Shape.MEDICAL_O1
    assert (look.reader.count, look.draft.columns) == (20, None)
    assert look.recipe.columns == look.columns


def test_while_it_is_made(desk: Desk) -> None:
    look = desk.begin(desk.look(ID))
    assert look.task is not None and look.task.state is TaskState.RUNNING
    assert desk.begin(look) is look, "it is not started a second time"
    assert desk.look(ID).study is None
    desk.stop(look)
    assert desk.look(ID).task is None


def test_after_its_study(workspace: Workspace, desk: Desk) -> None:
    look = studied(workspace, desk)
    assert look.study is not None and look.selection is not None
    assert look.task is not None and look.task.state is TaskState.DONE
    assert look.selection.counts() == {
        **{Fate.TAUGHT: 15, Fate.UNUSABLE: 2, Fate.BY_HAND: 0, Fate.BY_CHECK: 3},
        Fate.OVER_CUTOFF: 0,
    }
    assert desk.begin(look) is look


def test_a_decision_needs_no_new_study(workspace: Workspace, desk: Desk) -> None:
    """A click on "leave out" must not read a gigabyte again."""
    before = studied(workspace, desk)
    desk.change(ID, lambda draft: draft.decide(draft.decisions.leave_out([1]).put_back([3])))
    look = desk.look(ID)
    assert look.selection is not None and look.task == before.task
    counts = look.selection.counts()
    assert (counts[Fate.BY_HAND], counts[Fate.BY_CHECK], counts[Fate.TAUGHT]) == (1, 2, 15)
    desk.change(ID, Draft.undo)
    look = desk.look(ID)
    assert look.selection is not None and before.selection is not None
    assert look.selection.counts() == before.selection.counts()


def test_another_mask_compares_the_rows_anew(workspace: Workspace, desk: Desk) -> None:
    """Rows that are the same once they are masked are duplicates only while they are. The page
    shows what is known of them meanwhile, and a change of mind ends the study that it began.
    """
    rows = medical_rows(6)
    for place, phone in ((1, "13812345678"), (4, "13987654321")):
        rows[place] = {**rows[1], "Response": f"Call {phone}, then take Remedy 1."}
    put(workspace, rows)
    masked = studied(workspace, desk)
    assert masked.study is not None and masked.study.twin.tolist() == [0, 0, 0, 0, 2, 0]
    assert masked.study.checks_of(4) == ["pii_phone", "exact_duplicate"]
    desk.change(ID, lambda draft: draft.decide(draft.decisions.choose("pii_phone", False)))
    between = desk.begin(desk.look(ID))
    assert between.task is not None and between.task.state is TaskState.RUNNING
    assert between.study is not None and between.study.found("pii_phone").sum() == 2
    desk.change(ID, Draft.undo)
    again = desk.look(ID)
    assert again.task == masked.task and again.study is not None
    desk.change(ID, lambda draft: draft.decide(draft.decisions.choose("pii_phone", False)))
    desk.change(ID, lambda draft: draft.decide(draft.decisions.choose("pii_email", False)))
    desk.begin(desk.look(ID))
    assert read_task(between.task.folder) is None, "nobody waits for it any more"
    study_now(workspace, desk.look(ID))
    spared = desk.look(ID)
    assert spared.study is not None and spared.task != masked.task
    assert spared.study.checks_of(4) == ["pii_phone", "same_question"]


def test_a_study_whose_files_are_gone(workspace: Workspace, desk: Desk) -> None:
    """The cache can be deleted at any time; the page then makes the study again."""
    look = studied(workspace, desk)
    assert look.task is not None
    (look.task.folder / "group.npy").unlink()
    studies._load.cache_clear()
    assert desk.look(ID).study is None
    again = desk.begin(desk.look(ID))
    assert again.task is not None and again.task.state is TaskState.RUNNING


@pytest.mark.parametrize("content", [b"", b"\x93NUMPY", b"no array"])
def test_a_study_whose_files_are_damaged(workspace: Workspace, desk: Desk, content: bytes) -> None:
    """A power cut leaves empty files behind whose names are right."""
    look = studied(workspace, desk)
    assert look.task is not None
    (look.task.folder / "flags.npy").write_bytes(content)
    studies._load.cache_clear()
    with pytest.raises(DataError, match="is not there any more"):
        study_in(look.task)
    assert read_task(look.task.folder) is None, "it is forgotten, so that it is made again"


def test_a_file_that_changed_has_no_study_yet(workspace: Workspace, desk: Desk) -> None:
    studied(workspace, desk)
    put(workspace, medical_rows(5))
    look = desk.look(ID)
    assert (look.task, look.reader.count) == (None, 5)


def test_a_file_that_is_too_long_for_a_glance(
    workspace: Workspace, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cache of rows was cleared and that of studies was not: a look at the file's beginning
    only must not hide what was found in all of it, for ever.
    """
    monkeypatch.setattr(beginning, "SIZES", (60_000, 60_000, 60_000))
    put(workspace, medical_rows(900))
    assert not desk.look(ID).reader.complete
    assert studied(workspace, desk).reader.count == 900
    shutil.rmtree(workspace.cache / "rows")
    look = desk.look(ID)
    assert look.study is not None and look.reader.complete and look.reader.count == 900


def test_the_format_is_found_once(desk: Desk) -> None:
    """Each tick of the page looks; the first hundred rows need not be understood each time."""
    desk.look(ID)
    with patch.object(desk_module, "detect", side_effect=AssertionError("again")):
        desk.look(ID)


def test_the_format_of_a_file_that_changed_is_found_anew(workspace: Workspace, desk: Desk) -> None:
    assert desk.look(ID).detection.best != QA
    put(workspace, [{"Question": "Why?", "Response": "So."}] * 3)
    best = desk.look(ID).detection.best
    assert best is not None and best.shape is Shape.QA


def test_a_source_that_vanished(workspace: Workspace, desk: Desk) -> None:
    look = desk.look(ID)
    look.path.unlink()
    with pytest.raises(LibraryError):
        desk.look(ID)
    with pytest.raises(DataError, match="not there any more"):
        desk.rows(look, [1])


# --- How the rows are understood ----------------------------------------------------------------


def test_a_file_of_no_known_shape(workspace: Workspace, desk: Desk) -> None:
    put(workspace, [{"colour": "red"}, {"colour": "blue"}])
    look = desk.look(ID)
    assert look.columns is None and look.task is None
    assert desk.begin(look) is look
    (row,) = desk.rows(look, [2])
    assert (row.row.value, row.lesson, row.findings) == ({"colour": "blue"}, None, ())
    with pytest.raises(DataError, match="It is not known what the rows of “rows.json” are"):
        _ = look.recipe


def test_a_map_is_tried_without_being_kept(workspace: Workspace, desk: Desk) -> None:
    tried = desk.look(ID, columns=QA)
    assert (tried.columns, tried.task) == (QA, None)
    (row,) = desk.rows(tried, [1])
    assert row.lesson is not None and "<think>" not in row.lesson.output
    assert read_draft(workspace, ID) == Draft()
    assert desk.look(ID).columns != QA


def test_a_corrected_map_is_kept_and_ends_the_study_of_the_old_one(
    workspace: Workspace, desk: Desk
) -> None:
    look = desk.begin(desk.look(ID))
    assert look.task is not None
    desk.understand(look, QA)
    assert read_task(look.task.folder) is None
    assert desk.look(ID).columns == QA and read_draft(workspace, ID).columns == QA


def test_a_map_that_is_the_detected_one_is_not_kept(workspace: Workspace, desk: Desk) -> None:
    """A draft that says what was found would hold on to it in the next version, too, which may find
    something better.
    """
    desk.understand(desk.look(ID), QA)
    best = desk.look(ID).detection.best
    assert best is not None
    desk.understand(desk.look(ID), best)
    assert read_draft(workspace, ID).columns is None
    assert desk.look(ID).columns == best


def test_understanding_it_as_it_is_changes_nothing(workspace: Workspace, desk: Desk) -> None:
    look = desk.begin(desk.look(ID))
    assert look.task is not None and look.columns is not None
    desk.understand(look, look.columns)
    still = read_task(look.task.folder)
    assert still is not None and still.state is TaskState.RUNNING
    assert not (workspace.datasets / "drafts").exists()


def test_what_is_advised_depends_on_the_columns(desk: Desk) -> None:
    """In a file with a column of reasoning a row without any is a fault; in others all are so."""
    assert desk.look(ID).draft.decisions.applies("no_reasoning")
    desk.understand(desk.look(ID), QA)
    assert not desk.look(ID).draft.decisions.applies("no_reasoning")
    desk.change(ID, lambda draft: draft.decide(draft.decisions.choose("no_reasoning", True)))
    assert desk.look(ID).draft.decisions.applies("no_reasoning"), "a person's word counts"


# --- Rows ---------------------------------------------------------------------------------------


def test_rows_in_any_order(desk: Desk) -> None:
    look = desk.look(ID)
    assert [one.row.number for one in desk.rows(look, [5, 6, 7])] == [5, 6, 7]
    assert [one.row.number for one in desk.rows(look, [9, 2, 9, 99])] == [9, 2, 9]
    assert desk.rows(look, []) == []


def test_the_fate_of_a_row_is_known_before_the_study(workspace: Workspace, desk: Desk) -> None:
    """As far as the row itself tells; a duplicate is known when all rows have been read."""
    desk.change(ID, lambda draft: draft.decide(draft.decisions.leave_out([1]).put_back([17])))
    early = {one.row.number: one for one in desk.rows(desk.look(ID), range(1, 21))}
    fates = {number: early[number].fate for number in (1, 3, 5, 8, 16, 17)}
    assert fates == {
        **{1: Fate.BY_HAND, 3: Fate.BY_CHECK, 5: Fate.UNUSABLE, 8: Fate.TAUGHT},
        **{16: Fate.UNUSABLE, 17: Fate.TAUGHT},
    }
    late = {one.row.number: one for one in desk.rows(studied(workspace, desk), range(1, 21))}
    assert {n for n in early if early[n].fate != late[n].fate} == {8}
    assert (late[8].fate, late[8].twin, early[8].twin) == (Fate.BY_CHECK, 2, 0)


def test_a_row_is_shown_as_it_would_be_taught(desk: Desk) -> None:
    (row,) = desk.rows(desk.look(ID), [12])
    assert row.lesson is not None and "13812345678" not in row.lesson.output
    assert [(one.check, one.evidence) for one in row.findings] == [("pii_phone", "13812345678")]
    desk.change(ID, lambda draft: draft.decide(draft.decisions.choose("pii_phone", False)))
    (row,) = desk.rows(desk.look(ID), [12])
    assert row.lesson is not None and "13812345678" in row.lesson.output


def test_why_a_row_can_not_be_used(desk: Desk) -> None:
    answer, broken = desk.rows(desk.look(ID), [5, 16])
    assert answer.problem is not None and broken.problem is not None
    assert answer.problem.key == "data.problems.empty_answer"
    assert broken.problem.key == "data.problems.row_not_object"
    assert answer.lesson is None and answer.findings == ()


def test_every_finding_is_a_sentence(workspace: Workspace, desk: Desk) -> None:
    """What a study alone knows (duplicates, an overlap) must bring what its sentence says: the row
    of the evaluation file is not that of a duplicate, and a page breaks over a value that lacks.
    """
    passage = " ".join(f"{name_of(number)} and" for number in range(300, 340))
    rows = faulty_rows()
    rows[5] = {**rows[5], "Question": f"A patient of 45 has {passage} what else?"}
    rows[6] = {**rows[6], "Question": f"A patient of 46 has {passage} what else?"}
    rows[9] = {**rows[9], "Question": rows[0]["Question"]}
    put(workspace, rows)
    put(workspace, [{"question": "Who?", "answer": "Me."}] * 2 + [exam(passage)], "exam.json")
    desk.change(ID, lambda draft: replace(draft, evaluation="exam.json"))
    look = studied(workspace, desk)
    seen = desk.rows(look, range(1, 21))
    found = {one.check: one for row in seen for one in row.findings}
    assert set(found) >= {
        *("exact_duplicate", "near_duplicate", "same_question", "evaluation_overlap", "refusal")
    }
    for row in seen:
        for one in row.findings:
            assert all(one.sentence(language) for language in LANGUAGES)
    assert "row 2" in found["exact_duplicate"].sentence("en")
    assert "row 6" in found["near_duplicate"].sentence("en")
    assert "row 1 " in found["same_question"].sentence("en")
    overlap = found["evaluation_overlap"]
    assert overlap.params["row"] == 3 and name_of(310) in overlap.evidence


def exam(passage: str) -> dict[str, str]:
    return {"question": f"Someone has {passage} nothing else. Why?", "answer": "Nobody knows."}


def test_what_is_found_is_what_the_study_flagged(workspace: Workspace, desk: Desk) -> None:
    """The rows that a filter shows must show the finding for which they are shown."""
    look = studied(workspace, desk)
    assert look.study is not None
    order = [check.id for check in CHECKS]
    for one in desk.rows(look, range(1, 21)):
        named = {finding.check for finding in one.findings}
        assert sorted(named, key=order.index) == look.study.checks_of(one.row.number - 1)


# --- Filters and paging -------------------------------------------------------------------------


def test_filters(workspace: Workspace, desk: Desk) -> None:
    desk.change(ID, lambda draft: draft.decide(draft.decisions.leave_out([1, 20])))
    look = studied(workspace, desk)
    shown = {
        only: desk.numbers(look, only, 1, 99)
        for only in (FOUND, LEFT_OUT, BY_HAND, UNUSABLE, "refusal", "mojibake")
    }
    assert shown == {
        FOUND: [3, 8, 12, 17],
        LEFT_OUT: [1, 3, 5, 8, 16, 17, 20],
        BY_HAND: [1, 20],
        UNUSABLE: [5, 16],
        "refusal": [3, 17],
        "mojibake": [],
    }
    assert {only: desk.count(look, only) for only in shown} == {
        only: len(numbers) for only, numbers in shown.items()
    }
    assert desk.numbers(look, ALL, 1, 99) == list(range(1, 21)) and desk.count(look, ALL) == 20


def test_before_the_study_a_filter_shows_all(desk: Desk) -> None:
    look = desk.look(ID)
    assert desk.numbers(look, LEFT_OUT, 1, 99) == list(range(1, 21))
    assert desk.count(look, "refusal") == 20


@pytest.mark.parametrize("only", [ALL, LEFT_OUT, "refusal"])
@pytest.mark.parametrize("size", [1, 2, 3, 50])
def test_paging_forth_shows_each_row_once_and_back_returns(
    workspace: Workspace, desk: Desk, only: str, size: int
) -> None:
    look = studied(workspace, desk)
    everything = desk.numbers(look, only, 1, 99)
    pages = [desk.numbers(look, only, 1, size)]
    while following := desk.numbers(look, only, pages[-1][-1] + 1, size):
        pages.append(following)
    assert sum(pages, []) == everything
    for earlier, later in zip(pages, pages[1:], strict=False):
        assert desk.before(look, only, later[0], size) == earlier[0]
    assert desk.before(look, only, pages[0][0], size) == everything[0]


def test_paging_where_nothing_is_shown(workspace: Workspace, desk: Desk) -> None:
    look = studied(workspace, desk)
    assert desk.numbers(look, "mojibake", 1, 5) == []
    assert desk.before(look, "mojibake", 7, 5) == 1
    assert desk.any_row(look, "mojibake") == 1
    assert desk.numbers(look, ALL, 21, 5) == []


def test_any_row_is_one_of_those(workspace: Workspace, desk: Desk) -> None:
    look = studied(workspace, desk)
    assert {desk.any_row(look, "refusal") for _ in range(60)} == {3, 17}
    assert len({desk.any_row(look, ALL) for _ in range(60)}) > 5
    assert all(1 <= desk.any_row(look, ALL) <= 20 for _ in range(60))


# --- Evaluation file and cutoff -----------------------------------------------------------------


def test_an_evaluation_file_is_part_of_the_study(workspace: Workspace, desk: Desk) -> None:
    without = studied(workspace, desk)
    put(workspace, [{"question": "Who?", "answer": "Me."}], "exam.json")
    desk.change(ID, lambda draft: replace(draft, evaluation="exam.json"))
    look = desk.look(ID)
    assert look.evaluation == workspace.raw_datasets / "exam.json"
    assert look.study is None, "the study without it does not know about it"
    assert look.recipe.evaluation == "exam.json"
    assert without.recipe.evaluation == ""


def test_a_draft_whose_evaluation_file_vanished(workspace: Workspace, desk: Desk) -> None:
    """What is prepared then was not compared with it, and its report must not say so."""
    put(workspace, [{"question": "Who?", "answer": "Me."}], "exam.json")
    desk.change(ID, lambda draft: replace(draft, evaluation="exam.json"))
    (workspace.raw_datasets / "exam.json").unlink()
    look = desk.look(ID)
    assert look.evaluation is None and look.evaluation_gone
    with pytest.raises(DataError, match="“exam.json” is not there any more"):
        _ = look.recipe
    assert look.draft.evaluation == "exam.json", "it may come back"
    assert studied(workspace, desk).selection is not None


def test_rows_over_the_cutoff(workspace: Workspace, desk: Desk) -> None:
    """Lengths are of the rows that make a lesson only; the selection is of all."""
    look = studied(workspace, desk)
    draft = replace(look.draft, drop=True, cutoff=100, model="m", template="t")
    usable = np.array([n for n in range(1, 21) if n not in (5, 16)])
    lengths = lengths_of(usable, np.where(np.isin(usable, (2, 3, 20)), 200, 20))
    with (
        patch.object(desk, "_with_lengths", lambda look: replace(look, lengths=lengths)),
        patch.object(desk_module, "read_draft", lambda *_: draft),
    ):
        look = desk.look(ID)
    assert look.selection is not None
    assert [n for n in range(1, 21) if look.selection.fate[n - 1] == Fate.OVER_CUTOFF] == [2, 20]
    assert look.recipe.cutoff == Cutoff("m", "t", 100)


def lengths_of(rows: Any, answers: Any) -> Lengths:
    """Of one turn a row, each of ten tokens and an answer."""
    return Lengths(
        rows=rows,
        turn_starts=np.arange(len(rows) + 1),
        source=np.full(len(rows), 10, dtype=np.int32),
        target=answers.astype(np.int32),
        reasoning=np.zeros(len(rows), dtype=np.int32),
    )


# --- The cache of studies -----------------------------------------------------------------------


def finished(workspace: Workspace, name: str) -> Path:
    folder = workspace.cache / "studies" / name
    folder.mkdir(parents=True)
    write_json(folder / TASK, {"task": "study"})
    write_json(folder / OUTCOME, {"state": "done", "result": {"problems": []}})
    return folder


def test_old_studies_are_cleared_but_not_the_one_that_is_asked_for(
    workspace: Workspace, desk: Desk
) -> None:
    """The oldest one was removed at the very moment at which it was wanted again."""
    look = studied(workspace, desk)
    assert look.task is not None and look.columns is not None
    others = [finished(workspace, f"other-{number}") for number in range(KEPT + 4)]
    request = request_of(look)
    assert request is not None
    again = start_study(workspace, request)
    assert again.state is TaskState.DONE
    assert sum(folder.exists() for folder in others) == KEPT - 1


def test_a_study_that_is_used_is_not_old(workspace: Workspace, desk: Desk) -> None:
    look = studied(workspace, desk)
    assert look.task is not None
    others = [finished(workspace, f"other-{number}") for number in range(KEPT + 4)]
    desk.look(ID)
    start_study(workspace, Request(look.path, QA))
    assert look.task.folder.exists()
    assert sum(folder.exists() for folder in others) == KEPT - 2
