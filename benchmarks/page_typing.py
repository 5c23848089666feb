"""From a key to its letter on the screen, while a run trains, a download and an answer come.

Typed into fields of every tab of the real page. The run logs two steps a second, the download comes
from a local hub at a steady pace, the answers from a scripted server, so that they last as long as
the typing does. Beside it the same keys in a minimal Gradio page, in turns.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from unittest.mock import patch

from playwright.sync_api import Browser, Locator, Page

from backend.chat.sources import remote
from backend.files import write_json
from backend.workspace import Workspace
from benchmarks.chat_page import COLUMNS, Pace, offer
from benchmarks.common import Result, at_most, shown_beside, table
from benchmarks.fetching import LocalHub, Ours
from benchmarks.fetching import running as fetching
from benchmarks.lived_in import lived_in
from benchmarks.pages import PATIENCE_MS, new_page, percentile, side_by_side
from benchmarks.watched_run import Trainer, a_living_run
from tests.fakes.hub import Repeated, hub_running
from tests.fakes.openai_server import serving, status

MOST_MS = 50
PERCENT = 95
LONG_TASK_MS = 50
"""From here on browsers call a task long."""
KEYS = 18
"""A field; the first of them do not count: they load what the field needs."""
UNCOUNTED = 4
PAUSE_MS = 90
"""Between two keys: someone who types well."""
SETTLE_MS = 2000
STEPS, STEP_SECONDS = 1_000, 0.5
SIZE, RATE = 2_000_000_000, 4_000_000
"""Bytes of the download, and a second."""

FIELDS: Mapping[str, Sequence[str]] = {
    "download": ("hub-address", "import-path"),
    "data": ("data-name", "rows-search"),
    "hyperparameters": ("field-run_name", "field-learning_rate", "field-cutoff_len"),
    "training": ("runs-search",),
    "chat": ("chat-question",),
}
"""By tab, in the order of the tabs."""

WATCH = """
window.typed = [];
window.longFrames = [];
let pressed = 0;
addEventListener("keydown", ({ timeStamp }) => { pressed = timeStamp; }, true);
addEventListener("input", () => {
  const began = pressed;
  painted((now) => window.typed.push(now - began));
}, true);
new PerformanceObserver((list) => {
  for (const frame of list.getEntries()) {
    // Gradio's own lie below its assets; ours are made from the page's config.
    const ours = frame.scripts.filter(({ sourceURL }) => !sourceURL.includes("/assets/"));
    window.longFrames.push([frame.startTime, Math.max(0, ...ours.map(({ duration }) => duration))]);
  }
}).observe({ type: "long-animation-frame" });
"""


def measure() -> list[Result]:
    """The promises, and each field's own median."""
    times: dict[str, list[float]] = {}
    bare: list[float] = []
    with busy_workspace() as workspace, side_by_side(workspace) as pages:
        ours = 0.0
        with new_page(pages.browser, WATCH) as page:
            ask(page, pages.ours)
            for place, (tab, fields) in enumerate(FIELDS.items()):
                page.locator(f"#tab-{tab}-button").click()
                page.wait_for_timeout(SETTLE_MS)
                unfold(page, tab)
                for name in fields:
                    times[name], longest = typed(page, box(page, name))
                    ours = max(ours, longest)
                if place % 2 == 0:
                    bare += typed_bare(pages.browser, pages.minimal)
    return [*compared(times, bare), long_tasks(ours)]


@contextmanager
def busy_workspace() -> Iterator[Workspace]:
    """With a run, a download, and a conversation whose four answers take as long as the block."""
    with ExitStack() as stack:
        root = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        stack.enter_context(patch.dict(os.environ, XDG_CONFIG_HOME=str(root)))
        workspace = lived_in(root / "workspace")
        folder = stack.enter_context(a_living_run(workspace, STEPS))
        stack.enter_context(Trainer(folder, STEPS, STEP_SECONDS))
        download_into(workspace, stack)
        paces = {name: Pace() for name in COLUMNS}
        for pace in paces.values():
            stack.callback(pace.over.set)
        answers = {name: [status(200), pace.stream] for name, pace in paces.items()}
        server = stack.enter_context(serving(**answers))
        offer(server)
        columns = [vars(remote(server.url, name).saved()) for name in COLUMNS]
        kept = {"version": 2, "created": "2026-11-01T00:00:00+00:00", "columns": columns}
        write_json(workspace.chats / "measured.json", kept)
        yield workspace


