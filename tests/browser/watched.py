"""MedTune with a window into its web process: what it has loaded, and what it weighs."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.browser.conftest import wait_until
from tests.fakes.server import Server, serving

HEAVY = frozenset({"torch", "transformers", "peft", "llamafactory", "datasets", "modelscope"})
"""What trains, and what takes seconds to import and hundreds of megabytes to hold."""


@dataclass(frozen=True)
class Watched:
    """A running dashboard."""

    server: Server
    report: Path

    def loaded(self) -> set[str]:
        """The top-level modules that the web process has loaded by now."""
        names = [line for line in self._told() if not line.startswith("asked ")]
        loaded = {name.partition(".")[0] for name in names}
        assert "gradio" in loaded, "it is the web process that has answered"
        return loaded

    def asked(self) -> set[str]:
        """The machines that the web process has looked up or connected to by now."""
        return {line[6:] for line in self._told() if line.startswith("asked ")}

    def _told(self) -> list[str]:
        self.report.unlink(missing_ok=True)
        self.server.process.send_signal(signal.SIGUSR1)
        wait_until(self.report.exists, "the server has told what it has loaded")
        return self.report.read_text(encoding="utf-8").splitlines()

    def megabytes(self) -> float:
        """Its resident memory in MB (10⁶)."""
        return float(psutil.Process(self.server.process.pid).memory_info().rss / 1e6)


@contextmanager
def watched(workspace: Path) -> Iterator[Watched]:
    """A dashboard on ``workspace`` until the block ends."""
    report = workspace.with_name("modules.txt")
    options = ["--no-browser", "--port", "0", "--workspace", workspace]
    with serving(["-m", "tests.fakes.watched_app", report, *options]) as server:
        yield Watched(server, report)
