"""What the Data tab shows: rows by filter, a file that is broken, and what was compared."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import gradio as gr
import pytest

from backend.data import studies, tasks
from backend.data.desk import Desk
from backend.data.look import UNUSABLE, Look, problem_filters, request_of
from backend.data.studies import do_study
from backend.data.tasks import TASK, cancel_task, work
from backend.errors import MedTuneError
from backend.files import write_json
from backend.problems import Problem
from backend.services import Services
from backend.workspace import Workspace
from tests.fakes.ready_workspace import medical_row, medical_rows
from ui.components.data_canvas import Asked, View
from ui.i18n import Words
from ui.tabs.data import DataTab

ID = "rows.json"


@pytest.fixture
def page() -> gr.Blocks:
    return gr.Blocks()


@pytest.fixture
def tab(
    workspace: Workspace, page: gr.Blocks, monkeypatch: pytest.MonkeyPatch
) -> Iterator[DataTab]:
    monkeypatch.setattr(tasks, "WORKER", (sys.executable, "-c", "import time; time.sleep(60)"))
    with page:
        made = DataTab(Services.of(workspace), Words("en"), gr.Radio(["en", "zh"], value="en"))
    yield made
    for folder in (workspace.cache / "studies").glob("*"):
        if folder.is_dir():
            cancel_task(folder)


@pytest.fixture
def desk(tab: DataTab) -> Desk:
    return tab._desk


def put(workspace: Workspace, rows: list[Any] | str, name: str = ID) -> Path:
    path = workspace.raw_datasets / name
    words = rows if isinstance(rows, str) else json.dumps(rows, ensure_ascii=False)
    path.write_text(words, encoding="utf-8")
    return path


def studied(workspace: Workspace, desk: Desk) -> Look:
    request = request_of(desk.look(ID))
    assert request is not None
    asked = request.asked(workspace.cache)
    folder = studies._folder(workspace, asked)
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / TASK, asked)
    work(folder, lambda asked, progress: do_study(folder, asked, progress))
    return desk.look(ID)


def shown(tab: DataTab, updates: list[Any]) -> dict[Any, Any]:
    return dict(zip(tab.canvas.shown, updates, strict=False))


# --- What was read otherwise than it is written -------------------------------------------------


def test_what_is_lost_in_reading_is_counted(workspace: Workspace, tab: DataTab, desk: Desk) -> None:
    """Row 3 of forty thousand had a key twice and lost its first value: nothing told of it but the
    row itself, to whoever happened to turn to that page.
    """
    lines = [json.dumps(one) for one in medical_rows(6)]
    lines[2] = lines[2].replace('{"Question"', '{"Question": "Lost.", "Question"')
    lines[4] = lines[4].replace("}", ', "dose": NaN}')
    put(workspace, "\n".join(lines))
    look = studied(workspace, desk)
    assert look.study is not None
    counts = {name: one.examples for name, one in look.study.check_counts().items()}
    assert counts == {"duplicate_keys": (3,), "not_numbers": (5,)}
    assert desk.numbers(look, "duplicate_keys", 1, 5) == [3]
    (row,) = desk.rows(look, [3])
    assert [one.sentence("en") for one in row.findings] == [
        "There more than once, the last one counts: Question."
    ]
    html = shown(tab, tab._draw("en", ID, Asked(first=3)))[tab.rows.rows]
    assert html.count("There more than once") == 1
    desk.change(ID, lambda draft: draft.decide(draft.decisions.choose("duplicate_keys", True)))
    look = desk.look(ID)
    assert look.selection is not None and look.selection.taught == 5


# --- Filters ------------------------------------------------------------------------------------


def test_a_search_is_made_among_the_rows_that_are_shown(
    workspace: Workspace, tab: DataTab, desk: Desk
) -> None:
    """With "rows that are left out" chosen, a search showed rows that are taught."""
    rows: list[dict[str, Any]] = [
        {**row, "Response": f"Aspirin. {row['Response']}"} for row in medical_rows(40)
    ]
    for place in (6, 13, 29, 31):
        rows[place]["Response"] = "I'm sorry, but I can't help with aspirin."
    put(workspace, rows)
    look = studied(workspace, desk)
    assert desk.search(look, "all", "aspirin", 1, 5).rows == [1, 2, 3, 4, 5]
    assert desk.search(look, "refusal", "ASPIRIN", 1, 3).rows == [7, 14, 30]
    assert desk.search(look, "refusal", "aspirin", 31, 3).rows == [32]
    found = desk.search(look, "refusal", "twice a day", 1, 3)
    assert (found.rows, found.reached) == ([], 40)
    html = shown(tab, tab._draw("en", ID, Asked("refusal", 1, "aspirin")))[tab.rows.rows]
    assert [n for n in range(1, 41) if f'data-row="{n}"' in html] == [7, 14, 30, 32]


def test_each_kind_of_fault_shows_its_own_rows(
    workspace: Workspace, tab: DataTab, desk: Desk
) -> None:
    """The buttons of all kinds showed all rows that can't be used, whichever was pressed."""
    rows: list[Any] = medical_rows(12)
    rows[2] = {**rows[2], "Response": ""}
    for place in (4, 7, 9):
        rows[place] = place
    put(workspace, rows)
    look = studied(workspace, desk)
    kinds = list(problem_filters(look))
    pressed = [tab.checks._act(look, Asked(), "show_problem", str(n)) for n in range(2)]
    assert [one.only for one in pressed] == kinds
    assert desk.numbers(look, pressed[0].only, 1, 5) == [5, 8, 10]
    assert desk.numbers(look, pressed[1].only, 1, 5) == [3]
    drawn = shown(tab, tab._draw("en", ID, pressed[1]))
    assert drawn[tab.rows.only]["value"] == kinds[1]
    assert ("The answer (Response) is empty. (1)", kinds[1]) in drawn[tab.rows.only]["choices"]
    assert tab.checks._act(look, Asked(), "show_problem", "7") == Asked(only=UNUSABLE)
    put(workspace, medical_rows(5))
    look = studied(workspace, desk)
    drawn = shown(tab, tab._draw("en", ID, pressed[1]))
    assert drawn[tab.rows.only]["value"] == "all", "there is no such kind any more"


