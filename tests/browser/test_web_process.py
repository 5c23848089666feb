"""The web process stays light while it is used, not only when it is imported."""

from __future__ import annotations

import signal
from pathlib import Path

import psutil
import pytest

from tests.browser.conftest import Open, wait_until
from tests.fakes.server import serving

pytestmark = pytest.mark.browser

HEAVY = {"torch", "transformers", "peft", "llamafactory", "datasets", "modelscope"}
MOST_MEGABYTES = 300


def test_all_tabs_are_shown_without_loading_what_trains(tmp_path: Path, open_page: Open) -> None:
    report = tmp_path / "modules.txt"
    options = ["--no-browser", "--port", "0", "--workspace", tmp_path / "workspace"]
    with serving(["-m", "tests.fakes.watched_app", report, *options]) as server:
        page = open_page(server.address).page
        tabs = page.get_by_role("tab")
        tabs.first.wait_for()
        for number in range(tabs.count()):
            tabs.nth(number).click()
            page.wait_for_timeout(500)
        server.process.send_signal(signal.SIGUSR1)
        wait_until(report.exists, "the server has told what it has loaded")
        megabytes = psutil.Process(server.process.pid).memory_info().rss / 1e6
        page.context.close()
    loaded = {name.partition(".")[0] for name in report.read_text(encoding="utf-8").split()}
    assert "gradio" in loaded
    assert not loaded & HEAVY
    assert megabytes <= MOST_MEGABYTES
