"""What LLaMA-Factory's parser says, asked in the background; here a quick program stands for it."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.errors import HyperparameterError
from backend.training import acceptance
from backend.training.acceptance import Acceptance, Asking, Question, Verdict, known, question
from backend.training.preview import preview
from backend.training.schema import validation
from backend.training.sharding import deepspeed_settings
from backend.workspace import Workspace
from tests.fakes.ready_workspace import VALUES
from tests.fakes.trainers import Make
from ui.components.config_view import acceptance_view

PROGRAM = """
import json, pathlib, sys, time
config = json.load(sys.stdin)
calls = pathlib.Path(sys.argv[1])
calls.open("a").write("x")
time.sleep(float(config.get("wait", 0)))
if config.get("die"):
    sys.exit("no such library")
print("a word of a library")
print(json.dumps({"accepted": not config.get("bad"), "reason": config.get("bad", "")}))
"""


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    return tmp_path / "calls"


@pytest.fixture
def asker(workspace: Workspace, calls: Path) -> Iterator[Acceptance]:
    made = Acceptance(workspace, command=(sys.executable, "-c", PROGRAM, str(calls)))
    yield made
    made.stop()


def of(**config: Any) -> Question:
    return Question(config, False, f"{sorted(config.items())}")


def last(asker: Acceptance, asked: Question) -> Verdict | Asking | None:
    state = None
    for state in asker.watch(asked):
        assert isinstance(state, Asking | Verdict)
    return state


def test_an_answer_is_followed_and_kept(
    workspace: Workspace, asker: Acceptance, calls: Path
) -> None:
    asked = of(bad="Cannot use LoRA with GaLore.")
    assert asker.state(asked) is None
    assert last(asker, asked) == Verdict(False, "Cannot use LoRA with GaLore.")
    assert last(asker, asked) == Acceptance(workspace).state(asked) == known(workspace, asked)
    assert calls.read_text() == "x", "a repeat asks nobody"
    with pytest.raises(HyperparameterError, match="GaLore"):
        acceptance.check_known(workspace, asked)
    assert last(asker, of(good=1)) == Verdict(True)


def test_the_same_question_twice_is_one_and_another_takes_its_place(
    asker: Acceptance, calls: Path
) -> None:
    slow = of(wait=60)
    asker.ask(slow)
    asker.ask(slow)
    assert isinstance(asker.state(slow), Asking)
    assert last(asker, of(other=1)) == Verdict(True)
    assert asker.state(slow) is None
    assert len(calls.read_text()) <= 2


def test_a_run_that_starts_ends_the_asking(asker: Acceptance) -> None:
    slow = of(wait=60)
    watching = asker.watch(slow)
    assert isinstance(next(watching), Asking)
    asker.stop()
    assert list(watching) == []


def test_a_program_that_ends_without_an_answer_is_told_of(asker: Acceptance) -> None:
    with pytest.raises(HyperparameterError, match="no such library"):
        last(asker, of(die=True))


def test_only_so_many_answers_are_kept(
    workspace: Workspace, asker: Acceptance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(acceptance, "KEPT", 2)
    for number in range(4):
        last(asker, of(number=number))
        time.sleep(0.01)
    found = [number for number in range(4) if known(workspace, of(number=number))]
    assert found == [2, 3]


def test_a_question_is_the_same_for_the_same_training_under_another_name(
    ready: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def asked(**changes: Any) -> Question:
        found = preview(ready, {**VALUES, **changes})
        return question(ready, found.config, found.values)

    assert asked(run_name="one").key == asked(run_name="two").key
    assert asked().key != asked(seed=7).key
    assert not asked().together and asked(processes=2).together
    monkeypatch.setattr(validation, "is_installed", lambda _: True)
    sharded = asked(deepspeed="2")
    assert sharded.together and sharded.config["deepspeed"] == deepspeed_settings("2")


def test_what_llamafactory_refused_is_refused_at_the_start(ready: Workspace, make: Make) -> None:
    values = {**VALUES, "extra": "use_galore: true"}
    found = preview(ready, values)
    asked = question(ready, found.config, found.values)
    acceptance._keep(ready, asked, Verdict(False, "Cannot use LoRA with GaLore."))
    trainers = make()
    for refused in (trainers.check, trainers.start):
        with pytest.raises(HyperparameterError, match="Cannot use LoRA with GaLore"):
            refused(values)
    assert not list(ready.runs.glob("[!.]*"))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, ["llamafactory-cli", "train"]),
        ({"processes": 2}, ["FORCE_TORCHRUN=1", "NPROC_PER_NODE=2", "llamafactory-cli", "train"]),
        (
            {"devices": "1,0"},
            ["CUDA_VISIBLE_DEVICES=1,0", "FORCE_TORCHRUN=1", "NPROC_PER_NODE=2"],
        ),
        ({"devices": "1", "run_name": "mine"}, ["CUDA_VISIBLE_DEVICES=1", "llamafactory-cli"]),
    ],
)
def test_the_command_does_the_same_without_medtune(
    ready: Workspace, changes: dict[str, Any], words: list[str]
) -> None:
    found = preview(ready, {**VALUES, **changes})
    assert found.command.split()[: len(words)] == words
    assert found.command.endswith(f"{found.folder}/config.yaml")


def test_what_is_said_of_it() -> None:
    assert acceptance_view(None, "en") == ""
    assert "accepts" in acceptance_view(Verdict(True), "en")
    assert "拒绝" in acceptance_view(Verdict(False, "because <b>"), "zh")
    assert "&lt;b&gt;" in acceptance_view(Verdict(False, "because <b>"), "zh")
    assert "7 s" in acceptance_view(Asking(7.2), "en")
