"""Sheets of many questions: kept as the answers come, asked to the end, and taken elsewhere."""

from __future__ import annotations

import csv
import io
import json
import threading
import time
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.chat.answering import Target
from backend.chat.asking_many import AskingMany, Progress
from backend.chat.ballots import open_ballot, reveal
from backend.chat.lines import JsonLines
from backend.chat.settings import Settings
from backend.chat.sheet_export import export_sheet, plain_cell
from backend.chat.sheets import (
    Answer,
    Contestant,
    Question,
    Sheet,
    delete_sheet,
    find_sheet,
    list_sheets,
    make_sheet,
)
from backend.errors import EngineError, WorkspaceError
from backend.files import write_json
from backend.workspace import Workspace
from tests.fakes.openai_server import DONE, Act, Scripted, chunk, serving, status, streams, until
from tests.fakes.sheets import BASE, OTHER, TUNED, answer, put_sheet
from tests.fakes.trainers import wait_until


def said(text: str) -> list[Act]:
    return [
        status(200),
        streams(chunk(f"<think>\nhm\n</think>\n\n{text}"), chunk(finish="stop"), DONE),
    ]


def reach(server: Scripted) -> Callable[[Contestant], Target]:
    return lambda column: Target(url=server.url, model=column.kind)


def ended(asking: AskingMany, sheet: Sheet) -> Progress:
    wait_until(lambda: asking.progress(sheet).state != "asking")
    return asking.progress(sheet)


# --- Lines --------------------------------------------------------------------------------------


@given(st.lists(st.dictionaries(st.text(), st.text(), max_size=3), max_size=8))
def test_lines_are_read_by_number_while_the_file_grows(
    tmp_path_factory: pytest.TempPathFactory, objects: list[dict[str, str]]
) -> None:
    file = JsonLines(tmp_path_factory.mktemp("lines") / "lines.jsonl")
    for number, one in enumerate(objects):
        file.append([one])
        assert file.read(number, number + 1) == [one]
    assert file.read(0, 99) == objects


def test_a_line_that_a_crash_cut_off_costs_that_line_only(workspace: Workspace) -> None:
    file = JsonLines(workspace.chats / "lines.jsonl")
    file.append([{"n": 1}])
    with file.path.open("ab") as torn:
        torn.write(b'{"n": 2')
    assert file.read(0, 9) == [{"n": 1}]
    file.append([{"n": 3}])
    assert file.read(0, 9) == [{"n": 1}, {"n": 3}]
    assert JsonLines(file.path).read(0, 9) == [{"n": 1}, {"n": 3}]


# --- Sheets -------------------------------------------------------------------------------------


def test_a_sheet_is_on_disk_as_it_was_asked(workspace: Workspace) -> None:
    before = (("user", "Hello"), ("assistant", "Hi"))
    question = Question("And now?", "validation", "notes", 7, "Rest.", "Be brief.", before)
    sheet = put_sheet(workspace, questions=[question, Question(" "), Question("Fever?")])
    again = find_sheet(workspace, sheet.id)
    assert again == sheet and again.count == 2, "an empty question is none"
    assert again.questions(0, 9) == [question, Question("Fever?")]
    assert [message["role"] for message in question.messages("other")] == [
        *("system", "user", "assistant", "user")
    ]
    assert question.messages("other")[0]["content"] == "Be brief."
    assert list_sheets(workspace) == [sheet]
    delete_sheet(workspace, sheet.id)
    assert list_sheets(workspace) == []


def test_what_can_be_no_sheet_is_said(workspace: Workspace) -> None:
    with pytest.raises(EngineError, match="no question"):
        make_sheet(workspace, [Question("  ")], [BASE], Settings())
    with pytest.raises(EngineError, match="can be asked"):
        make_sheet(workspace, [Question("Fever?")], [], Settings())
    with pytest.raises(WorkspaceError):
        find_sheet(workspace, "../runs")
    (workspace.chats / "sheets" / "broken").mkdir(parents=True)
    write_json(workspace.chats / "sheets" / "broken" / "sheet.json", {"title": 3})
    assert list_sheets(workspace) == []
    with pytest.raises(EngineError, match="no list"):
        find_sheet(workspace, "broken")


