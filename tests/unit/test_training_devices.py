"""GPUs as nvidia-smi lists them, and which of them a run gets."""

from __future__ import annotations

from typing import Any

import pytest

from backend.errors import HyperparameterError
from backend.training import devices
from backend.training.assigning import CPU, check_devices, read, turns, written
from backend.training.devices import Gpu, best_precision, gpus, parse, processes_of
from backend.training.environment import environment
from backend.workspace import Workspace

ANSWER = """\
1, GPU-bbbb, NVIDIA A100-SXM4-80GB, 81920, 80000, 8.0
0, GPU-aaaa, Tesla T4, 15360, 15000, 7.5
2, GPU-cccc, NVIDIA GB10, [N/A], [N/A], 12.1
"""

TWO = tuple(
    Gpu(number, f"GPU-{number}", "test", 10, free, 8.0) for number, free in ((0, 4), (1, 9))
)


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> tuple[Gpu, ...]:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(devices, "_asked", lambda: sorted(parse(ANSWER), key=lambda g: g.index))
    monkeypatch.setattr(devices, "_answer", None)
    return gpus()


def test_the_answer_of_nvidia_smi_is_read(three: tuple[Gpu, ...]) -> None:
    assert [gpu.index for gpu in three] == [0, 1, 2]
    assert three[0] == Gpu(0, "GPU-aaaa", "Tesla T4", 15360 << 20, 15000 << 20, 7.5)
    assert (three[2].total, three[2].free) == (0, 0), "a GPU that shares the memory of the CPU"
    assert parse("NVIDIA-SMI has failed because it couldn't communicate\n") == []
    assert parse("") == parse("a, b\n\n,,,,,\n") == []


@pytest.mark.parametrize(
    ("visible", "shown"),
    [("1", [1]), ("2,0", [0, 2]), ("GPU-bb", [1]), ("0,9,1", [0]), ("", []), ("-1", [])],
)
def test_what_is_hidden_from_the_dashboard_is_no_device(
    three: tuple[Gpu, ...], monkeypatch: pytest.MonkeyPatch, visible: str, shown: list[int]
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert [gpu.index for gpu in gpus()] == shown


def test_precision_looks_only_at_the_devices_chosen(three: tuple[Gpu, ...]) -> None:
    """An old GPU that nobody used made the new one train in fp16."""
    assert best_precision("1") == best_precision("1,2") == "bf16"
    assert best_precision("0") == best_precision("0,1") == best_precision() == "fp16"
    assert best_precision("7") == "fp32"


def gets(waiting: list[dict[str, Any]], used: str = "", present: tuple[Gpu, ...] = TWO) -> Any:
    named = [(str(number), values) for number, values in enumerate(waiting)]
    taken = read(used) if used else frozenset()
    return {turn.run_id: written(turn.gpus) for turn in turns(named, taken, present)}


def test_one_run_at_a_time_uses_a_device() -> None:
    assert gets([{}, {}], present=()) == {"0": CPU}
    assert gets([{}], used=CPU, present=()) == {}
    assert gets([{"devices": "0"}, {"devices": "0"}, {"devices": "1"}]) == {"0": "0", "2": "1"}
    assert gets([{"devices": "0,1"}], used="1") == {}


def test_an_automatic_choice_takes_the_gpu_with_most_room() -> None:
    assert gets([{}]) == {"0": "1"}
    assert gets([{}, {}, {}]) == {"0": "1", "1": "0"}
    assert gets([{"processes": 2}]) == {"0": "0,1"}


def test_a_large_run_does_not_wait_for_ever_behind_small_ones() -> None:
    """Two GPUs were never free together, since each went to the next small run at once."""
    assert gets([{"devices": "0,1"}, {"devices": "1"}, {"devices": "0"}], used="0") == {}
    assert gets([{"processes": 2}, {}], used="0") == {}


def test_devices_that_are_not_there_are_refused() -> None:
    check_devices({"devices": "0,1", "processes": 1}, TWO)
    check_devices({"devices": "", "processes": 4}, ())  # on a CPU a person may want that
    for values, present in (
        ({"devices": "2"}, TWO),
        ({"devices": "0"}, ()),
        ({"processes": 3}, TWO),
    ):
        with pytest.raises(HyperparameterError):
            check_devices(values, present)


def test_each_gpu_gets_a_process() -> None:
    assert processes_of({"processes": 1}, (0, 1)) == 2
    assert processes_of({"processes": 3}, ()) == 3
    assert processes_of({}, ()) == 1


def test_the_trainer_sees_the_devices_that_it_got(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,4")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    variables = environment(workspace, gpus=(1, 3), processes=2)
    assert variables["CUDA_VISIBLE_DEVICES"] == "1,3" and variables["OMP_NUM_THREADS"] == "1"
    # By nvidia-smi's numbers and not by CUDA's, which puts the fastest first.
    assert variables["CUDA_DEVICE_ORDER"] == "PCI_BUS_ID"
    assert environment(workspace)["CUDA_VISIBLE_DEVICES"] == "3"
