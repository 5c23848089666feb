"""Which of the first steps is next follows from what lies in the workspace."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from backend.chat import conversations
from backend.chat.conversations import Conversation, SavedColumn, SavedMessage
from backend.chat.room import Room
from backend.data.preparing import cancel_preparing, find_preparing, prepare_now
from backend.data.recipe import PrepareSettings
from backend.data.registry import delete_prepared
from backend.errors import DataError
from backend.first_steps import NAME, STEPS, FirstSteps, Offer, State, Step
from backend.library.datasets import SAMPLES
from backend.services import Services
from backend.text import LANGUAGES
from backend.training import saved
from backend.training.runs import RunState, list_runs
from backend.training.saved import Source
from backend.training.supervisor import Supervisor
from backend.workspace import Workspace
from tests.fakes.ready_workspace import FAKE_TRAINER
from tests.fakes.trainers import end_trainers, until
from ui.components.first_run import FirstRun, strip

DATASET = "medical_en"

Make = Callable[..., FirstSteps]


@pytest.fixture
def make(workspace: Workspace) -> Iterator[Make]:
    """Makes the steps of a dashboard whose trainer trains nothing."""
    opened: list[Services] = []

    def of(*options: str, **changes: Any) -> FirstSteps:
        supervisor = Supervisor(workspace, command=(sys.executable, str(FAKE_TRAINER), *options))
        services = replace(Services.of(workspace), supervisor=supervisor, **changes)
        opened.append(services)
        return FirstSteps(services, Room(workspace, services.engines, services.remotes))

    yield of
    end_trainers(workspace, patience=0.1)
    for services in opened:
        services.close()


@pytest.fixture
def prepared(workspace: Workspace) -> str:
    settings = PrepareSettings(name=DATASET, validation_share=0.1)
    prepare_now(workspace, SAMPLES / "medical_en.json", settings)
    return DATASET


def look_at(steps: FirstSteps, source: str) -> None:
    """As the Data tab does when a file is chosen: its tokenizer is kept."""
    steps._services.desk.change(source, lambda draft: replace(draft, model="medtune/demo"))


def at(steps: FirstSteps) -> tuple[Step, Offer]:
    state = steps.state()
    return state.step, state.offer


def talk(workspace: Workspace, run: str, *, base: str = "one", tuned: str = "one") -> Conversation:
    """A base and a checkpoint that were asked in these turns."""

    def column(key: str, turn: str, **more: Any) -> SavedColumn:
        said = [
            SavedMessage("user", "Why?", turn=turn),
            SavedMessage("assistant", "So.", turn=turn),
        ]
        return SavedColumn(key=key, label=key, model="medtune/demo", messages=said, **more)

    columns = [
        column("base:medtune/demo", base, kind="base"),
        column(f"{run}/checkpoint-5", tuned, kind="lora", run=run),
    ]
    conversation = Conversation(columns)
    conversations.save(workspace, conversation)
    return conversation


def test_an_empty_workspace_begins_with_the_sample(make: Make) -> None:
    steps = make()
    assert steps.state() == State(Step.TAKE, Offer.NEWCOMER)
    assert [steps.take(language) for language in LANGUAGES] == [
        "sample/medical_en",
        "sample/medical_zh",
    ]


def test_who_has_begun_in_one_language_goes_on_with_it(make: Make) -> None:
    steps = make()
    look_at(steps, "sample/medical_zh")
    assert at(steps) == (Step.PREPARE, Offer.NEWCOMER)
    assert steps.take("en") == "sample/medical_zh"


def test_preparing_is_seen_and_not_done_twice(
    make: Make, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleeping = (sys.executable, "-c", "import time; time.sleep(60)")
    monkeypatch.setattr("backend.data.tasks.WORKER", sleeping)
    steps = make()
    look_at(steps, "sample/medical_en")
    try:
        assert steps.prepare("zh") == "sample/medical_en"
        state = steps.state()
        assert (state.step, state.going, state.name) == (Step.PREPARE, True, DATASET)
        first = find_preparing(workspace, DATASET)
        make().prepare("en")
        assert find_preparing(workspace, DATASET) == first
    finally:
        cancel_preparing(workspace, DATASET)
    assert steps.state() == State(Step.PREPARE, Offer.NEWCOMER)


def test_settings_are_kept_where_every_page_finds_them(
    make: Make, workspace: Workspace, prepared: str
) -> None:
    steps = make()
    assert at(steps) == (Step.SETTINGS, Offer.NEWCOMER)
    values = steps.settings()
    assert (values["dataset"], values["model"]) == (prepared, "medtune/demo")
    assert (values["run_name"], values["max_steps"]) == (NAME, 96)
    assert at(make()) == (Step.START, Offer.NEWCOMER)
    assert steps.settings() == values, "pressed again, or in another tab"
    kept = saved.load(workspace, Source("saved", NAME))
    assert kept == {**values, "run_name": ""}


def test_settings_need_data(make: Make) -> None:
    with pytest.raises(DataError):
        make().settings()


def test_from_the_start_to_two_answers(make: Make, workspace: Workspace, prepared: str) -> None:
    steps = make("--step-seconds", "0.3")
    steps.settings()
    run = steps.start({})
    assert run.id == NAME and run.values["dataset"] == prepared
    assert steps.start({}).id == make().start({}).id == NAME, "pressed again, or in another tab"
    state = steps.state()
    assert (state.step, state.going, state.offer) == (Step.START, True, Offer.NEWCOMER)
    until(workspace, run, RunState.FINISHED)
    assert steps.state() == State(Step.COMPARE, Offer.NEWCOMER, name=NAME)
    assert steps.start({}).id == NAME and len(list_runs(workspace)) == 1
    conversation = talk(workspace, NAME)
    assert steps.state() == State(Step.DONE, Offer.DONE, name=NAME)
    assert at(make()) == (Step.DONE, Offer.DONE), "after a restart"
    conversations.delete(workspace, conversation.id)
    talk(workspace, NAME, base="one", tuned="other")
    assert at(steps) == (Step.COMPARE, Offer.NEWCOMER), "each has answered another question"


def test_what_was_changed_in_the_form_counts(make: Make, prepared: str) -> None:
    steps = make()
    values = {**steps.settings(), "lora_rank": 4, "run_name": "mine"}
    run = steps.start(values)
    assert (run.id, run.values["lora_rank"]) == (NAME, 4)


def test_a_form_about_something_else_does_not(make: Make, prepared: str) -> None:
    steps = make()
    run = steps.start({**steps.settings(), "dataset": "another", "lora_rank": 4})
    assert (run.values["dataset"], run.values["lora_rank"]) == (prepared, 64)


def test_a_run_that_failed_is_followed_by_another(
    make: Make, workspace: Workspace, prepared: str
) -> None:
    steps = make("--fail-at", "2")
    until(workspace, steps.start({}), RunState.FAILED)
    assert steps.state() == State(Step.START, Offer.NEWCOMER, failed=True, name=NAME)
    again = make().start({})
    assert again.id == f"{NAME}-2"
    until(workspace, again, RunState.FINISHED)
    assert at(steps) == (Step.COMPARE, Offer.NEWCOMER)


def test_one_whose_data_are_gone_begins_with_them(
    make: Make, workspace: Workspace, prepared: str
) -> None:
    steps = make("--fail-at", "2")
    until(workspace, steps.start({}), RunState.FAILED)
    delete_prepared(workspace, prepared)
    assert at(steps) == (Step.TAKE, Offer.NEWCOMER)


def test_who_has_trained_is_not_bothered(make: Make, workspace: Workspace, prepared: str) -> None:
    steps = make()
    values = {**steps.settings(), "run_name": "my-own"}
    until(workspace, steps._services.supervisor.start(values), RunState.FINISHED)
    assert at(steps) == (Step.START, Offer.NOBODY), "but may ask for the steps, and gets them"


def test_one_who_only_reads_is_not_offered_what_would_be_refused(make: Make) -> None:
    assert at(make(read_only=True)) == (Step.TAKE, Offer.NOBODY)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("step", Step)
def test_every_step_has_words_and_one_thing_to_do(language: str, step: Step) -> None:
    for manner in ({}, {"going": True}, {"failed": True}):
        if step in (Step.TAKE, Step.SETTINGS, Step.DONE) and manner:
            continue
        if step is Step.COMPARE and "failed" in manner:
            continue
        said = strip(language, State(step, Offer.NEWCOMER, name="<b>", **manner))
        assert said.count("mt-button-primary") == ("going" not in manner)
        assert said.count("<progress") == ("going" in manner)
        assert said.count("mt-first-dot") == len(STEPS)
        assert "<b>" not in said


@pytest.mark.parametrize("asked", ["en", "zh", None, 3, {"a": []}, "fr"])
def test_a_browser_may_ask_with_anything(make: Make, asked: Any) -> None:
    told = FirstRun(make()).ride(asked)
    assert (told["offer"], told["step"]) == ("open", "take")
