"""One pass over all rows of a file: the same by one process and by several, and what it says."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from backend.data import study as study_module
from backend.data import study_parts
from backend.data.checks.overlap import Evaluation
from backend.data.checks.registry import CHECKS
from backend.data.meaning.mapping import ColumnMap, Role, Shape
from backend.data.reading import index
from backend.data.reading.reader import RowReader
from backend.data.study import Job, study
from backend.data.study_values import Study
from backend.errors import DataError
from backend.problems import Problem
from backend.processes import ProcessId
from tests.conftest import ROOT
from tests.fakes.ready_workspace import medical_row, name_of


def roles(**names: str) -> dict[Role, tuple[str, ...]]:
    return {Role(role): (name,) for role, name in names.items()}


ASKED = {"question": "q"}
MAPS = {
    "medical_o1": ColumnMap(Shape.MEDICAL_O1, roles(**ASKED, reasoning="r", answer="a")),
    "qa": ColumnMap(Shape.QA, roles(**ASKED, answer="a")),
    "alpaca": ColumnMap(Shape.ALPACA, roles(**ASKED, answer="a", history="h")),
    "choice": ColumnMap(Shape.CHOICE, roles(**ASKED, options="o", correct="c", reasoning="r")),
    "chat": ColumnMap(Shape.CHAT, roles(messages="m")),
    "preference": ColumnMap(Shape.PREFERENCE, roles(**ASKED, chosen="a", rejected="r")),
}
MEDICAL = MAPS["medical_o1"]


def row(number: int, *, question: str = "", reasoning: str = "", answer: str = "") -> Any:
    """A row that has the columns of all shapes; each number gives another question."""
    plain = medical_row(number)
    question = question or plain["Question"]
    answer = answer or plain["Response"]
    return {
        "q": question,
        "r": reasoning or plain["Complex_CoT"],
        "a": answer,
        "h": [[f"Who is {name_of(number)}?", "Nobody."]] if number % 2 else [],
        "o": [answer, f"{answer} Or not."],
        "c": 0,
        "m": [{"from": "human", "value": question}, {"from": "gpt", "value": answer}],
    }


REFUSAL = "I'm sorry, but I can't help with that. I am an AI language model."


def mixed_rows(count: int) -> list[Any]:
    """Rows with everything in them that a study tells apart."""
    rows = [row(number) for number in range(count)]
    rows[3] = {"other": 1}
    rows[5] = {**rows[5], "q": "", "m": []}
    rows[7] = row(7, answer=REFUSAL)
    rows[8] = rows[1]  # exact, across ranges
    rows[11] = row(11, question=rows[2]["q"], answer="Another remedy, once a day, helps.")
    rows[13] = "no object"
    rows[14] = row(14, answer="Call 13812345678 and ask for Remedy 14 there.")
    rows[16] = rows[1]
    return rows


@pytest.fixture
def put(tmp_path: Path) -> Callable[..., Job]:
    """Writes a file of rows, to be studied."""

    def written(rows: list[Any], columns: ColumnMap = MEDICAL, **more: Any) -> Job:
        path = tmp_path / "rows.json"
        path.with_suffix(".new").write_text(json.dumps(rows), encoding="utf-8")
        path.with_suffix(".new").replace(path)
        return Job(path, tmp_path / "cache", columns, **more)

    return written


@pytest.fixture(autouse=True)
def small_ranges(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study_module, "RANGE_ROWS", 4)


def quiet(_step: str, _done: int, _total: int) -> None:
    pass


def studied(job: Job, processes: int = 1) -> Study:
    return study(job, quiet, processes=processes)


def same(one: Study, other: Study) -> bool:
    names = ("problem", "flags", "twin", "group")
    return one.problems == other.problems and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in names
    )


# --- However it is dealt out --------------------------------------------------------------------


@pytest.mark.parametrize("shape", MAPS)
def test_several_processes_find_what_one_finds(put: Callable[..., Job], shape: str) -> None:
    """Ranges are put together in the order of the file, however fast each process was."""
    job = put(mixed_rows(30), MAPS[shape])
    one = studied(job)
    assert one.rows == 30 and 20 < one.usable < 29, "there is something to tell apart"
    assert (one.twin != 0).any()
    assert same(studied(job, processes=3), one)


@pytest.mark.parametrize("cut", [0, 1, 9])
@pytest.mark.parametrize("told_at_a_time", [2, 8, 1000])
def test_rows_that_are_studied_while_the_rest_are_looked_for(
    put: Callable[..., Job], monkeypatch: pytest.MonkeyPatch, told_at_a_time: int, cut: int
) -> None:
    """Also where the file ends too early, which its last row stands for."""
    job = put(mixed_rows(30))
    content = job.source.read_text("utf-8")
    job.source.write_text(content[: len(content) - cut], "utf-8")
    expected = studied(job)
    monkeypatch.setattr(index, "_KEPT_IN_MEMORY", told_at_a_time)
    monkeypatch.setattr(study_module, "EARLY_BYTES", 100)
    fresh = replace(job, cache=job.cache / "fresh")
    assert same(studied(fresh, processes=2), expected)
    assert same(studied(fresh, processes=2), expected), "whose rows are known by now"


@pytest.mark.timeout(60)
def test_a_study_after_another_in_the_same_process(
    put: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """rensa's threads do not go with a fork, and the second study waited for them for ever."""
    monkeypatch.setattr(study_module, "RANGE_ROWS", 600)
    job = put([row(number) for number in range(1200)])
    assert same(studied(job, processes=1), studied(job, processes=2))


