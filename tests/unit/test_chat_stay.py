"""A page stays with the questions that it asked, and with nobody else's."""

from __future__ import annotations

import threading
from typing import Any, cast

import gradio as gr
import pytest

from backend.chat.under_way import Asking
from backend.errors import EngineError
from ui.components.chat_stay import Waiting, stay


class Question:
    """Runs until it is answered or stopped."""

    def __init__(self, error: EngineError | None = None) -> None:
        self.error = error
        self.stopped = False
        self._over = threading.Event()

    @property
    def running(self) -> bool:
        return not self._over.is_set()

    def wait(self, seconds: float | None = None) -> None:
        self._over.wait(seconds)

    def answer(self) -> None:
        self._over.set()

    def stop(self) -> None:
        self.stopped = True
        self._over.set()


def asking(error: EngineError | None = None) -> Any:
    return cast(Asking, Question(error))


def page(name: str) -> gr.Request:
    return gr.Request(session_hash=name)


def test_each_page_gets_its_own_once() -> None:
    waiting = Waiting()
    first, second, other = asking(), asking(), asking()
    waiting.waits(page("one"), first)
    waiting.waits(page("two"), other)
    waiting.waits(page("one"), second)
    assert waiting.taken(page("one")) == [first, second]
    assert waiting.taken(page("one")) == []
    assert waiting.taken(page("two")) == [other]


def test_questions_of_pages_that_went_are_forgotten_when_they_are_answered() -> None:
    waiting = Waiting()
    answered, running = asking(), asking()
    waiting.waits(page("gone"), answered)
    waiting.waits(page("there"), running)
    answered.answer()
    waiting.waits(page("new"), asking())
    assert waiting.taken(page("gone")) == []
    assert waiting.taken(page("there")) == [running]


def test_it_stays_until_all_are_answered() -> None:
    first, second = asking(), asking()
    staying = stay(first, second)
    next(staying)
    first.answer()
    next(staying)
    assert not second.stopped
    second.answer()
    assert list(staying) == []


def test_when_the_browser_leaves_all_are_stopped() -> None:
    first, second = asking(), asking()
    staying = stay(first, second)
    next(staying)
    staying.close()  # what Gradio does
    assert first.stopped and second.stopped


def test_what_could_not_be_kept_is_told() -> None:
    failed = asking(EngineError("chat.errors.nothing_asked"))
    failed.answer()
    with pytest.raises(EngineError):
        list(stay(asking_answered(), failed))


def asking_answered() -> Any:
    one = asking()
    one.answer()
    return one
