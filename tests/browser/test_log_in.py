"""The log-in in a browser: behind a proxy with TLS under a sub-path, as docs/security.md has it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser.axe import findings
from tests.browser.conftest import VIEWPORT, Opened, launched
from tests.browser.person import PATIENCE, Person
from tests.fakes.accounts import write_users
from tests.fakes.proxy import PREFIX, free_port, proxied
from tests.fakes.server import serving

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make a certificate"),
]

NAME, PASSWORD = "李雷", "correct horse battery"


@dataclass(frozen=True)
class Proxy:
    address: str
    trusted: str
    """The hash of its public key."""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    folder = tmp_path_factory.mktemp("proxied")
    users = write_users(folder / "users", **{NAME: PASSWORD})
    port, upstream = free_port(), free_port()
    public = f"https://127.0.0.1:{port}{PREFIX}"
    options = ["app.py", "--no-browser", "--port", upstream, "--workspace", folder / "workspace"]
    options += ["--auth", users, "--public-url", public, "--trust-proxy", "127.0.0.1"]
    with serving(options), proxied(folder, port=port, upstream=upstream) as trusted:
        yield Proxy(public, trusted)


@pytest.fixture(scope="module")
def address(proxy: Proxy) -> str:
    return proxy.address


@pytest.fixture(scope="module")
def browser(proxy: Proxy) -> Iterator[Browser]:
    """One that trusts the proxy's certificate, as a person's does. Where errors of certificates are
    ignored instead, Chromium begins a request again at each new connection of the page, and gives
    it up after 32."""
    with launched(f"--ignore-certificate-errors-spki-list={proxy.trusted}") as chromium:
        yield chromium


@contextmanager
def opened(
    browser: Browser, address: str, *, locale: str = "en-US", scheme: str = "light"
) -> Iterator[Opened]:
    """A page that watches itself."""
    context: BrowserContext = browser.new_context(
        viewport=VIEWPORT, locale=locale, color_scheme=scheme
    )
    one = Opened(context.new_page())
    one.watch()
    try:
        one.page.goto(f"{address}/")
        yield one
    finally:
        context.close()
    assert one.strangers == []


def enter(page: Page, password: str) -> None:
    page.locator("#username").fill(NAME)
    page.locator("#password").fill(password)
    page.locator("button").click()


def test_a_person_logs_in_works_and_logs_out(browser: Browser, address: str) -> None:
    with opened(browser, address, locale="zh-CN") as one:
        page = one.page
        expect(page).to_have_url(f"{address}/login")
        expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
        expect(page.locator("#username")).to_be_focused()
        enter(page, "wrong password")
        expect(page.get_by_role("alert")).to_contain_text("用户名或密码不正确")
        # A browser writes what was refused on its console.
        one.errors.clear()
        enter(page, PASSWORD)
        me = Person(page)
        me.arrives()
        assert page.url == f"{address}/"
        for tab in ("data", "hyperparameters", "training", "chat"):
            me.goes_to(tab)
        (cookie,) = page.context.cookies()
        assert cookie["secure"] and cookie["httpOnly"] and cookie["sameSite"] == "Lax"
        assert cookie["path"] == PREFIX and cookie["name"].startswith("__Secure-medtune-")
        assert page.evaluate("document.cookie") == ""
        assert one.errors == []
        page.get_by_role("button", name="退出登录").click()
        expect(page).to_have_url(f"{address}/login")
        page.goto(f"{address}/")
        expect(page).to_have_url(f"{address}/login")


def test_a_session_that_has_ended_leads_to_the_log_in(browser: Browser, address: str) -> None:
    with opened(browser, address) as one:
        page = one.page
        page.get_by_role("link", name="中文").click()
        expect(page.locator("label").first).to_have_text("用户名")
        page.get_by_role("link", name="English").click()
        expect(page.locator("label").first).to_have_text("Name")
        enter(page, PASSWORD)
        Person(page).arrives()
        page.context.clear_cookies()
        # What a person comes back to after a night.
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        expect(page).to_have_url(f"{address}/login", timeout=PATIENCE)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_log_in_page_can_be_read(browser: Browser, address: str, scheme: str) -> None:
    """WCAG AA: 4.5 to 1 for text; and nothing is fetched but the page and its icon."""
    with opened(browser, address, scheme=scheme) as one:
        ratios: dict[str, float] = one.page.evaluate(CONTRASTS)
        assert len(ratios) > 6 and min(ratios.values()) >= 4.5, ratios
        assert findings(one.page) == []
        assert one.errors == []
        paths = {request.url.removeprefix(address) for request in one.requests}
        assert paths <= {"/", "/login", "/favicon.ico"}


CONTRASTS = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const channels = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = (colour) => channels(colour).slice(0, 3).map((value) => value / 255)
    .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
    .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
  const ground = (node) => {
    for (let behind = node; behind; behind = behind.parentElement) {
      const fill = getComputedStyle(behind).backgroundColor;
      if (channels(fill)[3] === 255) return fill;
    }
    return "white";
  };
  const found = {};
  for (const node of document.querySelectorAll("h1, p, label, button, input, nav a")) {
    const pair = [light(getComputedStyle(node).color), light(ground(node))].sort((a, b) => b - a);
    found[node.tagName + (node.textContent || node.id)] = (pair[0] + 0.05) / (pair[1] + 0.05);
  }
  return found;
}"""