# --- Asking -------------------------------------------------------------------------------------


def test_all_columns_answer_all_questions(workspace: Workspace) -> None:
    sheet = put_sheet(workspace, [BASE, TUNED], answered=False)
    asking = AskingMany()
    assert asking.progress(sheet) == Progress("stopped", 0, 0, 4)
    with serving(base=said("Rest."), lora=said("Ferritin.")) as server:
        asking.start(sheet, reach(server))
        assert ended(asking, sheet) == Progress("complete", 4, 0, 4)
        with pytest.raises(EngineError, match="answered"):
            asking.start(sheet, reach(server))
    answers = sheet.answers(0, 2)
    assert {key: one.text for key, one in answers.items()} == {
        (0, BASE.key): "Rest.",
        (1, BASE.key): "Rest.",
        (0, TUNED.key): "Ferritin.",
        (1, TUNED.key): "Ferritin.",
    }
    assert answers[0, BASE.key].whole and answers[0, BASE.key].reasoning.strip() == "hm"
    assert {body["messages"][-1]["content"] for body in server.asked} == {
        *("Tired and pale?", "Fever?")
    }


def test_several_questions_are_in_the_engine_at_once(workspace: Workspace) -> None:
    """One after another, a batch of eight rows would be filled with one."""
    sheet = put_sheet(workspace, [BASE], [Question(f"q {n}") for n in range(12)], answered=False)
    together = threading.Event()
    asking = AskingMany()
    with serving(base=[until(together), *said("Rest.")]) as server:
        asking.start(sheet, reach(server))
        wait_until(lambda: len(server.asked) == 12, 20)
        together.set()
        assert ended(asking, sheet).done == 12


def test_stopped_it_keeps_what_came_and_goes_on_later(workspace: Workspace) -> None:
    sheet = put_sheet(workspace, [BASE, TUNED], answered=False)
    never = threading.Event()
    asking = AskingMany()
    with serving(base=said("Rest."), lora=[until(never)]) as server:
        asking.start(sheet, reach(server))
        with pytest.raises(EngineError, match="already"):
            asking.start(sheet, reach(server))
        wait_until(lambda: asking.progress(sheet).done == 2)
        assert asking.progress(sheet).seconds_left is not None
        begun = time.monotonic()
        asking.stop(sheet)
        assert time.monotonic() - begun < 5, "it is ended, and not waited for: that takes 30"
        assert ended(asking, sheet) == Progress("stopped", 2, 0, 4)
        never.set()
    with serving(base=said("Other."), lora=said("Ferritin.")) as server:
        asking.start(sheet, reach(server))
        assert ended(asking, sheet).state == "complete"
        assert {body["model"] for body in server.asked} == {"lora"}, "what is there is not asked"
    assert sheet.answers(0, 1)[0, BASE.key].text == "Rest."


def test_after_a_restart_it_is_interrupted_and_goes_on(workspace: Workspace) -> None:
    sheet = put_sheet(workspace, [BASE], answered=False)
    sheet.add(answer(0, BASE, "Rest."))
    write_json(
        sheet.folder / "state.json", {"process": {"pid": 2**22 + 1, "born": "x"}, "lost": {}}
    )
    asking = AskingMany()
    assert asking.progress(sheet) == Progress("interrupted", 1, 0, 2)
    with serving(base=said("Drink.")) as server:
        asking.start(sheet, reach(server))
        assert ended(asking, sheet).state == "complete"
        assert len(server.asked) == 1


def test_a_column_that_is_lost_does_not_stop_the_others(workspace: Workspace) -> None:
    """Its engine has died. Asking on would write the same failure ten thousand times."""
    questions = [Question(f"q {n}") for n in range(60)]
    sheet = put_sheet(workspace, [BASE, TUNED], questions, answered=False)
    died = EngineError("engine.errors.died", reason="signal 9")
    asking = AskingMany()
    with serving(base=said("Rest.")) as server:
        asking.start(
            sheet,
            lambda column: Target(
                server.url, column.kind, refused=died if column is sheet.columns[1] else None
            ),
        )
        now = ended(asking, sheet)
    assert (now.state, now.done) == ("stopped", 60)
    assert 3 <= now.failed <= 20
    assert now.lost[TUNED.key].sentence("en") == died.sentence("en")
    assert AskingMany().progress(sheet).lost.keys() == {TUNED.key}, "said after a restart too"


