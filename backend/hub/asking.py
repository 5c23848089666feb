"""Ask a hub while a person waits for the page: an answer, or a sentence, within a known time.

A socket's own time limit starts anew with every byte, and the clients try again by themselves; only
a limit on the whole tells a person something in time.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from backend.hub.failures import Transient

SILENCE = 20.0
"""Seconds without a byte after which a question's connection is given up."""

SECONDS = 60.0
"""For all questions about one repository: a listing of some thousand files takes ModelScope ten."""

T = TypeVar("T")


def within(ask: Callable[[], T], *, endpoint: str, seconds: float | None = None) -> T:
    """The answer, if it comes in time. The question itself ends by its own limits.

    Args:
        seconds: None for ``SECONDS``.

    Raises:
        Transient: it does not come in time; or whatever ``ask`` raises.
    """
    asked = _Asked(ask)
    threading.Thread(target=asked.run, name="ask a hub", daemon=True).start()
    if not asked.ended.wait(SECONDS if seconds is None else seconds):
        raise Transient("hub.errors.timed_out", endpoint=endpoint)
    if asked.error is not None:
        raise asked.error
    return asked.answer


class _Asked(Generic[T]):
    """A question in a thread of its own."""

    answer: T

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self.error: BaseException | None = None
        self.ended = threading.Event()

    def run(self) -> None:
        try:
            self.answer = self._ask()
        except BaseException as error:  # it is raised where the answer is waited for
            self.error = error
        finally:
            self.ended.set()
