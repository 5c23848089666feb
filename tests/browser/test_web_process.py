"""The web process stays light while tabs are opened; test_journey.py asks the same of all work."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.browser.conftest import LOOPBACK, Open
from tests.browser.watched import HEAVY, watched

pytestmark = pytest.mark.browser

MOST_MEGABYTES = 300


def test_all_tabs_are_shown_without_loading_what_trains_or_asking_anybody(
    tmp_path: Path, open_page: Open
) -> None:
    """The page asks nobody either: ``open_page`` looks at its requests."""
    with watched(tmp_path / "workspace") as medtune:
        page = open_page(medtune.server.address).page
        tabs = page.get_by_role("tab")
        tabs.first.wait_for()
        for number in range(tabs.count()):
            tabs.nth(number).click()
            page.wait_for_timeout(500)
        assert not medtune.loaded() & HEAVY
        assert medtune.asked() <= LOOPBACK
        assert medtune.megabytes() <= MOST_MEGABYTES
        page.context.close()
