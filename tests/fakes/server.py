"""A real server in a process of its own, for tests: started, waited for, and always ended."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.conftest import ROOT

READY = re.compile(r"https?://[\w.:\[\]]+")
START_SECONDS = 120


@dataclass(frozen=True)
class Server:
    """A running server: its address without a slash at the end, and its process."""

    address: str
    process: subprocess.Popen[bytes]
    log: Path

    def output(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace")


@contextmanager
def serving(
    arguments: Sequence[str | Path], *, env: dict[str, str] | None = None, kill: bool = False
) -> Iterator[Server]:
    """Run ``python ARGUMENTS`` until the block ends, from the line with its address on.

    Args:
        kill: End it by SIGKILL instead of SIGTERM, as a crash would.
    """
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "server.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, *map(str, arguments)],
                cwd=ROOT,
                env={**os.environ, **(env or {}), "PYTHONUNBUFFERED": "1"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            yield Server(_address(process, log), process, log)
        finally:
            _end(process, signal.SIGKILL if kill else signal.SIGTERM)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        said = log.read_text(encoding="utf-8", errors="replace")
        found = READY.search(said)
        if found:
            return found.group().rstrip("/")
        if process.poll() is not None:
            raise AssertionError(f"the server ended with {process.returncode}:\n{said}")
        time.sleep(0.05)
    raise AssertionError(f"the server did not say its address in {START_SECONDS} s:\n{said}")


def _end(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, how)
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=15)
