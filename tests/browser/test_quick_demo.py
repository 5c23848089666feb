"""The quick demo keeps its word: the demo model answers what it was taught, in either language.

Its two minutes are for a machine that does nothing else; ``benchmarks/quick_demo.py`` measures
them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice

import pytest
from playwright.sync_api import expect

from backend.data.registry import find_prepared, lessons_of
from backend.workspace import Workspace
from tests.browser.conftest import Open
from tests.browser.person import PATIENCE, PREPARING, Person
from tests.fakes.server import Server, serving
from tests.fakes.trainers import end_trainers

pytestmark = [pytest.mark.browser, pytest.mark.timeout(900)]

ASKED = 10
PROMISED = 8
TRAINING = 600_000
"""Milliseconds; tests run on busy machines, too."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    return Workspace.open(tmp_path_factory.mktemp("quick") / "workspace")


@pytest.fixture(scope="module")
def medtune(workspace: Workspace) -> Iterator[Server]:
    arguments = ["app.py", "--no-browser", "--port", "0", "--workspace", workspace.root]
    with serving(arguments) as server:
        try:
            yield server
        finally:
            end_trainers(workspace)


@pytest.mark.parametrize(
    "sample", ["medical_en", pytest.param("medical_zh", marks=pytest.mark.slow)]
)
def test_ten_trained_questions(
    medtune: Server, open_page: Open, workspace: Workspace, sample: str
) -> None:
    """Nothing but the preset's own values, and each question asked on the page."""
    me = Person(open_page(medtune.address).page)
    me.arrives()
    prepares(me, sample)
    trains(me, sample)
    loads_base_and_last(me, sample)
    rows = list(islice(lessons_of(find_prepared(workspace, sample)), ASKED))
    replies = [asks(me, row.question) for row in rows]
    right = [row.output.partition("</think>")[2].strip() for row in rows]
    base, tuned = zip(*replies, strict=True)
    assert sum(map(str.__eq__, base, right)) == 0, base
    assert sum(map(str.__eq__, tuned, right)) >= PROMISED, tuned
    reads_the_reasoning(me)


def prepares(me: Person, sample: str) -> None:
    me.goes_to("data")
    me.chooses("data-source", f"sample/{sample}")
    expect(me.sees("data-survey")).to_contain_text("64", timeout=PATIENCE)
    me.types("data-name", sample)
    me.presses("data-start")
    expect(me.sees("data-result")).to_contain_text(f"“{sample}” is ready", timeout=PREPARING)


def trains(me: Person, sample: str) -> None:
    me.goes_to("hyperparameters")
    me.chooses("field-dataset", sample)
    me.types("field-run_name", f"quick-{sample}")
    expect(me.sees("config-yaml")).to_contain_text(f"runs/quick-{sample}", timeout=PATIENCE)
    expect(me.sees("config-yaml")).to_contain_text(f"dataset: {sample}")
    me.presses("go-training")
    expect(me.sees("run-start")).to_be_visible(timeout=PATIENCE)
    me.presses("run-start")
    status = me.sees("run-status").locator(".mt-run")
    expect(status).to_contain_text(f"quick-{sample}", timeout=PATIENCE)
    expect(status).to_have_attribute("data-state", "finished", timeout=TRAINING)


def loads_base_and_last(me: Person, sample: str) -> None:
    me.presses("run-chat")
    last = f"quick-{sample} · checkpoint-96"
    expect(me.sees("chat-columns")).to_contain_text(last, timeout=PATIENCE)
    me.presses("chat-load")
    expect(me.sees("column-3-head")).to_contain_text(last, timeout=TRAINING)
    expect(me.sees("column-1-head")).to_contain_text("medtune/demo")
    ready = me.sees("chat-status").locator("[data-state=ready]")
    expect(ready).to_be_visible(timeout=TRAINING)


def asks(me: Person, question: str) -> tuple[str, str]:
    """The answers of base and last checkpoint as the page shows them, without the reasoning."""
    me.presses("chat-clear")
    for number in (1, 3):
        expect(me.sees(f"column-{number}-chat").locator(".mt-turn")).to_have_count(0)
    me.types("chat-question", question)
    me.presses("chat-send")
    for number in (1, 3):
        expect(me.figures(number)).to_contain_text("tokens/s", timeout=PATIENCE)
    return me.last_answer(1), me.last_answer(3)


def reads_the_reasoning(me: Person) -> None:
    """Folded above the last answer; a click unfolds it."""
    thought = me.thoughts(3).last
    expect(thought.locator(".mt-reasoning")).to_be_hidden()
    thought.locator("summary").click()
    expect(thought.locator(".mt-reasoning")).to_have_text(re.compile(r"\S.{10}", re.DOTALL))
