"""axe-core on a page: what a person with a screen reader, a keyboard or weak eyes can't use."""

from __future__ import annotations

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

GRAVE = ("serious", "critical")


def findings(page: Page) -> list[str]:
    """Each serious or critical finding, with up to three places and what axe says of each."""
    found = Axe().run(page).response["violations"]
    return [
        f"{one['id']} ({one['impact']}) x{len(one['nodes'])}: {node['html'][:200]} "
        f"{node['failureSummary']}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"][:3]
    ]
