"""A bad line: the server's first reply to a button is held back until it is let go."""

from __future__ import annotations

from playwright.sync_api import APIResponse, Route

from tests.browser.person import PATIENCE, Person

JOIN = "**/queue/join*"
OF_GRADIO = "name => gradio_config.components.find((one) => one.props.elem_id === name).id"
"""Gradio's number of a component, which its events carry."""


class BadLine:
    """Holds back the reply by which a page hears that an event of this button has begun.

    Only that button's: a page has events of its own, whenever it comes to its mind.
    """

    def __init__(self, me: Person, button: str) -> None:
        self._page = me.page
        self._button = me.page.evaluate(OF_GRADIO, button)
        self._replies: list[tuple[Route, APIResponse]] = []
        self._page.route(JOIN, self._pass)

    def _pass(self, route: Route) -> None:
        reply = route.fetch()
        if route.request.post_data_json["trigger_id"] == self._button:
            self._replies.append((route, reply))
            if len(self._replies) == 1:
                return
        route.fulfill(response=reply)

    def has_begun(self, events: int) -> None:
        """Wait until the server has begun so many, the first of which the page has not heard of."""
        for _ in range(PATIENCE // 50):
            if len(self._replies) == events:
                return
            # Playwright hears of requests only while the page goes on.
            self._page.wait_for_timeout(50)
        raise AssertionError(f"{len(self._replies)} events have begun instead of {events}")

    def lets_go(self) -> None:
        route, reply = self._replies[0]
        route.fulfill(response=reply)
