"""A few steps to learn how fast a training would be: hidden, ended by a run, remembered."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from backend.errors import HyperparameterError, RunError, WorkspaceError
from backend.files import close_to_writing, read_json
from backend.planning.speed import Speeds
from backend.training import layout, probing, queue
from backend.training.probing import STEPS, Prober, measured, shortened
from backend.training.runs import RunState, list_runs, process_of
from backend.training.schema import defaults, validate
from backend.workspace import Workspace
from tests.fakes.ready_workspace import FAKE_TRAINER, VALUES
from tests.fakes.trainers import Make, until, wait_until
from ui.components.probe_view import probe_view

Probe = Callable[..., Prober]


@pytest.fixture
def probe(ready: Workspace) -> Iterator[Probe]:
    """Makes probers with a fake trainer; ends what still runs after the test."""

    def of(*options: str) -> Prober:
        return Prober(ready, command=(sys.executable, str(FAKE_TRAINER), *options))

    yield of
    probing.end(ready)
    wait_until(lambda: not any(one.name.startswith("reap") for one in threading.enumerate()))


def done(prober: Prober) -> None:
    wait_until(lambda: prober.current() is None)


def test_a_probe_is_no_run_and_leaves_nothing_but_what_it_measured(
    ready: Workspace, probe: Probe
) -> None:
    prober = probe("--step-seconds", "0.02")
    run = prober.start(VALUES)
    assert run.state.active and run.folder == ready.runs / ".probe"
    assert list_runs(ready) == [] and queue.waiting(ready) == []
    before = prober.stamp()
    done(prober)
    assert not run.folder.exists() and prober.stamp() != before
    assert [path.name for path in ready.runs.glob("[!.]*")] == []
    (found,) = measured(ready)
    assert (found.tokens_per_second, found.memory, found.devices) == (1234.5, 2_000_000_000, "cpu")
    assert found.values == validate({**VALUES, "run_name": ""})


def test_what_was_measured_tells_how_fast_the_same_would_be(ready: Workspace, probe: Probe) -> None:
    speeds, values = Speeds(ready), validate(VALUES)
    assert speeds.of(values, on_gpu=False) is None
    prober = probe()
    prober.start(VALUES)
    done(prober)
    found = speeds.of(values, on_gpu=False)
    assert found is not None and (found.source, found.near) == ("", True)
    assert (found.tokens_per_second, found.memory) == (1234.5, 2_000_000_000)
    other = speeds.of({**values, "cutoff_len": 64}, on_gpu=False)
    assert other is not None and not other.near
    assert speeds.of({**values, "finetuning_type": "full"}, on_gpu=False) is None


def test_it_trains_a_few_steps_on_the_first_rows_and_saves_nothing() -> None:
    asked = {
        **defaults(), "per_device_train_batch_size": 4, "gradient_accumulation_steps": 16,
        "eval_steps": 5, "save_steps": 3, "logging_steps": 7,
    }  # fmt: skip
    short = shortened(asked, processes=2)
    assert (short["max_steps"], short["max_samples"]) == (STEPS, STEPS * 4 * 2 * 2)
    assert (short["gradient_accumulation_steps"], short["logging_steps"]) == (2, 1)
    assert short["eval_steps"] == 0 and short["save_steps"] > STEPS
    assert shortened({**asked, "max_samples": 3}, 1)["max_samples"] == 3


def test_the_trainers_file_neither_saves_nor_evaluates(ready: Workspace, probe: Probe) -> None:
    prober = probe("--start-seconds", "60")
    config = prober.start({**VALUES, "dataset": "notes-split", "eval_steps": 1}).config
    assert config["save_strategy"] == "no" and config["max_steps"] == STEPS
    assert not {"eval_dataset", "eval_strategy", "eval_steps"} & set(config)
    assert config["output_dir"] == str(ready.runs / ".probe")


def test_its_trainer_finds_deepspeeds_settings(
    ready: Workspace, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file names them in the probe's own folder."""
    monkeypatch.setattr("backend.training.schema.validation.is_installed", lambda module: True)
    run = probe("--start-seconds", "60").start({**VALUES, "deepspeed": "2"})
    assert Path(run.config["deepspeed"]) == run.folder / layout.DEEPSPEED
    assert read_json(run.folder / layout.DEEPSPEED)["zero_optimization"]["stage"] == 2


def test_a_second_press_starts_no_second_one(ready: Workspace, probe: Probe) -> None:
    prober = probe("--start-seconds", "60")
    first = prober.start(VALUES)
    assert prober.start(VALUES).pid == first.pid


