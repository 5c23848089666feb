"""Folders that are built under a hidden name."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from backend.staging import clear_leftovers, staging
from backend.units import size
from tests.conftest import ROOT

PREFIX = ".making-"


def hidden(parent: Path) -> list[Path]:
    return list(parent.glob(f"{PREFIX}*"))


def test_what_is_renamed_out_stays(tmp_path: Path) -> None:
    with staging(tmp_path, PREFIX) as folder:
        (folder / "file").write_text("x")
        clear_leftovers(tmp_path, PREFIX)  # another process starts meanwhile
        folder.rename(tmp_path / "whole")
    assert (tmp_path / "whole" / "file").read_text() == "x"
    assert hidden(tmp_path) == []


def test_what_fails_is_gone(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), staging(tmp_path, PREFIX) as folder:
        (folder / "file").write_text("x")
        raise ZeroDivisionError
    assert hidden(tmp_path) == []


def test_what_a_killed_process_left_is_cleared(tmp_path: Path) -> None:
    script = (
        "import os, sys; from pathlib import Path; from backend.staging import staging\n"
        "with staging(Path(sys.argv[1]), sys.argv[2]): os._exit(9)"
    )
    command = [sys.executable, "-c", script, str(tmp_path), PREFIX]
    assert subprocess.run(command, cwd=ROOT, timeout=60).returncode == 9
    assert len(hidden(tmp_path)) == 1
    clear_leftovers(tmp_path, PREFIX)
    assert hidden(tmp_path) == []


@pytest.mark.parametrize(
    ("count", "words"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (138_900_000, "138.9 MB"), (4e15, "4000.0 TB")],
)
def test_size(count: float, words: str) -> None:
    assert size(count) == words
