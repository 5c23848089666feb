"""What is beside the conversation, with a real engine: ask, differ, rate blind, reveal, export."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from backend.chat.votes import all_votes
from backend.workspace import Workspace
from tests.browser.conftest import Open
from tests.browser.person import Person
from tests.fakes.chat_workspace import make_compared
from tests.fakes.server import Server, serving

pytestmark = [pytest.mark.browser, pytest.mark.timeout(600)]

LOADING = 300_000
NAMES = ("checkpoint-10", "checkpoint-20")


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return make_compared(Workspace.open(tmp_path / "workspace"))


@pytest.fixture
def server(workspace: Workspace) -> Iterator[Server]:
    with serving(["app.py", "--no-browser", "--port", "0", "--workspace", workspace.root]) as one:
        yield one


def test_checkpoints_are_asked_compared_and_rated_blind(
    server: Server, open_page: Open, workspace: Workspace, tmp_path: Path
) -> None:
    me = Person(open_page(server.address).page)
    me.arrives()
    me.goes_to("chat")
    expect(me.sees("chat-columns").locator(".token")).to_have_count(3)
    me.presses("chat-load")
    expect(me.sees("chat-status").locator("[data-state=ready]")).to_be_visible(timeout=LOADING)
    me.sees("chat-settings").locator(".label-wrap").click()
    me.types("chat-max_tokens", "12")
    takes_a_question_with_its_reference(me)
    sees_the_prompt_and_the_differences(me)
    asks_many(me)
    rates_blind(me)
    takes_the_votes_to_the_data_tab(me, workspace)
    assert "Traceback" not in server.output()


def tool(me: Person, name: str) -> Locator:
    """A tool by its place, opened."""
    number = ("questions", "difference", "prompt", "many", "blind").index(name)
    me.sees("chat-tools").get_by_role("tab").nth(number).click()
    return me.sees(f"chat-tool-{name}")


def takes_a_question_with_its_reference(me: Person) -> None:
    questions = tool(me, "questions")
    questions.get_by_label("Validation rows").check()
    first = questions.locator("#questions li").first
    expect(first).to_contain_text("validation, not trained on: notes-split, row 1")
    first.get_by_role("button").click()
    expect(me.sees("chat-reference")).to_contain_text("Reference answer")
    expect(me.sees("chat-reference")).to_contain_text("helps against")
    assert me.value_of("chat-question").startswith("What helps against")


def sees_the_prompt_and_the_differences(me: Person) -> None:
    prompt = tool(me, "prompt")
    me.presses("prompt-show")
    expect(prompt.locator(".mt-prompt")).to_contain_text("What helps against")
    prompt.get_by_label("Tokens").check()
    expect(prompt.locator(".mt-token").first).to_be_visible()
    me.presses("chat-send")
    expect(me.page.locator(".mt-stats").filter(has_text="tokens/s")).to_have_count(3)
    difference = tool(me, "difference")
    me.presses("difference-show")
    expect(difference.locator("section")).to_have_count(3)
    expect(difference.locator("section ins, section del").first).to_be_visible()


def asks_many(me: Person) -> None:
    """The browser goes and comes again: the asking has gone on."""
    many = tool(me, "many")
    me.types("many-typed", "Tired?\nFever?\n")
    me.types("many-name", "evening round")
    me.presses("many-start")
    card = many.locator("article")
    expect(card).to_contain_text("evening round")
    me.page.reload()
    me.arrives()
    me.goes_to("chat")
    tool(me, "many")
    expect(card).to_have_attribute("data-state", "complete")
    expect(card).to_contain_text("6 of 6 answers")
    card.locator("[data-action=open]").click()
    table = many.locator(".mt-sheet")
    expect(table.locator("tbody tr")).to_have_count(2)
    expect(table).to_contain_text(NAMES[0])
    card.locator("[data-action=csv]").click()
    with me.page.expect_download() as download:
        me.presses("many-download")
    written = download.value.path().read_text(encoding="utf-8-sig")
    assert written.splitlines()[0].startswith("number,origin") and "Tired?" in written


def rates_blind(me: Person) -> None:
    """By keys, and nothing on the page says who is who before the reveal."""
    me.sees("many").locator("[data-action=rate]").click()
    row = me.sees("blind").locator(".mt-blind")
    expect(row).to_have_attribute("data-row", "0")
    expect(row.locator("section")).to_have_count(3)
    expect(me.sees("many-table").locator("table")).to_have_count(0)
    for name in (*NAMES, "tokens/s", "adapter", "fingerprint"):
        assert name not in me.sees("chat-tool-blind").inner_html()
    row.locator("[data-action=unsupported]").last.click()
    expect(row.locator("[data-action=unsupported]").last).to_have_attribute("aria-pressed", "true")
    me.page.keyboard.press("1")
    expect(row).to_have_attribute("data-row", "1")
    me.page.keyboard.press("t")
    expect(row).to_contain_text("2 of 2 rated")
    row.locator("[data-action=reveal]").click()
    row.locator("[data-action=reveal-yes]").click()
    expect(row).to_have_attribute("data-revealed", "yes")
    for name in NAMES:
        expect(row).to_contain_text(name)


def takes_the_votes_to_the_data_tab(me: Person, workspace: Workspace) -> None:
    me.sees("chat-tally").locator(".label-wrap").click()
    expect(me.sees("tally").locator("tbody tr")).to_have_count(3)
    votes = all_votes(workspace)
    assert sorted(vote.verdict for vote in votes) == ["best", "tie"]
    assert all(len(one.column.fingerprint) == 12 for vote in votes for one in vote.answers)
    # Twelve tokens of an untrained model come to no end, so that nothing of them is taught.
    me.presses("tally-pairs")
    me.is_told("No revealed vote prefers an answer that can be taught")