def test_cancelling_ends_its_process_and_removes_it(ready: Workspace, probe: Probe) -> None:
    prober = probe("--start-seconds", "60")
    run = prober.start(VALUES)
    process = process_of(run.folder)
    assert process is not None and process.is_alive()
    prober.cancel()
    assert not process.is_alive() and not run.folder.exists()
    assert prober.current() is None and measured(ready) == ()
    prober.cancel()


def test_a_run_that_starts_ends_the_probe(ready: Workspace, probe: Probe, make: Make) -> None:
    """Both on one device would be short of memory, and a person waits for the run."""
    run = probe("--start-seconds", "60").start(VALUES)
    process = process_of(run.folder)
    started = make("--steps", "2").start(VALUES)
    until(ready, started, RunState.FINISHED)
    assert process is not None and not process.is_alive() and not run.folder.exists()


def test_a_probe_does_not_disturb_a_run(ready: Workspace, probe: Probe, make: Make) -> None:
    make("--step-seconds", "0.1", "--steps", "100").start(VALUES)
    with pytest.raises(RunError, match="in use"):
        probe().start(VALUES)
    assert not (ready.runs / ".probe").exists()


def test_a_failure_is_explained_until_it_is_put_away(ready: Workspace, probe: Probe) -> None:
    message = "torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2.00 GiB."
    prober = probe("--fail-at", "3", "--message", message)
    prober.start(VALUES)
    wait_until(lambda: (run := prober.current()) is not None and not run.state.active)
    failed = prober.current()
    assert failed is not None and failed.state is RunState.FAILED
    page = probe_view(failed, "en")
    assert "so would the training" in page and "GPU" in page
    assert measured(ready) == ()
    prober.cancel()
    assert prober.current() is None


@pytest.mark.parametrize("language", ["en", "zh"])
def test_the_page_shows_how_far_it_is(ready: Workspace, probe: Probe, language: str) -> None:
    assert 'data-action="probe"' in probe_view(None, language)
    prober = probe("--start-seconds", "0.2", "--step-seconds", "60")
    run = prober.start(VALUES)
    assert 'data-step="0"' in probe_view(run, language)
    assert 'data-action="stop_probe"' in probe_view(run, language)
    log = b'{"current_steps": 4, "total_steps": 10, "loss": 1.0}\n'
    (run.folder / layout.TRAINER_LOG).write_bytes(log)
    moved = prober.current()
    assert moved is not None and 'data-step="4"' in probe_view(moved, language)


def test_values_that_can_t_be_trained_with_start_nothing(ready: Workspace, probe: Probe) -> None:
    with pytest.raises(HyperparameterError):
        probe().start({**VALUES, "lora_rank": 0})
    assert not (ready.runs / ".probe").exists()


def test_a_dashboard_that_only_reads_starts_and_takes_up_nothing(
    ready: Workspace, probe: Probe
) -> None:
    prober = probe()
    run = prober.start(VALUES)
    wait_until(lambda: (run.folder / layout.EXIT).exists())
    close_to_writing(ready.root)
    try:
        assert prober.current() is None and run.folder.exists()
        for act in (lambda: prober.start(VALUES), prober.cancel):
            with pytest.raises(WorkspaceError):
                act()
    finally:
        close_to_writing(ready.root, open_again=True)
    done(prober)
    assert len(measured(ready)) == 1


def test_only_the_last_measurements_are_kept(
    ready: Workspace, probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probing, "KEPT", 2)
    prober = probe("--step-seconds", "0")
    for rank in (4, 8, 16):
        prober.start({**VALUES, "lora_rank": rank})
        done(prober)
    assert [one.values["lora_rank"] for one in measured(ready)] == [8, 16]


@pytest.mark.parametrize("content", ["[1, {}]", "{}", "not json"])
def test_damaged_memories_are_none(ready: Workspace, content: str) -> None:
    file: Path = ready.cache / "probes.json"
    file.parent.mkdir(exist_ok=True)
    file.write_text(content, encoding="utf-8")
    assert measured(ready) == ()


def test_the_probe_says_what_it_stands_for(ready: Workspace, probe: Probe) -> None:
    """The form's own values, not those that the steps were shortened to."""
    run = probe("--start-seconds", "60").start({**VALUES, "gradient_accumulation_steps": 8})
    record: Any = read_json(run.folder / layout.RUN)
    assert record["values"]["gradient_accumulation_steps"] == 8
