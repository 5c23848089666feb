"""Times a server from its start to its first page, and weighs it when a browser has been there.

Knows nothing about which server it is.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import httpx
import psutil
from playwright.sync_api import sync_playwright

from benchmarks.common import ROOT
from tests.browser.chromium import find_chromium

READY_SECONDS = 180
SETTLE_SECONDS = 2
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


@dataclass(frozen=True)
class Candidate:
    """A server to measure. ``command`` gets the port that it shall listen on."""

    name: str
    command: Callable[[int], Sequence[str | Path]]
    env: Callable[[int], Mapping[str, str]] = lambda port: {}
    cwd: Path = ROOT


def seconds_to_first_page(candidate: Candidate) -> float:
    """From the start of the process to the first whole HTML page.

    Raises:
        RuntimeError: the server died or gave no page in three minutes; with what it printed.
    """
    begun = time.perf_counter()
    with running(candidate):
        return time.perf_counter() - begun


def megabytes_after_a_visit(candidate: Candidate) -> float:
    """Resident memory in MB (10⁶) of the server and its children, with the page open in Chromium.

    Raises:
        RuntimeError: as above.
    """
    with running(candidate) as (process, address), sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=find_chromium(), args=list(FLAGS))
        page = chromium.new_page()
        page.goto(address)
        page.get_by_role("tab").first.wait_for()
        # What the page asks for when it has loaded is part of the visit.
        page.wait_for_timeout(SETTLE_SECONDS * 1000)
        megabytes = resident_megabytes(process.pid)
        chromium.close()
    return megabytes


def resident_megabytes(pid: int) -> float:
    """Resident memory of a process and its children, in MB (10⁶)."""
    parent = psutil.Process(pid)
    total = 0
    for process in [parent, *parent.children(recursive=True)]:
        with contextlib.suppress(psutil.NoSuchProcess):
            total += process.memory_info().rss
    return total / 1e6


@contextlib.contextmanager
def running(candidate: Candidate) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """The server, from its first page on."""
    port = free_port()
    address = f"http://127.0.0.1:{port}/"
    with tempfile.TemporaryFile() as output:
        process = subprocess.Popen(
            [str(part) for part in candidate.command(port)],
            cwd=candidate.cwd,
            env={**os.environ, **candidate.env(port)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            _await_page(process, address, output)
            yield process, address
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _await_page(process: subprocess.Popen[bytes], address: str, output: IO[bytes]) -> None:
    deadline = time.perf_counter() + READY_SECONDS
    while process.poll() is None and time.perf_counter() < deadline:
        # A server that is not there yet refuses; one that is not ready may answer with an error.
        with contextlib.suppress(httpx.TransportError):
            answer = httpx.get(address, timeout=READY_SECONDS, trust_env=False)
            if answer.status_code == 200 and "</html>" in answer.text:
                return
        time.sleep(0.02)
    output.seek(0)
    printed = output.read().decode(errors="replace")[-4000:]
    raise RuntimeError(f"no page at {address}; the server printed:\n{printed}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
