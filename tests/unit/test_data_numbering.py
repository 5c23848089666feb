"""Where the numbers of right options count from: wrongly taken, every answer is the one beside the
right one."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from backend.data import studies, tasks
from backend.data.desk import Desk
from backend.data.look import Look, doubt_in, request_of
from backend.data.meaning.choice import Numbering
from backend.data.meaning.mapping import ColumnMap, Role, Shape
from backend.data.studies import do_study
from backend.data.tasks import TASK, cancel_task, work
from backend.data.tokens.measuring import Measuring
from backend.files import write_json
from backend.workspace import Workspace
from tests.fakes.ready_workspace import name_of
from ui.components.data_canvas import Asked
from ui.components.format_panel import FormatPanel, columns_of
from ui.i18n import Words

ID = "exam.json"
TEXTS = ["One", "Two", "Three", "Four"]


def exam(number: int, correct: int, letter: str = "A") -> dict[str, Any]:
    question = f"Which is the dose of {name_of(number)}?"
    return {"question": question, "options": TEXTS, "answer": letter, "key": correct}


@pytest.fixture
def desk(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    monkeypatch.setattr(tasks, "WORKER", (sys.executable, "-c", "import time; time.sleep(60)"))
    yield Desk(workspace, Measuring(workspace))
    for folder in (workspace.cache / "studies").glob("*"):
        if folder.is_dir():
            cancel_task(folder)


@pytest.fixture
def panel(desk: Desk) -> FormatPanel:
    with gr.Blocks():
        return FormatPanel(Words("en"), desk)


def put(workspace: Workspace, rows: list[Any]) -> Path:
    path = workspace.raw_datasets / ID
    path.write_text(json.dumps(rows), encoding="utf-8")
    return path


def understood_by(column: str, one_based: bool = False) -> ColumnMap:
    roles = {Role.QUESTION: ("question",), Role.OPTIONS: ("options",), Role.CORRECT: (column,)}
    return ColumnMap(Shape.CHOICE, roles, one_based=one_based)


def entered(columns: ColumnMap) -> list[Any]:
    """What the panel's components hold."""
    named = [
        list(columns.columns.get(role, ())) if role is Role.OPTIONS else columns.column(role)
        for role in Role
    ]
    return [columns.shape.value, *named, columns.prompt, columns.answer, columns.reasoning]


def letters(desk: Desk, look: Look) -> list[str]:
    seen = desk.rows(look, range(1, look.reader.count + 1))
    return [row.lesson.output[:1] if row.lesson else "" for row in seen]


def studied(workspace: Workspace, desk: Desk) -> Look:
    request = request_of(desk.look(ID))
    assert request is not None
    asked = request.asked(workspace.cache)
    folder = studies._folder(workspace, asked)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / TASK, asked)
    assert work(folder, lambda asked, progress: do_study(folder, asked, progress)) == 0
    return desk.look(ID)


def test_another_column_is_counted_in_its_own_way(
    workspace: Workspace, desk: Desk, panel: FormatPanel
) -> None:
    """Changed from a column of letters to one of numbers from 1 to 4, the map kept "counts from 0":
    A became "B. Two", C became "D. Four", and the last option could not be used, without a word.
    """
    put(workspace, [exam(n, 1 + n % 4, "ABCD"[n % 4]) for n in range(8)])
    look = desk.look(ID)
    assert look.columns is not None and look.columns.column(Role.CORRECT) == "answer"
    panel._understand(look, Asked(), *entered(understood_by("key")))
    look = desk.look(ID)
    assert look.columns == understood_by("key", one_based=True)
    assert letters(desk, look) == list("ABCDABCD")
    panel._understand(look, Asked(), *entered(understood_by("answer")))
    assert letters(desk, desk.look(ID)) == list("ABCDABCD")


def test_a_shape_that_is_picked_by_hand_is_counted_too(
    workspace: Workspace, desk: Desk, panel: FormatPanel
) -> None:
    """Columns with names of their own are mapped by hand, and were counted from 0 whatever is in
    them.
    """
    rows = [exam(n, 1 + n % 4) for n in range(8)]
    put(workspace, [{"frage": r["question"], "o": r["options"], "k": r["key"]} for r in rows])
    roles = {Role.QUESTION: ("frage",), Role.OPTIONS: ("o",), Role.CORRECT: ("k",)}
    wanted = ColumnMap(Shape.CHOICE, roles)
    for part in (ColumnMap(Shape.CHOICE), wanted):
        panel._understand(desk.look(ID), Asked(), *entered(part))
    assert letters(desk, desk.look(ID)) == list("ABCDABCD")


