"""The tools of the chat on the page: what they show, and what they must not show."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from backend.chat.answering import Target
from backend.chat.asking_many import AskingMany
from backend.chat.ballots import ballot_of, is_blind, reveal
from backend.chat.bench import LastAnswer, Prompt
from backend.chat.settings import Settings, Thinking
from backend.chat.sheets import Contestant, Question, Sheet, delete_sheet, list_sheets
from backend.chat.tally import tally
from backend.chat.votes import all_votes, mark, say, vote_on
from backend.errors import EngineError
from backend.files import write_json
from backend.text import LANGUAGES
from backend.workspace import Workspace
from tests.fakes.sheets import BASE, OTHER, TUNED, answer, put_sheet
from tests.fakes.trainers import wait_until
from ui.components.chat_blind import BlindPanel
from ui.components.chat_difference import differences
from ui.components.chat_many import ManyPanel
from ui.components.chat_prompt import prompt_view
from ui.components.chat_questions import reference_view
from ui.components.chat_tally import tally_view
from ui.i18n import Words

PAGE: Any = SimpleNamespace(session_hash="page")
OTHER_PAGE: Any = SimpleNamespace(session_hash="other")


class FakeBench:
    """Three columns that can be asked, of which nobody answers."""

    def contestants(self) -> list[Contestant]:
        return [BASE, TUNED, OTHER]

    def shown(self) -> list[Contestant]:
        return self.contestants()

    def target(self, column: Contestant) -> Target:
        return Target("", column.key, refused=EngineError("engine.errors.unloaded"))

    def last_answers(self) -> list[LastAnswer]:
        return [LastAnswer(column) for column in self.contestants()]

    def prompt(self, key: str, typed: str, system: str, thinking: Thinking) -> Prompt | None:
        return None

    def runs(self) -> list[str]:
        return []


def press(action: str, target: str) -> Any:
    return SimpleNamespace(_data={"action": action, "target": target})


@pytest.fixture
def blind(workspace: Workspace) -> BlindPanel:
    with gr.Blocks():
        return BlindPanel(Words("en"), workspace, FakeBench(), AskingMany())


@pytest.fixture
def many(workspace: Workspace) -> ManyPanel:
    with gr.Blocks():
        return ManyPanel(Words("en"), workspace, FakeBench(), AskingMany())


def rated(panel: BlindPanel, sheet: Sheet) -> tuple[int, str]:
    """The row that is shown, and its HTML."""
    _, row, _, view = panel.rate("en", PAGE, sheet.id)
    return row, view


# --- Blind --------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_on_the_page_tells_who_is_who(
    workspace: Workspace, blind: BlindPanel, language: str
) -> None:
    """Neither names and fingerprints, nor figures, nor the order of the columns."""
    sheet = put_sheet(workspace, answered=False)
    for place, column in enumerate(sheet.columns):
        stats = {
            "tokens": 7000 + place,
            "tokens_per_second": 8000.5 + place,
            "seconds": 9000 + place,
        }
        sheet.add(answer(0, column, f"answer {place}", **stats))
    updates = blind.rate(language, PAGE, sheet.id)
    sent = repr(updates)
    for column in sheet.columns:
        for word in (column.key, column.label.split(" · ")[-1] + "<", column.fingerprint):
            assert word not in sent
    assert not re.search(r"[789]00\d", sent)
    orders = set()
    for _ in range(100):  # of 30 one in forty lacks an order
        again = put_sheet(workspace)
        _, view = rated(blind, again)
        orders.add(tuple(re.findall(r"(demo|first · \d+) on 0", view)))
        delete_sheet(workspace, again.id)  # the page offers forty
    assert len(orders) == 6


def test_a_failure_does_not_name_the_column(workspace: Workspace, blind: BlindPanel) -> None:
    sheet = put_sheet(workspace)
    error = {"key": "engine.errors.column_unknown", "params": {"column": "first · 20"}}
    sheet.add(answer(0, TUNED, "", error=error))
    _, view = rated(blind, sheet)
    assert "could not answer" in view and "not loaded" not in view


def test_a_row_is_shown_when_all_answers_are_there(workspace: Workspace, blind: BlindPanel) -> None:
    """Who answers first would be known by it."""
    sheet = put_sheet(workspace, answered=False)
    sheet.add(answer(0, BASE, "Rest."))
    _, view = rated(blind, sheet)
    assert "1 of 3 answers" in view and "Rest." not in view
    assert "not being asked" in view and "<progress" not in view


def test_a_question_that_a_restart_interrupted_is_asked_again(
    workspace: Workspace, blind: BlindPanel
) -> None:
    """It stands in no list, and would have waited for ever."""
    sheet = put_sheet(workspace, answered=False, single=True)
    process = {"pid": 2**22 + 1, "born": "x"}
    write_json(sheet.folder / "state.json", {"process": process, "lost": {}})
    rated(blind, sheet)
    wait_until(lambda: blind._asking.progress(sheet).state == "stopped")
    assert blind._asking.progress(sheet).failed == 6, "nobody could answer, which is said"


def test_a_vote_turns_to_the_next_row(workspace: Workspace, blind: BlindPanel) -> None:
    sheet = put_sheet(workspace)
    row, view = rated(blind, sheet)
    assert row == 0 and "Tired and pale?" in view
    _, row, _, view = blind._press("en", PAGE, sheet.id, 0, press("best", "0:1"))
    assert row == 1 and "Fever?" in view and "1 of 2 rated" in view
    ballot, vote = ballot_of(workspace, sheet.id), vote_on(workspace, sheet, 0)
    assert ballot is not None and vote is not None
    assert vote.best == ballot.order(0, 3)[1]
    # A second press of the same key, still of the row that was seen, does not pass another one.
    _, row, _, _ = blind._press("en", PAGE, sheet.id, 1, press("tie", "0"))
    assert row == 1
    _, row, _, _ = blind._press("en", PAGE, sheet.id, 1, press("turn", "0"))
    assert row == 0
    _, row, _, view = blind._press("en", PAGE, sheet.id, 0, press("unsafe", "0:2"))
    assert row == 0 and view.count("✓ Unsafe") == 1
    # A browser may send anything.
    for action, target in (("best", "x"), ("best", ""), ("turn", "99"), ("", ""), ("ugly", "0:0")):
        blind._press("en", PAGE, sheet.id, 0, press(action, target))


def test_names_come_with_the_reveal_and_end_the_voting(
    workspace: Workspace, blind: BlindPanel
) -> None:
    sheet = put_sheet(workspace)
    rated(blind, sheet)
    blind._press("en", PAGE, sheet.id, 0, press("best", "0:0"))
    *_, view = blind._press("en", PAGE, sheet.id, 1, press("reveal", "-"))
    assert "Reveal for good?" in view and "first · 20</h4>" not in view
    assert is_blind(workspace, sheet.id)
    *_, view = blind._press("en", PAGE, sheet.id, 1, press("reveal-yes", "-"))
    assert TUNED.fingerprint in view and ": first · 20</h4>" in view
    assert not re.findall(r'data-action="(best|tie|bad|unsafe)"(?![^>]*disabled)', view)


def test_a_late_look_does_not_turn_the_page_back(workspace: Workspace, blind: BlindPanel) -> None:
    """A tick that began at row 1 came back when the person was at row 2."""
    sheet = put_sheet(workspace)
    rated(blind, sheet)
    blind._press("en", PAGE, sheet.id, 0, press("turn", "1"))
    assert blind.show("en", PAGE, sheet.id, 0, False) == [gr.skip(), gr.skip()]
    assert "Fever?" in blind.show("en", PAGE, sheet.id, 1, False)[1]
    assert "Tired" in blind.show("en", OTHER_PAGE, sheet.id, 0, False)[1]


# --- Ask many -----------------------------------------------------------------------------------


def test_a_list_that_is_rated_blind_hides_its_table(workspace: Workspace, many: ManyPanel) -> None:
    sheet = put_sheet(workspace)
    opened = (sheet.id, 0)
    cards, table = many.show("en", PAGE, opened)
    assert "Rate blind" in cards and "CSV" in cards
    assert "first · 20 on 0" in table and TUNED.fingerprint in table
    with gr.Blocks():
        blind = BlindPanel(Words("en"), workspace, FakeBench(), AskingMany())
    rated(blind, sheet)
    cards, table = many.show("en", PAGE, opened)
    assert "on 0" not in table and "rated blind" in table and "CSV" not in cards
    with pytest.raises(EngineError, match="blind"):
        many._press("en", PAGE, opened, press("csv", sheet.id))
    reveal(workspace, sheet.id)
    assert "first · 20 on 0" in many.show("en", PAGE, opened)[1]


def test_a_table_is_read_page_by_page(workspace: Workspace, many: ManyPanel) -> None:
    questions = [Question(f"<b>q {number}</b>") for number in range(7)]
    sheet = put_sheet(workspace, questions=questions)
    *_, table = many.show("en", PAGE, (sheet.id, 0))
    assert table.count("<tr data-key") == 5 and "&lt;b&gt;q 0" in table
    table, turned = many._turn("en", PAGE, (sheet.id, 0), press("turn", "5"))
    assert turned == (sheet.id, 5) and table.count("<tr data-key") == 2
    late = many.show("en", PAGE, (sheet.id, 0))[1]
    assert late == gr.skip(), "the page has turned since"


def test_a_list_is_begun_and_deleted(workspace: Workspace, many: ManyPanel) -> None:
    inputs = ("typed", "Tired?\nFever?", None, 30, None, "evening round")
    cards, name = many._start("en", inputs, Settings.greedy())
    (sheet,) = list_sheets(workspace)
    assert (sheet.title, sheet.count, name) == ("evening round", 2, "")
    assert "evening round" in cards
    cards, *_ = many._press("en", PAGE, (sheet.id, 0), press("delete", sheet.id))
    assert list_sheets(workspace) == [] and "No list" in cards
    with pytest.raises(EngineError, match="no question"):
        many._start("en", ("file", "", None, 30, None, ""), Settings.greedy())


# --- What is shown ------------------------------------------------------------------------------


def said(column: Contestant, text: str) -> LastAnswer:
    return LastAnswer(column, "Tired?", "hm", text)


def test_differences_are_told_by_more_than_colour() -> None:
    view = differences([said(BASE, "Give iron."), said(TUNED, "Give <b>.")], BASE.key, "en")
    assert '<ins><span class="mt-heard">added: </span>&lt;b&gt;</ins>' in view
    assert '<del><span class="mt-heard">removed: </span>iron</del>' in view
    assert view.index("demo, with which") < view.index("first · 20")
    assert "empty" in differences([said(BASE, "Rest.")], BASE.key, "en")
    assert "The same, word for word." in differences(
        [said(BASE, "Rest."), said(TUNED, "Rest.")], TUNED.key, "en"
    )


def test_reasoning_is_compared_when_asked_for() -> None:
    old, new = said(BASE, "Rest."), LastAnswer(TUNED, "Tired?", "no", "Rest.")
    assert "<ins><span" not in differences([old, new], BASE.key, "en")
    assert "<ins><span" in differences([old, new], BASE.key, "en", reasoning=True)


def test_a_prompt_is_shown_as_text_and_as_tokens() -> None:
    tokens = [(1, "<s>"), (7, " Tired"), (8, "\n")]
    prompt = Prompt(BASE, "<s> Tired\n", tokens, "deepseekr1", sent=True)
    assert "&lt;s&gt; Tired\n</div>" in prompt_view(prompt, "en", as_tokens=False)
    view = prompt_view(prompt, "en", as_tokens=True)
    assert view.count('class="mt-token"') == 3 and 'title="7"' in view
    assert "3 tokens · template deepseekr1" in view
    many_tokens = Prompt(BASE, "", [(1, "x")] * 7000, "", sent=False)
    assert "1,000 tokens in the middle" in prompt_view(many_tokens, "en", as_tokens=True)


def test_a_reference_says_where_it_is_from() -> None:
    question = Question("q", "validation", "notes", 7, "<think>\nhm\n</think>\n\nRest.")
    view = reference_view(question, "en")
    assert "validation, not trained on: notes, row 7" in view
    assert "<details>" in view and "Rest." in view
    assert "no reference" in reference_view(Question("q", "own"), "en")


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_tally_says_what_the_figures_mean(workspace: Workspace, language: str) -> None:
    questions = [Question(f"q {number}") for number in range(8)]
    sheet = put_sheet(workspace, [BASE, TUNED], questions)
    with gr.Blocks():
        panel = BlindPanel(Words("en"), workspace, FakeBench(), AskingMany())
    rated(panel, sheet)
    ballot = ballot_of(workspace, sheet.id)
    assert ballot is not None
    for number in range(8):
        say(workspace, sheet, number, "best", ballot.order(number, 2).index(1))
    mark(workspace, sheet, 0, ballot.order(0, 2).index(0), "unsafe")
    reveal(workspace, sheet.id)
    view = tally_view(tally(all_votes(workspace)), language)
    meaning = {"en": "better than chance explains (8 votes)", "zh": "更好，超出偶然范围（8 票）"}
    assert meaning[language] in view and "100%" in view
    assert TUNED.fingerprint in view
