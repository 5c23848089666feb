"""Conversations with columns from elsewhere: a key refused, answers that are hostile, edited, asked
again, stopped, moved, kept, found, exported and deleted; and rated blind.

The models are a scripted server's, so that what they say and how long is known, and no engine is
loaded.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.bad_line import BadLine
from tests.browser.conftest import Open, wait_until
from tests.browser.person import PATIENCE, Person
from tests.fakes.openai_server import DONE, Act, Scripted, Talk, chunk, status, streams
from tests.fakes.openai_server import serving as scripted
from tests.fakes.server import Server, serving

pytestmark = [pytest.mark.browser, pytest.mark.timeout(300)]

KEY = "the-right-key"
HOSTILE = "<img src=x onerror='window.ran = 1'><script>window.ran = 2</script>"
WITHIN = 1500
"""Milliseconds from a press of Stop until the page shows it: a second, and a busy machine."""


def says(words: str) -> Sequence[Act]:
    text = f"<think>\nhm\n</think>\n\n{words} **bold** {HOSTILE} and $x^2$."
    return [status(200), streams(chunk(text), chunk(finish="stop"), DONE)]


def writes_on(talk: Talk) -> None:
    """Until whoever asked has left, or five minutes."""
    for _ in range(3000):
        streams(chunk("on "))(talk)
        time.sleep(0.1)


@pytest.fixture(scope="module")
def models() -> Iterator[Scripted]:
    scripts = {"alpha": says("Rest."), "beta": says("Ferritin."), "gamma": [status(200), writes_on]}
    with scripted(**scripts) as server:
        server.key = KEY
        yield server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("conversation")
    command = ["app.py", "--no-browser", "--port", "0", "--workspace", folder / "workspace"]
    with serving(command, env={"XDG_CONFIG_HOME": str(folder)}) as one:
        yield one


def test_a_conversation_from_its_first_key_to_its_end(
    server: Server, models: Scripted, open_page: Open, tmp_path: Path
) -> None:
    opened = open_page(server.address)
    me = Person(opened.page)
    me.page.set_default_timeout(PATIENCE)
    me.arrives()
    me.goes_to("chat")
    adds_columns(me, models)
    asks_and_is_not_attacked(me)
    edits_asks_again_and_takes_back(me)
    moves_and_stops_while_answers_come(me, models)
    finds_exports_and_deletes(me)
    rates_blind_without_names(me)
    assert "Traceback" not in server.output()


def adds_columns(me: Person, models: Scripted) -> None:
    """A wrong key is refused in words and can be typed anew; this machine needs no consent."""
    me.sees("chat-columns").locator(".token-remove.remove-all").click()
    me.sees("chat-elsewhere").locator(".label-wrap").click()
    me.types("chat-address", models.url)
    me.types("chat-key", "another")
    me.presses("chat-ask-models")
    me.is_told("refuses the key (status 401)")
    me.types("chat-key", KEY)
    for name in ("alpha", "beta"):
        adds(me, models, name)
    me.presses("chat-load")
    expect(columns(me)).to_have_count(2)


def adds(me: Person, models: Scripted, name: str) -> None:
    me.types("chat-address", models.url)
    me.presses("chat-ask-models")
    expect(me.sees("chat-add-remote")).to_be_visible()
    expect(me.sees("chat-agree")).to_be_hidden()
    me.chooses("chat-remote-model", name)
    me.presses("chat-add-remote")
    expect(me.sees("chat-servers")).to_contain_text(f"{name} — {models.url} · with a key")
    # It may have been there before; the box is emptied by the answer.
    expect(me.page.locator("#chat-address input, #chat-address textarea")).to_have_value("")


def columns(me: Person) -> Locator:
    return me.page.locator(".mt-column")


def questions(me: Person, column: int) -> Locator:
    return columns(me).nth(column).locator(".mt-turn:not(.mt-live-turn) .mt-question")


def asks(me: Person, question: str, turns: int) -> None:
    me.types("chat-question", question)
    me.presses("chat-send")
    for column in range(columns(me).count()):
        expect(questions(me, column)).to_have_count(turns)
    expect(me.page.locator(".mt-live-turn")).to_have_count(0)
    # The board may show it before the press has been answered, and a second one would be none.
    expect(me.page.locator("#chat-question textarea")).to_have_value("")


def asks_and_is_not_attacked(me: Person) -> None:
    me.listens()
    asks(me, f"Tired? {HOSTILE}", 1)
    ended = re.compile("(alpha|beta).*: the answer has ended")
    wait_until(lambda: len(list(filter(ended.match, me.hears()))) == 2, "both ends are heard")
    assert not any("Tired" in said for said in me.hears()), "an answer is not read out as it comes"
    for place in (me.page.locator(".mt-question").first, me.page.locator(".mt-answer").first):
        expect(place).to_contain_text("onerror='window.ran = 1'")
    expect(me.page.locator(".mt-answer strong")).to_have_text(["bold", "bold"])
    expect(me.page.locator(".mt-answer .katex").first).to_be_visible()
    assert me.page.evaluate("window.ran") is None


def edits_asks_again_and_takes_back(me: Person) -> None:
    asks(me, "And then?", 2)
    edit(me, 1, 0, "Pale?", "send_here")
    expect(questions(me, 1)).to_have_text(["Pale?"])
    expect(questions(me, 0)).to_have_count(2)
    edit(me, 0, 1, "And tomorrow?", "send_all")
    expect(questions(me, 0).last).to_have_text("And tomorrow?")
    expect(questions(me, 1)).to_have_text(["Pale?"])
    columns(me).nth(1).locator("[data-action=regenerate]").click()
    expect(me.page.locator(".mt-live-turn")).to_have_count(0)
    expect(questions(me, 1)).to_have_text(["Pale?"])
    # The latest turn is that of the column which was asked again.
    me.presses("chat-undo")
    expect(questions(me, 1)).to_have_count(0)
    me.page.wait_for_timeout(500)  # so that it is no double click
    me.presses("chat-undo")
    expect(questions(me, 0)).to_have_count(1)


def edit(me: Person, column: int, turn: int, words: str, way: str) -> None:
    box = columns(me).nth(column)
    box.locator("[data-action=edit]").nth(turn).click()
    box.locator("textarea").fill(words)
    box.locator(f"[data-edit={way}]").click()


def moves_and_stops_while_answers_come(me: Person, models: Scripted) -> None:
    """Two that write without an end, beside each other and beside one that has ended."""
    adds(me, models, "gamma")
    me.presses("chat-load")
    expect(columns(me)).to_have_count(3)
    me.types("chat-question", "Go on")
    me.presses("chat-send")
    gamma = me.page.locator(".mt-column").filter(has_text="gamma")
    expect(gamma.locator(".mt-live-turn .mt-tail")).to_contain_text("on on")
    expect(questions(me, 0)).to_have_count(2)
    gamma.locator("[data-action=left]").click()
    expect(columns(me).nth(1)).to_contain_text("gamma")
    columns(me).nth(2).locator("[data-action=remove]").click()
    expect(columns(me)).to_have_count(2)
    expect(gamma.locator(".mt-live-turn")).to_have_count(1)
    gamma.locator("[data-action=stop]").click()
    expect(gamma.locator(".mt-live-turn")).to_have_count(0, timeout=WITHIN)
    expect(gamma.locator(".mt-stats").last).to_contain_text("stopped")
    gamma.locator("[data-action=regenerate]").click()
    expect(gamma.locator(".mt-live-turn .mt-tail")).to_contain_text("on on")
    me.presses("chat-stop")
    expect(gamma.locator(".mt-live-turn")).to_have_count(0, timeout=WITHIN)


def finds_exports_and_deletes(me: Person) -> None:
    me.presses("chat-clear")
    expect(questions(me, 0)).to_have_count(0)
    asks_one(me, "Iron?")
    me.sees("chat-saved").locator(".label-wrap").click()
    kept = me.sees("chat-saved-list").locator(".mt-job")
    expect(kept).to_have_count(2)
    for form, sign in (("md", "## "), ("json", '"messages"')):
        with me.page.expect_download() as download:
            kept.last.locator(f"[data-action={form}]").click()
        written = download.value.path().read_text(encoding="utf-8")
        assert "Tired?" in written and "Ferritin." in written and sign in written
    assert json.loads(written)["columns"]
    search = me.sees("chat-saved-search").locator("input, textarea").first
    search.fill("iron")
    expect(kept).to_have_count(1)
    search.fill("")
    expect(kept).to_have_count(2)
    kept.last.locator("[data-action=open]").click()
    expect(questions(me, 0).first).to_contain_text("Tired?")
    kept.filter(has_text="Iron?").locator("[data-action=delete]").click()
    kept.locator("[data-action=delete-now]").click()
    expect(kept).to_have_count(1)


def asks_one(me: Person, question: str) -> None:
    me.types("chat-question", question)
    me.chooses("chat-target", "alpha")
    me.presses("chat-send")
    expect(questions(me, 0)).to_have_count(1)


def rates_blind_without_names(me: Person) -> None:
    """While answers are read without names, the columns above have none either."""
    columns(me).filter(has_text="gamma").locator("[data-action=remove]").click()
    expect(columns(me)).to_have_count(1)
    me.adds("chat-columns", "beta")
    me.presses("chat-load")
    expect(columns(me)).to_have_count(2)
    me.sees("chat-tools").get_by_role("tab", name="Blind").click()
    me.types("blind-question", "Tired?")
    me.presses("blind-ask")
    row = me.sees("blind").locator(".mt-blind")
    expect(row.locator(".katex").first).to_be_visible()
    expect(columns(me).nth(0).get_by_text("alpha")).to_be_hidden()
    expect(me.page.locator(".mt-question").first).to_be_hidden()
    me.page.keyboard.press("t")
    expect(row.locator(".katex").first).to_be_visible()
    row.locator("[data-action=reveal]").click()
    row.locator("[data-action=reveal-yes]").click()
    expect(row).to_contain_text(re.compile("Answer A: (alpha|beta)"))
    expect(columns(me).nth(0).get_by_text("alpha")).to_be_visible()


def test_a_column_that_is_free_is_asked_while_another_one_answers(
    server: Server, models: Scripted, open_page: Open
) -> None:
    """Send did nothing then, without a word. And on a bad line what was typed meanwhile went away
    when the question before it had been taken."""
    me = Person(open_page(server.address).page)
    me.arrives()
    me.goes_to("chat")
    me.sees("chat-columns").locator(".token-remove.remove-all").click()
    me.sees("chat-elsewhere").locator(".label-wrap").click()
    me.types("chat-key", KEY)
    for name in ("gamma", "alpha"):
        adds(me, models, name)
    me.presses("chat-load")
    expect(columns(me).first).to_contain_text("gamma")
    me.chooses("chat-target", "gamma")
    me.types("chat-question", "Go on")
    line = BadLine(me, "chat-send")
    me.presses("chat-send")
    line.has_begun(1)
    me.types("chat-question", "Iron?")
    line.lets_go()
    expect(columns(me).first.locator(".mt-live-turn .mt-tail")).to_contain_text("on on")
    me.chooses("chat-target", "alpha")
    assert me.value_of("chat-question") == "Iron?"
    me.presses("chat-send")
    expect(questions(me, 1).last).to_have_text("Iron?")
    expect(me.page.locator("#chat-question textarea")).to_have_value("")
    expect(columns(me).first.locator(".mt-live-turn")).to_have_count(1)
    me.presses("chat-stop")
    expect(me.page.locator(".mt-live-turn")).to_have_count(0)