def test_a_person_has_the_last_word(workspace: Workspace, desk: Desk, panel: FormatPanel) -> None:
    """Numbers 1 to 3 of four options can be either, and there was no way to say which. What was
    said stays when a template is changed."""
    put(workspace, [exam(n, 1 + n % 3, "E") for n in range(6)])
    desk.understand(desk.look(ID), understood_by("key"))
    look = desk.look(ID)
    assert letters(desk, look) == list("BCDBCD")
    doubt = doubt_in(look)
    assert doubt is not None and doubt.key == "data.problems.numbering_uncertain.first"
    panel._count(look, Asked(), "1")
    look = desk.look(ID)
    assert letters(desk, look) == list("ABCABC")
    assert look.columns is not None
    changed = entered(look.columns)
    changed[-3] = "{question} Choose one.\n{options}"
    panel._understand(look, Asked(), *changed)
    assert letters(desk, desk.look(ID)) == list("ABCABC")


@pytest.mark.parametrize(("one_based", "odd"), [(False, 4), (True, 0)])
def test_rows_behind_the_first_hundred_contradict(
    workspace: Workspace, desk: Desk, one_based: bool, odd: int
) -> None:
    """Row 151 is the first whose number tells that the file counts otherwise; the hundred rows
    before it were taught with the option beside the right one."""
    rows = [exam(n, 1 + n % 3) for n in range(150)] + [exam(n, odd) for n in range(150, 153)]
    put(workspace, rows)
    desk.understand(desk.look(ID), understood_by("key", one_based))
    look = studied(workspace, desk)
    assert look.study is not None and look.study.usable == 150
    doubt = doubt_in(look)
    wrong = "one" if one_based else "zero"
    assert doubt is not None and doubt.key == f"data.problems.numbering_contradicted.{wrong}"
    assert doubt.params == {"column": "key", "rows": "3", "row": 151}
    for language in ("en", "zh"):
        assert "151" in doubt.sentence(language)


@pytest.mark.parametrize(
    ("one_based", "last", "doubted"),
    [
        (False, 0, None),
        (True, 4, None),
        (False, 2, "numbering_uncertain.whole"),
        (True, 3, "numbering_uncertain.whole"),
    ],
)
def test_all_rows_tell_what_the_first_ones_do_not(
    workspace: Workspace,
    desk: Desk,
    panel: FormatPanel,
    one_based: bool,
    last: int,
    doubted: str | None,
) -> None:
    """The notice that the first rows do not tell stayed when a row further down did; and where none
    did, it still spoke of the first rows only."""
    put(workspace, [*(exam(n, 1 + n % 3) for n in range(250)), exam(250, last)])
    desk.understand(desk.look(ID), understood_by("key", one_based))
    doubt = doubt_in(desk.look(ID))
    assert doubt is not None and doubt.key == "data.problems.numbering_uncertain.first"
    look = studied(workspace, desk)
    assert look.study is not None and look.study.usable == 251
    doubt = doubt_in(look)
    assert (doubt and doubt.key) == (doubted and f"data.problems.{doubted}")
    shown = dict(zip(panel.shown, panel.show("en", look), strict=True))
    assert "Rows that tell the right option by a number: 251" in shown[panel.evidence]


def test_what_ranges_of_rows_say_is_added_up() -> None:
    """A file is studied a thousand rows at a time."""
    parts = [Numbering(3, 1, 0), Numbering(), Numbering(2, 0, 0)]
    assert Numbering.of_all(parts) == Numbering(5, 1, 0)
    assert Numbering.of_all(parts).certain and not Numbering.of_all([]).numbers
    assert not Numbering.of_all([*parts, Numbering(1, 0, 1)]).certain


def test_what_is_certain_is_not_doubted(
    workspace: Workspace, desk: Desk, panel: FormatPanel
) -> None:
    put(workspace, [exam(n, 1 + n % 4) for n in range(8)])
    desk.understand(desk.look(ID), understood_by("key", one_based=True))
    look = studied(workspace, desk)
    assert doubt_in(look) is None
    shown = dict(zip(panel.shown, panel.show("en", look), strict=True))
    assert shown[panel.base]["value"] == "1" and shown[panel.base]["visible"]
    assert "so counted from 1: 2" in shown[panel.evidence]
    desk.understand(look, understood_by("answer"))
    shown = dict(zip(panel.shown, panel.show("en", desk.look(ID)), strict=True))
    assert not shown[panel.base]["visible"], "letters need no counting"


def test_the_first_rows_are_not_read_for_other_shapes(workspace: Workspace, desk: Desk) -> None:
    put(workspace, [{"Question": f"Q{n}?", "Response": "A."} for n in range(5)])
    assert desk.look(ID).numbering is None
    assert columns_of(desk.look(ID), None) is None
