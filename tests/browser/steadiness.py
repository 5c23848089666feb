"""How much of a page moves by itself: what Chromium calls the cumulative layout shift."""

from __future__ import annotations

from playwright.sync_api import BrowserContext, Page

MOST = 0.1
"""Below it a page counts as steady (web.dev/articles/cls)."""

_WATCH = """(() => {
  window.medtuneShifts = [];
  new PerformanceObserver((list) => {
    for (const { value, sources } of list.getEntries()) {
      const where = sources.map(({ node, previousRect: was, currentRect: is }) => {
        const place = node?.closest?.("[id]")?.id ?? node?.nodeName ?? "";
        return `${place} ${Math.round(was.y)} → ${Math.round(is.y)}`;
      });
      window.medtuneShifts.push({ value, where });
    }
  }).observe({ type: "layout-shift", buffered: true });
})()"""

_TAKE = "() => window.medtuneShifts.splice(0)"


def watch_shifts(context: BrowserContext) -> None:
    """From now on pages that are opened note what moves in them."""
    context.add_init_script(_WATCH)


def shift_of(page: Page) -> tuple[float, list[str]]:
    """How much has moved since the page was opened, or since this was last asked; and the most of
    it. Also what follows a click, which Chromium would excuse for half a second."""
    shifts = page.evaluate(_TAKE)
    worst = max(shifts, key=lambda one: one["value"], default={"where": []})
    return sum(one["value"] for one in shifts), worst["where"]
