"""From a click on a tab to the tab's own content on the screen, in a workspace with content.

The first visit of each tab on a page, and later ones. Content is what the tab is for, as it is read
from the disk: the table of models, the figures of a form, the newest run. Beside it the same click
on a minimal Gradio page, in turns.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser, Page

from benchmarks.common import Result, at_most, shown_beside, table
from benchmarks.lived_in import lived_in
from benchmarks.pages import PATIENCE_MS, new_page, percentile, side_by_side

ROUNDS = 5
"""Pages that are opened; each tab is visited for the first time on each of them."""
LATER = 2
"""Visits of each tab on a page after the first one."""
MOST_MS = 150
PERCENT = 95
SETTLE_MS = 2000
"""After a page has opened; half of it after a first visit of a tab, a third after a later one."""

CONTENT: Mapping[str, str] = {
    "data": "#prepared article",
    "hyperparameters": "#config-summary dl",
    "training": "#run-status .mt-run",
    "chat": "#chat-board .mt-board",
    "download": "#models tbody tr",
}
"""What is to be seen of each tab, in the order in which they are visited."""
BARE: Mapping[str, str] = {"Two": "textarea", "One": "textarea"}

WATCH = """
window.switched = (wanted, name) => new Promise((done) => {
  const there = () => [...document.querySelectorAll(wanted)].some((one) => one.checkVisibility());
  const button = [...document.querySelectorAll("[role=tab]")].find(
    (one) => one.checkVisibility() && (one.id === `tab-${name}-button` || one.innerText === name),
  );
  button.addEventListener("click", ({ timeStamp }) => {
    const look = (now) => (there() ? done(now - timeStamp) : painted(look));
    queueMicrotask(() => painted(look));
  }, { once: true, capture: true });
});
"""


def measure() -> list[Result]:
    """The promises for first and later visits, and a minimal page beside them."""
    first: dict[str, list[float]] = {name: [] for name in CONTENT}
    later: dict[str, list[float]] = {name: [] for name in CONTENT}
    bare: list[float] = []
    with (
        tempfile.TemporaryDirectory() as root,
        side_by_side(lived_in(Path(root) / "workspace")) as pages,
    ):
        for _ in range(ROUNDS):
            visited(pages.browser, pages.ours, first, later)
            bare += switched_bare(pages.browser, pages.minimal)
    return compared(first, later, bare)


def visited(
    browser: Browser,
    address: str,
    first: Mapping[str, list[float]],
    later: Mapping[str, list[float]],
) -> None:
    """Open a page and go through its tabs, so many times; notes milliseconds by tab.

    The tab on which the page opens has had its first visit by then.
    """
    with new_page(browser, WATCH) as page:
        page.goto(address)
        page.locator(CONTENT["download"]).first.wait_for()
        page.wait_for_timeout(SETTLE_MS)
        for number in range(1 + LATER):
            for name, content in CONTENT.items():
                milliseconds = switch(page, name, content)
                if number:
                    later[name].append(milliseconds)
                elif name != "download":
                    first[name].append(milliseconds)
                page.wait_for_timeout(SETTLE_MS / (3 if number else 2))


def switched_bare(browser: Browser, address: str) -> list[float]:
    """The same on a minimal page, first and later visits together."""
    with new_page(browser, WATCH) as page:
        page.goto(address)
        page.locator("textarea").first.wait_for()
        page.wait_for_timeout(SETTLE_MS / 3)
        return [switch(page, name, content) for name, content in BARE.items()]


def switch(page: Page, name: str, content: str) -> float:
    """Milliseconds from the click on a tab to its content on the screen.

    Raises:
        RuntimeError: it did not come.
    """
    page.evaluate(
        "([wanted, name]) => { window.pending = window.switched(wanted, name); }", [content, name]
    )
    tab = page.locator(f"#tab-{name}-button").or_(page.get_by_role("tab", name=name, exact=True))
    tab.first.click()
    milliseconds = page.evaluate(
        "ms => Promise.race([window.pending, new Promise((no) => setTimeout(no, ms, null))])",
        PATIENCE_MS,
    )
    if milliseconds is None:
        raise RuntimeError(f"the tab {name} never had its content")
    return float(milliseconds)


def compared(
    first: Mapping[str, Sequence[float]],
    later: Mapping[str, Sequence[float]],
    bare: Sequence[float],
) -> list[Result]:
    """The promises are about the 95th percentile over all tabs; medians tell the tabs apart."""
    results = []
    for what, times in (("first", first), ("a later", later)):
        every = [one for values in times.values() for one in values]
        slow = percentile(every, PERCENT)
        results.append(at_most(f"{what} visit of a tab, {PERCENT} % of all", slow, "ms", MOST_MS))
        middle, plain = median(every), median(bare)
        results.append(shown_beside(f"{what} visit, median, a minimal page's", middle, "ms", plain))
        results += [
            shown_beside(f"{what} visit of {name}, median", median(values), "ms")
            for name, values in times.items()
            if values
        ]
    return results


if __name__ == "__main__":
    print(table(measure()))
