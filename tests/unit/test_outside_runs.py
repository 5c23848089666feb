"""A run that a program stops and takes up again, with the trainer's process in place of
LLaMA-Factory's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from backend.errors import MedTuneError
from backend.services import Services
from backend.training.runs import RunState, find_run
from backend.training.supervisor import Supervisor
from backend.workspace import Workspace
from tests.fakes.ready_workspace import DATASET, MODEL
from tests.fakes.trainers import Make, until
from ui.outside.runs import RunActions

SLOW = ("--steps", "300", "--save-steps", "4", "--step-seconds", "0.05")


@pytest.fixture
def runs(ready: Workspace, make: Make) -> Callable[..., RunActions]:
    def actions(*options: str) -> RunActions:
        supervisor: Supervisor = make(*options)
        return RunActions(replace(Services.of(ready), supervisor=supervisor))

    return actions


def test_a_program_stops_a_run_and_lets_it_go_on(
    ready: Workspace, runs: Callable[..., RunActions]
) -> None:
    slow = runs(*SLOW)
    begun = slow.start_run("en", DATASET, MODEL, name="mine")
    until(ready, find_run(ready, begun["run"]), RunState.RUNNING)
    assert slow.stop_run("en", "mine")["run"] == "mine"
    stopped = until(ready, find_run(ready, "mine"), RunState.STOPPED)
    kept = [one["name"] for one in slow.list_checkpoints("en", "mine") if one["resumable"]]
    assert kept
    told = runs("--steps", "300").resume_run("en", "mine", settings={"learning_rate": 1e-5})
    assert (told["run"], told["state"]) == ("mine", "starting")
    done = until(ready, stopped, RunState.FINISHED)
    assert done.attempts == 2
    followed = slow.follow_run("en", "mine")
    assert followed["state"] == "finished"
    with pytest.raises(MedTuneError, match="has ended already"):
        slow.stop_run("en", "mine")


def test_a_program_takes_a_run_out_of_the_queue(
    ready: Workspace, runs: Callable[..., RunActions]
) -> None:
    slow = runs(*SLOW)
    first = slow.start_run("en", DATASET, MODEL, name="first")
    waiting = slow.start_run("en", DATASET, MODEL, name="second")
    assert waiting["state"] == "queued"
    slow.stop_run("en", "second")
    assert find_run(ready, "second").state is not RunState.QUEUED
    slow.stop_run("en", first["run"], now=True)
    until(ready, find_run(ready, "first"), RunState.STOPPED)