def test_a_question_that_is_too_long_is_one_failure(workspace: Workspace) -> None:
    sheet = put_sheet(workspace, [BASE], [Question(f"q {n}") for n in range(8)], answered=False)
    error = {"medtune": {"key": "engine.errors.context", "params": {"tokens": 9, "limit": 8}}}
    refused = json.dumps({"error": error}).encode()
    asking = AskingMany()
    with serving(base=[status(400, refused)]) as server:
        asking.start(sheet, reach(server))
        assert ended(asking, sheet) == Progress("stopped", 0, 8, 8)
    assert sheet.answers(0, 1)[0, BASE.key].stats["error"]["key"] == "engine.errors.context"


@pytest.mark.parametrize("status_code", [429, 503])
def test_a_server_that_has_no_room_is_asked_again(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, status_code: int
) -> None:
    """The engine says it in its own words, a cluster by the status alone."""
    monkeypatch.setattr("backend.chat.asking_many._PAUSE_SECONDS", 0.01)
    sheet = put_sheet(workspace, [BASE], [Question("Fever?")], answered=False)
    named = {"medtune": {"key": "engine.errors.busy", "params": {}}} if status_code == 429 else {}
    busy = json.dumps({"error": named}).encode()
    asking = AskingMany()
    with serving(base=[status(status_code, busy)]) as server:
        asking.start(sheet, reach(server))
        wait_until(lambda: len(server.asked) >= 3)
        server.scripts["base"] = said("Rest.")
        assert ended(asking, sheet) == Progress("complete", 1, 0, 1)


def test_a_full_disk_ends_it_and_says_why(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    sheet = put_sheet(workspace, [BASE], answered=False)

    def refuse(self: Sheet, one: Answer) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Sheet, "add", refuse)
    asking = AskingMany()
    with serving(base=said("Rest.")) as server:
        asking.start(sheet, reach(server))
        now = ended(asking, sheet)
    assert now.state == "stopped" and "No space left" in now.lost[""].sentence("en")


# --- Files for others ---------------------------------------------------------------------------


def test_a_sheet_goes_into_a_spreadsheet_and_into_json_lines(workspace: Workspace) -> None:
    sheet = put_sheet(workspace, [BASE, TUNED])
    sheet.add(answer(1, TUNED, '=HYPERLINK("http://evil")'))
    content = export_sheet(workspace, sheet, "csv").read_text(encoding="utf-8-sig")
    rows = list(csv.DictReader(io.StringIO(content)))
    assert [row["question"] for row in rows] == ["Tired and pale?", "Fever?"]
    assert rows[1]["reference"] == "Rest."
    assert rows[0][f"demo [{BASE.fingerprint}] answer"] == "demo on 0"
    assert rows[1][f"first · 20 [{TUNED.fingerprint}] answer"].startswith("'=HYPERLINK")
    lines = export_sheet(workspace, sheet, "jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 4
    assert json.loads(lines[3])["answer"] == '=HYPERLINK("http://evil")'
    assert json.loads(lines[3])["fingerprint"] == TUNED.fingerprint


def test_a_sheet_that_is_rated_blind_is_given_to_nobody(workspace: Workspace) -> None:
    sheet = put_sheet(workspace)
    open_ballot(workspace, sheet)
    with pytest.raises(EngineError, match="blind"):
        export_sheet(workspace, sheet, "jsonl")
    reveal(workspace, sheet.id)
    assert export_sheet(workspace, sheet, "jsonl").is_file()


@given(st.text())
def test_no_cell_is_a_formula(text: str) -> None:
    cell = str(plain_cell(text))
    assert cell in (text, f"'{text}")
    assert not cell.strip().startswith(("=", "+", "-", "@"))


def test_other_columns_are_of_other_sheets(workspace: Workspace) -> None:
    sheet = put_sheet(workspace, [BASE])
    sheet.add(answer(0, OTHER, "stray"))
    assert sheet.answers(0, 2).keys() == {(0, BASE.key), (1, BASE.key)} == sheet.answered().keys()
