"""What browser tests share: a Chromium, and pages that watch themselves."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Frame, Page, Request, sync_playwright

from tests.browser.chromium import find_chromium

FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-quic")
VIEWPORT = {"width": 1440, "height": 900}
LEAVING = re.compile(
    "AbortError: signal is aborted|Connection errored out|Unexpected error 404: Not Found"
    "|ERR_INCOMPLETE_CHUNKED_ENCODING"
)
"""What Gradio says on the console when a page is reloaded in the middle of an event."""
LOOPBACK = {"127.0.0.1", "localhost", "[::1]", "::1"}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium, headless. Not for longer than a file: Playwright's event loop runs
    with it, and other tests may follow in the same process."""
    with launched() as chromium:
        yield chromium


@contextmanager
def launched(*flags: str) -> Iterator[Browser]:
    path = find_chromium()
    if path is None:
        pytest.fail("no Chromium found: `make test` installs one, or name one in MEDTUNE_CHROMIUM")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=[*FLAGS, *flags])
        yield chromium
        chromium.close()


@dataclass
class Opened:
    """A page, what went wrong on it, and what it asked of machines other than this one.

    A test that provokes an error on purpose takes it out of ``errors`` by ``errors.clear()``.
    """

    page: Page
    errors: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    leaving: list[str] = field(default_factory=list)
    arrivals: int = 0

    def faults(self) -> list[str]:
        """The errors, without what Gradio says when a page is left, of one that was."""
        return self.errors + (self.leaving if self.arrivals < 2 else [])

    def watch(self) -> None:
        self.page.on("framenavigated", self._arrive)
        self.page.on("pageerror", lambda error: self._hear(str(error)))
        self.page.on("console", self._listen)
        self.page.on("request", self._note)

    def _listen(self, said: ConsoleMessage) -> None:
        if said.type == "error":
            self._hear(f"{said.text} ({said.location.get('url', '')})")

    def _arrive(self, frame: Frame) -> None:
        self.arrivals += frame == self.page.main_frame

    def _hear(self, words: str) -> None:
        (self.leaving if LEAVING.search(words) else self.errors).append(words)

    def _note(self, request: Request) -> None:
        self.requests.append(request)
        address = urlsplit(request.url)
        if address.scheme not in {"data", "blob"} and address.hostname not in LOOPBACK:
            self.strangers.append(request.url)


Open = Callable[..., Opened]


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Open]:
    """``open_page(address, locale="zh-CN")`` opens a page in a context of its own.

    When the test ends, an error on the console and a request that left this machine fail it. A page
    whose server ends within the test is closed before, or it reports the lost connection.
    """
    pages: list[Opened] = []

    def open_(address: str, *, locale: str = "en-US", color_scheme: str = "light") -> Opened:
        context = browser.new_context(viewport=VIEWPORT, locale=locale, color_scheme=color_scheme)
        opened = Opened(context.new_page())
        opened.watch()
        pages.append(opened)
        opened.page.goto(address)
        return opened

    yield open_
    for opened in pages:
        opened.page.context.close()
    assert [opened.faults() for opened in pages] == [[] for _ in pages]
    assert [opened.strangers for opened in pages] == [[] for _ in pages]


def wait_until(true: Callable[[], bool], what: str, *, seconds: float = 30) -> None:
    """Poll until ``true()``; for conditions that Playwright's own waiting can't express."""
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, f"still not after {seconds:g} s: {what}"
        time.sleep(0.05)
