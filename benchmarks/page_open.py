"""From navigation to a usable page, against a minimal Gradio page, in a workspace with content.

Usable is where a person can begin: the tabs are there, a letter that is typed into a field is on
the screen, and a click on another tab has brought that tab. Both pages are opened in turns, each
time in a browser without a cache. Beside it what the renderer's main thread worked until then,
which other programs of the machine change less than the time.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import httpx
from playwright.sync_api import Browser

from benchmarks.common import Result, shown_beside, table
from benchmarks.lived_in import lived_in
from benchmarks.pages import Pages, new_page, side_by_side
from benchmarks.servers import resident_megabytes

ROUNDS = 15
"""That count; one more goes first. With half of them the same page gave 1.33 to 1.56 times."""
MOST_TIMES = 1.5
SETTLE_MS = 1500
LETTER = "q"

WATCH = """
window.usable = {};
let box = null;
const shown = (one) => one?.checkVisibility() ?? false;
const tabs = () => [...document.querySelectorAll("[role=tab]")].filter(shown);
const fields = () => [...document.querySelectorAll("textarea, input[type=text]")];
const panels = () => [...document.querySelectorAll("[role=tabpanel]")].filter(shown);
const steps = [
  ["tabs", () => tabs().length > 1],
  ["field", () => {
    box = fields().find((one) => shown(one) && !one.disabled && !one.readOnly);
    box?.focus();
    return box && document.execCommand("insertText", false, "q");
  }],
  ["typed", () => box.value === "q"],
  ["click", () => (tabs()[1].click(), true)],
  ["tab", () => !shown(box) && panels().length > 0],
];
const go = (now) => {
  while (steps.length && steps[0][1]()) window.usable[steps.shift()[0]] = now;
  // What has come is on the screen at the next call.
  if (steps.length) painted(go);
  else painted((end) => { window.usable = { ...window.usable, end, kept: () => box.value }; });
};
go(0);
"""


@dataclass(frozen=True)
class Opening:
    """Seconds from navigation until the page is usable, and of its main thread's work by then."""

    seconds: float
    work: float


def measure() -> list[Result]:
    """The promise; beside it the work of the main thread, the page's bytes, the memory."""
    with (
        tempfile.TemporaryDirectory() as root,
        side_by_side(lived_in(Path(root) / "workspace")) as pages,
    ):
        rounds = in_turns(pages)
        size, bare_size = (_kilobytes(one) for one in (pages.ours, pages.minimal))
        megabytes = resident_megabytes(pages.pid)
    return [
        *compared(rounds),
        shown_beside("first HTML", size, "kB", bare_size),
        shown_beside("web process at rest after these visits", megabytes, "MB"),
    ]


def in_turns(pages: Pages) -> list[tuple[Opening, Opening]]:
    """Pairs of ours and the minimal page's; which is first changes."""
    rounds = []
    for number in range(ROUNDS + 1):
        if number % 2:
            ours, theirs = (opened(pages.browser, one) for one in (pages.ours, pages.minimal))
        else:
            theirs, ours = (opened(pages.browser, one) for one in (pages.minimal, pages.ours))
        rounds.append((ours, theirs))
    return rounds[1:]


def opened(browser: Browser, address: str) -> Opening:
    """One visit.

    Raises:
        RuntimeError: what was typed went away when the page had loaded.
    """
    with new_page(browser, WATCH) as page:
        session = page.context.new_cdp_session(page)
        session.send("Performance.enable", {"timeDomain": "threadTicks"})
        page.goto(address, wait_until="commit")
        page.wait_for_function("window.usable?.end", polling=10)
        figures = session.send("Performance.getMetrics")["metrics"]
        page.wait_for_timeout(SETTLE_MS)
        if page.evaluate("window.usable.kept()") != LETTER:
            raise RuntimeError("what was typed while the page was loading is lost")
        work = next(one["value"] for one in figures if one["name"] == "TaskDuration")
        return Opening(page.evaluate("window.usable.end") / 1000, work)


def compared(rounds: Sequence[tuple[Opening, Opening]]) -> list[Result]:
    """Medians, and the median of each round's own ratio."""
    ours, theirs = (median(pair[place].seconds for pair in rounds) for place in (0, 1))
    ratio = median(one.seconds / other.seconds for one, other in rounds)
    work, bare_work = (1000 * median(pair[place].work for pair in rounds) for place in (0, 1))
    goal, holds = f"≤ {MOST_TIMES:g} ×", ratio <= MOST_TIMES
    what = "navigation to usable page, against a minimal Gradio page"
    return [
        Result(what, ours, "s", theirs, ratio, goal, holds),
        shown_beside("work of the main thread by then", work, "ms", bare_work),
    ]


def _kilobytes(address: str) -> float:
    """As they come over the line."""
    with httpx.stream("GET", address, timeout=60, trust_env=False) as answer:
        return sum(map(len, answer.iter_raw())) / 1000


if __name__ == "__main__":
    print(table(measure()))