# --- A file that can't be read ------------------------------------------------------------------


@pytest.mark.parametrize("content", ["", "\x00\x01\x02 no rows", '{"a": '])
def test_the_rows_of_another_file_do_not_stay(
    workspace: Workspace, tab: DataTab, content: str
) -> None:
    """A file that can't be read was chosen: a message came and went, and below its name stood the
    rows, the checks and the name of the file before it.
    """
    put(workspace, medical_rows(5))
    put(workspace, content, "broken.json")
    tab._choose("en", ID)
    with pytest.raises(MedTuneError) as caught:
        tab._desk.look("broken.json")
    *updates, first, words, view, name, cutoff = tab._choose("en", "broken.json")
    assert view.source is None, "it can be tried again"
    drawn = shown(tab, updates)
    assert caught.value.sentence("en") in unescape(drawn[tab.top.facts])
    assert medical_row(0)["Question"] not in drawn[tab.rows.rows]
    assert (first, words, name["placeholder"], cutoff) == (1, "", "", 2048)


def test_the_cutoff_that_was_chosen_is_the_one_of_the_token_view(
    workspace: Workspace, tab: DataTab, desk: Desk
) -> None:
    """The line in the chart was moved to 512, and after a reload the token view cut at 2048."""
    put(workspace, medical_rows(5))
    desk.change(ID, lambda draft: replace(draft, cutoff=512))
    assert tab._choose("en", ID)[-1] == 512
    assert tab._refresh("en", ID, View(ID), "", ())[-1] == 512
    assert tab._refresh("en", None, View(), "", ())[-1] == 2048


def test_a_file_that_is_no_choice_is_told_with_the_reason(
    workspace: Workspace, tab: DataTab
) -> None:
    put(workspace, medical_rows(5))
    put(workspace, "", "nothing.json")
    choices, said, *_ = tab._refresh("en", ID, View(), "", ())
    assert "nothing.json" not in choices["choices"]
    assert "“nothing.json”" in said and "empty" in said
    (workspace.raw_datasets / "nothing.json").unlink()
    assert not tab._refresh("en", ID, View(), "", ())[1]


def test_a_choice_that_is_told_twice_leaves_what_was_typed_meanwhile(
    workspace: Workspace, tab: DataTab
) -> None:
    """Words to be searched for were typed as soon as the rows were there, and wiped out by the
    answer to the same choice again: the search was for nothing."""
    put(workspace, medical_rows(5))
    put(workspace, medical_rows(5), "other.json")
    *_, first, words, view, _, _ = tab._pick("en", ID, View())
    assert first == words == gr.skip() and view.source == ID
    assert all(one == gr.skip() for one in tab._pick("en", ID, view))
    searched = replace(view, asked=Asked(first=4, words="aspirin"))
    *_, first, words, view, _, _ = tab._pick("en", "other.json", searched)
    assert (first, words, view.asked) == (1, "", Asked())


