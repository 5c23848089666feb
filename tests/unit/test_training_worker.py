"""The trainer's frame: how it begins and how it ends, without what it trains with."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from backend.files import read_json, write_json
from backend.training import layout
from tests.conftest import ROOT


def run(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Python that may use the worker's names, in a process that it may end."""
    names = "from backend.workers.train import *\nfrom backend.workers.train_end import *\n"
    return subprocess.run(
        [sys.executable, "-c", names + code, str(folder)],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


def ending(folder: Path) -> dict[str, Any]:
    ended = read_json(folder / layout.EXIT)
    assert isinstance(ended, dict)
    return ended


def test_a_stop_before_the_begin_ends_the_process_and_saves_nothing(tmp_path: Path) -> None:
    write_json(tmp_path / layout.STOP, {"now": False})
    began = time.monotonic()
    done = run("Gate(Path(sys.argv[1])).watch()\nimport time\ntime.sleep(60)", tmp_path)
    assert done.returncode == 0 and time.monotonic() - began < 30
    assert ending(tmp_path)["reason"] == "stopped"


def test_a_stop_at_the_very_begin_is_noticed(tmp_path: Path) -> None:
    write_json(tmp_path / layout.STOP, {"now": False})
    done = run("Gate(Path(sys.argv[1])).begin()", tmp_path)
    assert "StopBeforeTraining" in done.stderr


def test_after_the_begin_the_thread_leaves_stopping_to_the_training(tmp_path: Path) -> None:
    done = run(
        "import time\n"
        "gate = Gate(Path(sys.argv[1]))\n"
        "gate.watch()\n"
        "gate.begin()\n"
        "write_json(Path(sys.argv[1]) / layout.STOP, {})\n"
        "time.sleep(3 * POLL_SECONDS)\n"
        "print('still here', gate.stop_asked)",
        tmp_path,
    )
    assert done.stdout == "still here True\n"
    assert not (tmp_path / layout.EXIT).exists()


def test_an_error_is_written_down_with_its_traceback(tmp_path: Path) -> None:
    """Here the configuration is missing."""
    done = subprocess.run(
        [sys.executable, "-m", "backend.workers.train", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    ended = ending(tmp_path)
    assert done.returncode == ended["code"] == 1 and ended["reason"] == "failed"
    assert ended["error"].startswith("FileNotFoundError: ") and "\n" not in ended["error"]
    assert "Traceback (most recent call last)" in done.stderr


@pytest.mark.parametrize(
    ("error", "line"),
    [
        ("ValueError('\\n\\n  bad\\nworse')", "ValueError: bad"),
        ("KeyError()", "KeyError"),
        ("RuntimeError('x' * 1000)", "RuntimeError: " + "x" * 386),
    ],
)
def test_an_error_is_told_in_one_line(tmp_path: Path, error: str, line: str) -> None:
    assert run(f"print(describe({error}))", tmp_path).stdout.strip() == line


def test_helper_processes_end_with_the_trainer(tmp_path: Path) -> None:
    """Processes that tokenise waited for work for ever after a stop."""
    done = run(
        "import subprocess\n"
        "helper = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
        " stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n"
        "print(helper.pid, flush=True)\n"
        "leave(Path(sys.argv[1]), 0, 'stopped')",
        tmp_path,
    )
    deadline = time.monotonic() + 10
    while _runs(int(done.stdout)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(int(done.stdout))


def test_a_full_disk_does_not_keep_the_process_alive(tmp_path: Path) -> None:
    done = run("leave(Path('/proc/no/such/folder'), 1, 'failed', ValueError('x'))", tmp_path)
    assert done.returncode == 1


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except (ProcessLookupError, FileNotFoundError):
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"
