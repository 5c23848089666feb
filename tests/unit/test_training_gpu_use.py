"""How busy the GPUs are, by what nvidia-smi prints; nothing where it says nothing."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.training.gpu_use import GpuUse, mean_use
from tests.fakes.trainers import wait_until

# As drivers 535 and 550 print it: two GPUs, one with MIG on beside one without, a GPU of a laptop
# that reports nothing, and what stands there when the driver is not loaded.
RECORDED = {
    "97\n100\n": 98.5,
    "0\n": 0.0,
    "[N/A]\n35\n": 35.0,
    "[N/A]\n": None,
    "[Not Supported]\n": None,
    "NVIDIA-SMI has failed because it couldn't communicate with the NVIDIA driver.\n": None,
    "": None,
}


@pytest.mark.parametrize(("answer", "use"), RECORDED.items())
def test_recorded_answers(answer: str, use: float | None) -> None:
    assert mean_use(answer) == use


@given(st.text())
def test_any_answer_is_a_share_or_nothing(answer: str) -> None:
    use = mean_use(answer)
    assert use is None or 0 <= use <= 100


def fake(folder: Path, program: str) -> list[str]:
    """A command in nvidia-smi's place."""
    script = folder / "fake_smi.py"
    script.write_text(program, encoding="utf-8")
    return [sys.executable, str(script)]


def test_the_mean_since_the_last_line_of_the_log(tmp_path: Path) -> None:
    asked = tmp_path / "asked.txt"
    program = (
        f"import sys; open({str(asked)!r}, 'a').write(sys.argv[1] + '\\n'); print(40); print(60)"
    )
    use = GpuUse("0,1", command=fake(tmp_path, program), seconds=0.01)
    assert use.take() is None
    use.start()
    wait_until(lambda: asked.exists() and asked.read_text().count("\n") >= 2)
    use.close()
    use._thread.join()
    assert set(asked.read_text().splitlines()) == {"--id=0,1"}
    assert use.take() == 50.0
    assert use.take() is None, "nothing was asked since"


@pytest.mark.parametrize("program", ["print('[N/A]')", "raise SystemExit(9)"])
def test_a_driver_that_does_not_say_is_not_asked_again(tmp_path: Path, program: str) -> None:
    use = GpuUse(None, command=fake(tmp_path, program), seconds=0.01)
    use.start()
    use._thread.join(timeout=60)
    assert not use._thread.is_alive() and use.take() is None


def test_without_nvidia_smi_there_is_nothing() -> None:
    use = GpuUse(None, command=["no-such-nvidia-smi"], seconds=0.01)
    use.start()
    use._thread.join(timeout=60)
    assert not use._thread.is_alive() and use.take() is None
