"""The first steps keep their word: five clicks lead from an empty workspace to the answers of base
and trained model side by side, and the trained one answers what it was taught, in either language.

The quick demo's two minutes are for a machine that does nothing else; ``benchmarks/quick_demo.py``
measures them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import pytest
from playwright.sync_api import Browser, Locator, expect

from backend.data.registry import find_prepared, lessons_of
from backend.training.runs import list_runs
from backend.workspace import Workspace
from tests.browser.conftest import Open
from tests.browser.person import PATIENCE, PREPARING, Person
from tests.browser.steadiness import MOST, shift_of, watch_shifts
from tests.fakes.server import Server, serving
from tests.fakes.trainers import end_trainers

pytestmark = [pytest.mark.browser, pytest.mark.timeout(1200)]

ASKED = 10
PROMISED = 8
TRAINING = 600_000
"""Milliseconds; tests run on busy machines, too."""

TABS = ("download", "data", "hyperparameters", "training", "chat")

SPEED = re.compile(r"tokens?/")
"""It is told when an answer has ended, in either language."""

LOCALES = {"medical_en": "en-US", "medical_zh": "zh-CN"}


@pytest.fixture(
    scope="module",
    params=["medical_en", pytest.param("medical_zh", marks=pytest.mark.slow)],
)
def sample(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def workspace(sample: str, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.open(tmp_path_factory.mktemp("quick") / "workspace")


@pytest.fixture(scope="module")
def medtune(workspace: Workspace) -> Iterator[Server]:
    arguments = ["app.py", "--no-browser", "--port", "0", "--workspace", workspace.root]
    with serving(arguments) as server:
        try:
            yield server
        finally:
            end_trainers(workspace)


def test_five_clicks_to_ten_questions(
    medtune: Server, open_page: Open, workspace: Workspace, sample: str
) -> None:
    """Nothing but the preset's own values, and each question asked on the page."""
    me = Person(open_page(medtune.address, locale=LOCALES[sample]).page)
    me.arrives()
    hides_and_recalls(me)
    clicks(me, "take", leads_to="data")
    expect(me.sees("data-survey")).to_contain_text("64")
    clicks(me, "prepare", leads_to="data", patience=PREPARING)
    clicks(me, "settings", leads_to="hyperparameters", patience=PREPARING)
    expect(me.sees("config-yaml")).to_contain_text(f"dataset: {sample}")
    expect(me.sees("config-yaml")).to_contain_text("runs/quick-demo")
    clicks(me, "start", leads_to="training", times=2)
    status = me.sees("run-status").locator(".mt-run")
    expect(status).to_contain_text("quick-demo", timeout=PATIENCE)
    finds_it_again_in_the_middle(me)
    clicks(me, "compare", leads_to="chat", patience=TRAINING)
    assert [run.id for run in list_runs(workspace)] == ["quick-demo"]
    rows = list(islice(lessons_of(find_prepared(workspace, sample)), ASKED))
    first = answers(me, rows[0].question, patience=TRAINING)
    is_done(me)
    replies = [first, *(asks(me, row.question) for row in rows[1:])]
    right = [row.output.partition("</think>")[2].strip() for row in rows]
    base, tuned = zip(*replies, strict=True)
    assert sum(map(str.__eq__, base, right)) == 0, base
    assert sum(map(str.__eq__, tuned, right)) >= PROMISED, tuned
    reads_the_reasoning(me)


def test_a_page_with_a_run_stays_where_it_is(
    medtune: Server, browser: Browser, sample: str
) -> None:
    """What is asked for when a tab is opened pushed the rest of it down: by a third of the window
    in Chat. And the tabs stood where the header was to come."""
    context = browser.new_context(locale=LOCALES[sample], viewport={"width": 1440, "height": 900})
    try:
        watch_shifts(context)
        me = Person(context.new_page())
        me.opens(medtune.address)
        for tab in TABS:
            if tab != TABS[0]:
                me.goes_to(tab)
            me.page.wait_for_timeout(2000)  # until the last of what it asked for has come
            moved, worst = shift_of(me.page)
            assert moved < MOST, (tab, worst)
        expect(me.sees("column-2-chat").locator(".mt-turn")).not_to_have_count(0)
        expect(me.sees("first-run")).to_be_hidden()
        me.leaves()
    finally:
        context.close()


def step(me: Person, name: str) -> Locator:
    return me.sees("first-run").locator(f"button[data-step={name}]")


def hides_and_recalls(me: Person) -> None:
    """Hidden it stays hidden, until it is called back from below the page."""
    expect(step(me, "take")).to_be_enabled()
    step(me, "hide").click()
    expect(me.sees("first-run")).to_be_hidden()
    me.page.reload()
    me.arrives()
    expect(me.sees("first-run")).to_be_hidden()
    me.sees("note").get_by_role("button").click()
    expect(me.sees("first-run")).to_be_visible()


def clicks(
    me: Person, name: str, *, leads_to: str, patience: float = PATIENCE, times: int = 1
) -> None:
    button = step(me, name)
    expect(button).to_be_enabled(timeout=patience)
    button.click(click_count=times)
    expect(me.sees(f"tab-{leads_to}")).to_be_visible()


def finds_it_again_in_the_middle(me: Person) -> None:
    """A reload, and another tab of the browser: both wait for the same run."""
    me.page.reload()
    other = Person(me.page.context.new_page())
    other.opens(me.page.url)
    for one in (me, other):
        expect(one.sees("first-run").locator("progress")).to_be_visible()
        expect(one.sees("first-run")).to_contain_text("quick-demo")
        expect(step(one, "start")).to_have_count(0)
    other.page.close()


def is_done(me: Person) -> None:
    """All of it: said once, and gone with the next page."""
    expect(step(me, "done")).to_be_visible()
    step(me, "hide").click()
    expect(me.sees("first-run")).to_be_hidden()


def asks(me: Person, question: str) -> tuple[str, str]:
    """The answers of base and last checkpoint as the page shows them, without the reasoning."""
    me.presses("chat-clear")
    for number in (1, 2):
        expect(me.sees(f"column-{number}-chat").locator(".mt-turn")).to_have_count(0)
    me.types("chat-question", question)
    me.presses("chat-send")
    return answers(me, question)


def answers(me: Person, question: str, *, patience: float = PATIENCE) -> tuple[str, str]:
    for number in (1, 2):
        expect(me.figures(number)).to_contain_text(SPEED, timeout=patience)
        expect(me.sees(f"column-{number}-chat")).to_contain_text(question)
    return me.last_answer(1), me.last_answer(2)


def reads_the_reasoning(me: Person) -> None:
    """Folded above the last answer; a click unfolds it."""
    thought = me.thoughts(2).last
    expect(thought.locator(".mt-reasoning")).to_be_hidden()
    thought.locator("summary").click()
    expect(thought.locator(".mt-reasoning")).to_have_text(re.compile(r"\S.{10}", re.DOTALL))