def test_the_size_of_ranges_does_not_matter(
    put: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    job = put(mixed_rows(30))
    expected = studied(job)
    for rows in (1, 7, 30, 1000):
        monkeypatch.setattr(study_module, "RANGE_ROWS", rows)
        assert same(studied(job), expected)


def test_the_types_are_those_that_are_promised(put: Callable[..., Job]) -> None:
    """A million rows: each byte more of a type is a megabyte, and a flag is one of 32 bits."""
    found = studied(put(mixed_rows(20)))
    types = {name: getattr(found, name).dtype.name for name in ("problem", "flags", "twin")}
    assert types == {"problem": "uint16", "flags": "uint32", "twin": "int32"}
    assert found.group.dtype.name == "int64"


def test_a_file_of_which_no_row_can_be_used(put: Callable[..., Job]) -> None:
    found = studied(put([{"other": number} for number in range(9)]))
    assert (found.rows, found.usable, found.check_counts()) == (9, 0, {})
    (only,) = found.problem_counts()
    assert only[0] == Problem("data.problems.column_missing", {"column": "q"})
    assert (only[1].rows, only[1].examples) == (9, (1, 2, 3, 4, 5))


def test_progress(put: Callable[..., Job]) -> None:
    seen: list[tuple[str, int, int]] = []
    study(put(mixed_rows(18)), lambda *told: seen.append(told), processes=1)
    steps = [told for told in seen if told[0] == "study"]
    assert steps == [("study", done, 18) for done in (4, 8, 12, 16, 18)]
    assert seen[-1] == ("duplicates", 0, 0)


def test_what_is_written_is_read(put: Callable[..., Job], tmp_path: Path) -> None:
    found = studied(put(mixed_rows(20)))
    found.save(tmp_path)
    assert same(Study.load(tmp_path, found.problems), found)


# --- What it says -------------------------------------------------------------------------------


def test_faults_are_told_by_kind(put: Callable[..., Job]) -> None:
    """Ten thousand rows with one fault are one line on the page, with its first rows."""
    rows = [row(number) for number in range(12)]
    for place in (1, 6, 9):
        rows[place] = {**rows[place], "a": " "}
    rows[4] = {**rows[4], "q": 7}
    rows[10] = 5
    rows[11] = "x"
    counts = studied(put(rows)).problem_counts()
    assert [(one.key, count.rows, count.examples) for one, count in counts] == [
        ("data.problems.empty_answer", 3, (2, 7, 10)),
        ("data.problems.row_not_object", 2, (11, 12)),
        ("data.problems.not_text", 1, (5,)),
    ]


def test_no_more_kinds_than_a_page_can_show(
    put: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A column named otherwise in each row must not fill the number of kinds beyond its type."""
    monkeypatch.setattr(study_parts, "KINDS_LIMIT", 3)
    rows = [row(number) for number in range(9)]
    talk = [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}]
    for place, broken in enumerate(([], 5, [5], talk[:1], talk[1:], [talk[0]] * 2), start=2):
        rows[place] = {**rows[place], "m": broken}
    found = studied(put(rows, MAPS["chat"]))
    assert len(found.problems) == 3
    assert found.usable == 3
    assert set(found.problem.tolist()) == {0, 1, 2, 3}
    assert sum(count.rows for _, count in found.problem_counts()) == 6


def test_checks_are_told_of_their_rows(put: Callable[..., Job]) -> None:
    found = studied(put(mixed_rows(20)))
    assert found.check_counts()["refusal"].examples == (8,)
    assert found.check_counts()["pii_phone"].examples == (15,)
    assert found.checks_of(14) == ["pii_phone"]
    assert found.checks_of(0) == []


def test_duplicates_across_ranges(put: Callable[..., Job]) -> None:
    """Rows 2, 9 and 17 are one and lie in three ranges, with rows between them that make no lesson:
    places among the lessons are not places in the file.
    """
    found = studied(put(mixed_rows(20)), processes=2)
    assert found.check_counts()["exact_duplicate"].examples == (9, 17)
    assert found.check_counts()["same_question"].examples == (12,)
    assert {n: int(found.twin[n - 1]) for n in (2, 9, 17, 3, 12)} == {
        2: 0,
        9: 2,
        17: 2,
        3: 0,
        12: 3,
    }
    assert np.count_nonzero(found.twin) == 3
    group = found.group
    assert group[1] == group[8] == group[16] and group[2] == group[11]


def test_rows_that_are_alone_have_groups_of_their_own(put: Callable[..., Job]) -> None:
    found = studied(put(mixed_rows(30)))
    usable = found.problem == 0
    relatives = 2 + 1
    assert len(set(found.group[usable].tolist())) == found.usable - relatives
    assert not found.group[~usable].any()


def test_one_flag_of_a_duplicate_only(put: Callable[..., Job]) -> None:
    """What is the same in all is not also called similar, though what it is the same as is."""
    words = " ".join(name_of(number) for number in range(100, 140))
    one, other = (row(1, question=f"A patient of {age} has {words}.") for age in (45, 46))
    found = studied(put([one, other, other, row(2)]))
    assert [found.checks_of(place) for place in (1, 2)] == [["near_duplicate"], ["exact_duplicate"]]
    assert found.twin.tolist() == [0, 1, 2, 0]


def test_nearly_the_same_question(put: Callable[..., Job]) -> None:
    words = " ".join(name_of(number) for number in range(100, 140))
    rows = [row(number) for number in range(9)]
    rows[1] = row(1, question=f"A patient of 45 years has {words}. What now?")
    rows[6] = row(6, question=f"A patient of 46 years has {words}. What now?")
    found = studied(put(rows), processes=2)
    assert found.check_counts()["near_duplicate"].examples == (7,)
    assert (found.twin[6], found.group[6] == found.group[1]) == (2, True)


def test_a_group_is_known_by_its_first_question(put: Callable[..., Job]) -> None:
    """Rows added at the end of a file leave the split of the others as it was."""
    rows = mixed_rows(20)
    before = studied(put(rows))
    after = studied(put([*rows, rows[1], *(row(n) for n in range(50, 60))]))
    assert np.array_equal(after.group[:20], before.group)


def test_groups_are_the_same_everywhere(put: Callable[..., Job]) -> None:
    """They decide which rows are for validation: on another machine, in a later version too."""
    found = studied(put([row(0, question="头痛三天，怎么办？"), row(1)]))
    assert found.group.tolist() == [8490486304632867570, 592566848809449379]


def test_what_a_model_will_be_scored_on(put: Callable[..., Job]) -> None:
    question = (
        "A 54-year-old gardener has had a burning pain behind the breastbone for two weeks, worse"
        " when he bends down to his roses, and antacids help for an hour. What is the next step?"
    )
    rows = [row(number) for number in range(9)]
    rows[5] = row(5, question=f"Consider this case. {question} Give reasons.")
    evaluation = Evaluation.of([(1, "Something else."), (2, f"{question}\nA trial of a pump.")])
    for processes in (1, 2):
        found = studied(put(rows, evaluation=evaluation), processes)
        assert found.check_counts()["evaluation_overlap"].examples == (6,)
    assert "evaluation_overlap" not in studied(put(rows)).check_counts()


def test_every_row_has_the_flags_of_its_own_lesson(
    put: Callable[..., Job], real_rows: Path
) -> None:
    found = studied(Job(real_rows, put([]).cache, REAL))
    assert (found.rows, found.usable) == (198, 198)
    advised = [check.id for check in CHECKS if check.advised and found.found(check.id).any()]
    assert advised == []


REAL = ColumnMap(
    Shape.MEDICAL_O1, roles(question="Question", reasoning="Complex_CoT", answer="Response")
)


# --- What goes wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize("processes", [1, 2])
@pytest.mark.timeout(60)
def test_a_file_that_changes_meanwhile_is_refused(
    put: Callable[..., Job], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, processes: int
) -> None:
    """Half of the findings would be about rows that are not there any more. In a process of a pool
    the refusal was lost on its way, and the study waited for ever.
    """
    job = put(mixed_rows(40))
    changed, in_range = tmp_path / "changed", study_module._study_range

    def in_a_range_after(of: Job, reader: RowReader, first: int, end: int) -> Any:
        deadline = time.monotonic() + 20
        while first >= 20 and not changed.exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        return in_range(of, reader, first, end)

    def change(step: str, _done: int, _total: int) -> None:
        if step == "study" and not changed.exists():
            put(mixed_rows(41))
            changed.touch()

    monkeypatch.setattr(study_module, "_study_range", in_a_range_after)
    with pytest.raises(DataError, match="“rows.json” changed while it was being read"):
        study(job, change, processes=processes)


@pytest.mark.timeout(60)
def test_a_file_that_changes_before_a_process_opens_it(
    put: Callable[..., Job], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that starts late must not take the new file for the one that is studied."""
    job = put(mixed_rows(40))
    pool = study_module.forked

    def late(*given: Any) -> Any:
        put(mixed_rows(41))
        return pool(*given)

    monkeypatch.setattr(study_module, "forked", late)
    with pytest.raises(DataError, match="changed while it was being read"):
        studied(job, processes=2)


def test_what_the_progress_raises_ends_it(put: Callable[..., Job]) -> None:
    def stop(step: str, _done: int, _total: int) -> None:
        if step == "study":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        study(put(mixed_rows(60)), stop, processes=2)


def test_a_file_that_is_not_there(put: Callable[..., Job]) -> None:
    job = put([])
    job.source.unlink()
    with pytest.raises(DataError, match="not there any more"):
        studied(job)


HANGING = """
    import sys, time
    from pathlib import Path
    from backend.data import study as module
    from backend.data.meaning.mapping import ColumnMap, Role, Shape

    module.RANGE_ROWS = 4
    columns = {Role.QUESTION: ("q",), Role.ANSWER: ("a",)}
    job = module.Job(Path(sys.argv[1]), Path(sys.argv[2]), ColumnMap(Shape.QA, columns))

    def hang(step, done, total):
        if step == "study":
            import psutil
            print(*(child.pid for child in psutil.Process().children()), flush=True)
            time.sleep(60)

    module.study(job, hang, processes=2)
"""


def helpers_of(job: Job) -> Iterator[ProcessId]:
    """The helpers of a study that is killed without a word."""
    with subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(HANGING), str(job.source), str(job.cache)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        helpers = [ProcessId.of(int(pid)) for pid in process.stdout.readline().split()]
        assert len(helpers) == 2
        process.send_signal(signal.SIGKILL)
    yield from (helper for helper in helpers if helper is not None)


def test_helpers_of_a_killed_study_end(put: Callable[..., Job]) -> None:
    """``kill -9``, or no memory left: they would wait for a next range for ever."""
    helpers = list(helpers_of(put(mixed_rows(400))))
    assert helpers
    deadline = time.monotonic() + 10
    while any(one.is_alive() for one in helpers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(one.is_alive() for one in helpers)