# --- What moves by itself -----------------------------------------------------------------------


def test_a_tick_shows_the_rows_that_the_page_was_turned_to(
    workspace: Workspace, tab: DataTab, desk: Desk
) -> None:
    """A tick that was asked for while a page was being turned turned it back: what a browser sends
    is of before an answer that is on its way to it."""
    put(workspace, medical_rows(20))
    studied(workspace, desk)
    turned = View(ID, Asked(first=6))
    drawn = shown(tab, tab._tick("en", turned, "", (), "rows", ())[1:])
    assert 'data-row="6"' in drawn[tab.rows.rows]
    assert 'data-row="1"' not in drawn[tab.rows.rows]
    assert drawn[tab.rows.last] == 10


def test_a_tab_that_was_opened_before_the_page_knew_its_language_learns_it(tab: DataTab) -> None:
    nothing = View(language="en")
    assert all(one == gr.skip() for one in tab._tick("en", nothing, "", (), "", ()))
    _, *drawn = tab._tick("zh", nothing, "", (), "", ())
    assert "请" in shown(tab, drawn)[tab.checks.list]
    learned = next(one for one in drawn if isinstance(one, View))
    assert learned == View(language="zh")
    assert all(one == gr.skip() for one in tab._tick("zh", learned, "", (), "", ()))


def test_a_tick_asks_a_browser_for_nothing_that_an_answer_changes(
    page: gr.Blocks, tab: DataTab
) -> None:
    (tick,) = (
        event for event in page.fns.values() if (tab.pulse.component._id, "tick") in event.targets
    )
    sent = {one._id for one in tick.inputs if not isinstance(one, gr.State)}
    assert sent <= {tab.canvas.language._id, tab.preparation.name._id}


def test_a_page_that_outlives_its_server_keeps_its_file(workspace: Workspace, tab: DataTab) -> None:
    put(workspace, medical_rows(5))
    choices, _, *drawn = tab._refresh("en", ID, View(), "", ())
    assert "value" not in choices
    assert 'data-row="1"' in shown(tab, drawn)[tab.rows.rows]
    assert View(ID, language="en") in drawn


# --- The evaluation file ------------------------------------------------------------------------


def test_an_evaluation_file_that_is_gone_is_told(
    workspace: Workspace, tab: DataTab, desk: Desk
) -> None:
    """Deleted in the meantime, it was compared with nothing, and nothing was said."""
    put(workspace, medical_rows(5))
    put(workspace, [{"question": "Who?", "answer": "Me."}], "exam.json")
    desk.change(ID, lambda draft: replace(draft, evaluation="exam.json"))
    (workspace.raw_datasets / "exam.json").unlink()
    studied(workspace, desk)
    drawn = shown(tab, tab._draw("en", ID, Asked()))
    assert "“exam.json” is not there any more" in drawn[tab.checks.list]
    assert ("exam.json (not there any more)", "exam.json") in drawn[tab.checks.evaluation][
        "choices"
    ]


def test_how_much_of_the_evaluation_file_was_compared(
    workspace: Workspace, tab: DataTab, desk: Desk
) -> None:
    """Rows of the evaluation file without a question and an answer were passed over: a file of
    which half could be used said as little as one of which all could."""
    put(workspace, medical_rows(5))
    exam = [{"question": "Who?", "answer": "Me."}, {"question": "Why?", "answer": ""}]
    put(workspace, exam, "exam.json")
    desk.change(ID, lambda draft: replace(draft, evaluation="exam.json"))
    look = studied(workspace, desk)
    assert look.study is not None and look.study.compared == (1, 2)
    drawn = shown(tab, tab._draw("en", ID, Asked()))
    assert "Compared with 1 of the 2 rows" in drawn[tab.checks.list]
    put(workspace, exam[:1], "exam.json")
    studied(workspace, desk)
    drawn = shown(tab, tab._draw("en", ID, Asked()))
    assert "Compared with all 1 rows" in drawn[tab.checks.list]


def test_an_evaluation_file_without_a_usable_row_is_refused(
    workspace: Workspace, desk: Desk
) -> None:
    """Nothing was found in common with it, since nothing was looked for."""
    put(workspace, medical_rows(5))
    put(workspace, [{"question": "Why?", "answer": ""}] * 3, "exam.json")
    desk.change(ID, lambda draft: replace(draft, evaluation="exam.json"))
    look = studied(workspace, desk)
    assert look.study is None and look.task is not None
    params = {"name": "exam.json", "count": 3}
    assert look.task.problem == Problem("data.errors.evaluation_unusable", params)