def download_into(workspace: Workspace, stack: ExitStack) -> None:
    """Begin a download that lasts as long as the stack does."""
    hub = stack.enter_context(hub_running())
    hub.add(
        kind="model",
        id="org/large",
        files={"config.json": b"{}", "model.safetensors": Repeated(SIZE)},
    )
    hub.fault("org/large", "model.safetensors", rate=RATE)
    ours = Ours("modelscope", LocalHub(hub.url, "org/large", "model.safetensors"), workspace.root)
    stack.enter_context(fetching(ours))


def ask(page: Page, address: str) -> None:
    """Open the page and ask all columns; their answers come for the rest of the time."""
    page.goto(address)
    page.locator("#tab-chat-button").click()
    page.locator(f"#column-{len(COLUMNS)}-head").wait_for(timeout=PATIENCE_MS)
    page.locator("#chat-question textarea").fill("What lowers a fever?")
    page.locator("#chat-send").click()
    page.locator(".mt-board .mt-turn").first.wait_for(timeout=PATIENCE_MS)


def unfold(page: Page, tab: str) -> None:
    """Open the table of runs on the Training tab, which has a field."""
    if tab == "training":
        page.locator("#run-rooms [role=tab]").nth(1).click()
        page.locator("#runs-search").wait_for()


def box(page: Page, name: str) -> Locator:
    return page.locator(f"#{name}").locator("textarea, input").first


def typed(page: Page, field: Locator) -> tuple[list[float], float]:
    """Type into a field, as a person does, and empty it again.

    Returns:
        Milliseconds of each key, and those of the longest task of one of our scripts meanwhile.
    """
    number = field.get_attribute("type") == "number"
    field.click()
    field.fill("")
    page.wait_for_timeout(SETTLE_MS / 2)
    page.evaluate("() => { window.typed = []; window.longFrames = []; }")
    letters = "1234" if number else "word "
    keys = (letters * KEYS)[:KEYS]
    page.keyboard.type(keys, delay=PAUSE_MS)
    page.wait_for_timeout(SETTLE_MS / 2)
    times, frames = page.evaluate("[window.typed, window.longFrames]")
    if not number and field.input_value() != keys:
        raise RuntimeError(f"typed {json.dumps(keys)}, and it says {field.input_value()!r}")
    field.fill("")
    return times[UNCOUNTED:], max([0.0, *(longest for _, longest in frames)])


def typed_bare(browser: Browser, address: str) -> list[float]:
    """The same in the text field of a minimal page."""
    with new_page(browser, WATCH) as page:
        page.goto(address)
        field = page.locator("textarea").first
        field.wait_for()
        return typed(page, field)[0]


def compared(times: Mapping[str, Sequence[float]], bare: Sequence[float]) -> list[Result]:
    """The promise is about the 95th percentile of all keys."""
    every = [one for values in times.values() for one in values]
    what = "key to the letter on the screen, run, download and chat under way"
    slow, plain = percentile(every, PERCENT), percentile(bare, PERCENT)
    return [
        at_most(f"{what}, {PERCENT} % of all", slow, "ms", MOST_MS),
        shown_beside("the same, against a minimal Gradio page", slow, "ms", plain),
        *(shown_beside(f"{name}, median", median(some), "ms") for name, some in times.items()),
    ]


def long_tasks(longest: float) -> Result:
    """None of our scripts may keep a key waiting."""
    return at_most("longest task of a script of ours meanwhile", longest, "ms", LONG_TASK_MS)


if __name__ == "__main__":
    print(table(measure()))
