"""MedTune as a person uses it: the widgets of the page by their ids, in a real browser."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page, expect

PATIENCE = 60_000
"""Milliseconds to wait for what takes a person's patience, not a timed test."""

# What is expected without a number of its own waits as long: five seconds, Playwright's own, are
# too few for a server that shares two cores with a trainer.
expect.set_options(timeout=PATIENCE)

PREPARING = 150_000
"""The same for a dataset: LLaMA-Factory loads it before it counts, which takes its imports."""


HEARING = """() => {
  const region = document.querySelector("#spoken [role=status]");
  window.heard = [];
  new MutationObserver((all) => all.forEach((one) => one.addedNodes.forEach(
    (node) => window.heard.push(node.textContent)))).observe(region, { childList: true });
}"""
"""Notes what a screen reader is told from now on."""


@dataclass(frozen=True)
class Person:
    """Clicks, types and reads on one page."""

    page: Page

    def opens(self, address: str) -> None:
        self.page.goto(address)
        self.arrives()

    def arrives(self) -> None:
        """Wait until the page shows what is on disk."""
        expect(self.page.locator("#tabs")).to_be_visible(timeout=PATIENCE)
        expect(self.page.locator("#models table")).to_be_visible(timeout=PATIENCE)

    def leaves(self) -> None:
        self.page.goto("about:blank")

    def goes_to(self, tab: str) -> None:
        """Open a tab by its place: download, data, hyperparameters, training or chat."""
        number = ("download", "data", "hyperparameters", "training", "chat").index(tab) + 1
        self.page.get_by_role("tab", name=re.compile(rf"^{number} ")).click()
        expect(self.page.locator(f"#tab-{tab}")).to_be_visible()

    def sees(self, place: str) -> Locator:
        return self.page.locator(f"#{place}")

    def presses(self, button: str) -> None:
        self.page.locator(f"button#{button}, #{button} button").first.click()

    def types(self, field: str, words: str) -> None:
        box = self.page.locator(f"#{field} textarea, #{field} input").first
        box.fill(words)
        box.blur()

    def chooses(self, field: str, option: str | re.Pattern[str]) -> None:
        """Pick from a dropdown, single or multiple."""
        self.page.locator(f"#{field} input").first.click()
        self.page.get_by_role("option", name=option).first.click()

    def adds(self, field: str, words: str) -> None:
        """Type into a dropdown of many choices and take what it finds; nothing where it is full."""
        box = self.page.locator(f"#{field} input").first
        box.click()
        box.press_sequentially(words)
        box.press("Enter")

    def marks(self, field: str, option: str) -> None:
        """Pick from a group of radio buttons."""
        self.page.locator(f"#{field}").get_by_label(option, exact=True).check()

    def opens_all_folds(self) -> None:
        """Unfold every accordion of the open tab."""
        folds = self.page.locator(".label-wrap:visible:not(.open)")
        while folds.count():
            folds.first.click()

    def listens(self) -> None:
        """Note from now on what a screen reader says of what goes on."""
        self.page.evaluate(HEARING)

    def hears(self) -> list[str]:
        """What it has said since ``listens``."""
        said: list[str] = self.page.evaluate("() => window.heard")
        return said

    def losses_on_the_chart(self) -> list[float]:
        """What Plotly has drawn as training loss."""
        drawn: list[float] = self.page.evaluate(
            "() => Array.from(document.querySelector('.mt-chart-plot').data[0].y)"
        )
        return drawn

    def last_answer(self, column: int) -> str:
        """What a chat column has answered last; "" if that was only reasoning."""
        answer = self.page.locator(f"#column-{column}-chat .mt-turn").last.locator(".mt-answer")
        return answer.inner_text().strip() if answer.count() else ""

    def figures(self, column: int) -> Locator:
        """What stands under a chat column's last answer: tokens, speed, why it ended."""
        return self.page.locator(f"#column-{column}-chat .mt-stats").last

    def thoughts(self, column: int) -> Locator:
        """The reasoning in a chat column."""
        return self.page.locator(f"#column-{column}-chat details.mt-thought")

    def value_of(self, field: str) -> str:
        return self.page.locator(f"#{field} textarea, #{field} input").first.input_value()

    def is_told(self, words: str | re.Pattern[str]) -> None:
        """A message says it; it is then closed."""
        toast = self.page.locator(".toast-body").filter(has_text=words).first
        expect(toast).to_be_visible(timeout=PATIENCE)
        # Without waiting for it to stand still: it flies in, and on a busy machine is gone by then.
        toast.get_by_role("button").first.dispatch_event("click")
        expect(toast).to_be_hidden()

    def photographs(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, full_page=True)
