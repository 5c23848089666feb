"""The decode loop by itself: places, turns, and what happens when a forward pass fails."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from backend.workers import engine_batch
from backend.workers.engine_batch import BatchLoop, FullError
from backend.workers.engine_model import Base, load_base
from backend.workers.engine_protocol import SamplingSettings
from backend.workers.engine_row import End, Row, Token
from backend.workers.engine_sampling import Sampler
from tests.fakes.tiny_columns import make_base
from tests.fakes.trainers import wait_until

pytestmark = pytest.mark.integration

PROMPTS = [[1, 2, *range(20, 20 + size)] for size in (5, 5, 300, 9)]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return load_base(make_base(tmp_path_factory.mktemp("batch") / "base"))


class Heard:
    """A row with its events."""

    def __init__(self, prompt: Sequence[int], longest: int = 12) -> None:
        self.tokens: list[int] = []
        self.end: End | None = None
        self.over = threading.Event()
        self.row = Row(
            prompt=prompt,
            adapter=None,
            sampler=Sampler(SamplingSettings(temperature=0.0), prompt, torch.device("cpu")),
            longest=longest,
            stop_ids=frozenset(),
            sink=self.hear,
        )

    def hear(self, event: Token | End) -> None:
        assert self.end is None, "nothing follows the end"
        if isinstance(event, End):
            self.end = event
            self.over.set()
        else:
            self.tokens.append(event.id)

    def wait(self) -> str:
        assert self.over.wait(240)
        assert self.end is not None
        return self.end.reason


def running(base: Base) -> BatchLoop:
    loop = BatchLoop(base)
    threading.Thread(target=loop.run, daemon=True).start()
    return loop


def answers(loop: BatchLoop) -> list[list[int]]:
    heard = [Heard(prompt) for prompt in PROMPTS]
    for one in heard:
        loop.submit(one.row)
    assert [one.wait() for one in heard] == ["length"] * len(heard)
    return [one.tokens for one in heard]


def test_taking_turns_gives_the_answers_of_the_batch(base: Base) -> None:
    """A model whose cache can't be cut and joined answers row by row; so does a full memory."""
    together = answers(running(base))
    assert all(len(tokens) == 12 for tokens in together)
    turns = replace(base, max_rows=1)
    narrow = replace(base, room=2 * 320)
    small_steps = replace(base, chunk=3)
    for other in (turns, narrow, small_steps):
        assert answers(running(other)) == together


def test_rows_that_do_not_fit_together_wait(base: Base) -> None:
    loop = running(replace(base, max_rows=2))
    first = [Heard([1, 2, 3], longest=400) for _ in range(2)]
    last = Heard([1, 2, 3], longest=2)
    for one in (*first, last):
        loop.submit(one.row)
    assert last.wait() == "length"
    assert all(one.wait() == "length" for one in first)
    # A row is told of its end before its place is free.
    wait_until(lambda: loop.load_now() == {"running": 0, "waiting": 0}, 60)


def test_cancelled_rows_end_wherever_they_are(base: Base) -> None:
    loop = running(replace(base, max_rows=1, chunk=1))
    active, waiting = Heard(list(range(5, 400)), longest=1500), Heard([1], longest=1500)
    loop.submit(active.row)
    loop.submit(waiting.row)
    waiting.row.cancelled = True
    active.row.cancelled = True
    assert {active.wait(), waiting.wait()} == {"cancelled"}
    after = Heard([1, 2, 3], longest=2)
    loop.submit(after.row)
    assert after.wait() == "length"


def test_a_forward_pass_that_fails_ends_its_rows_and_nothing_else(
    base: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Out of memory in the middle of an answer: the rows say so, and the next one is answered."""
    loop = running(base)
    whole = base.model.forward
    calls = 0

    def failing(*args: Any, **kwargs: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 4:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return whole(*args, **kwargs)

    monkeypatch.setattr(base.model, "forward", failing)
    heard = [Heard([1, 2, 3]) for _ in range(3)]
    for one in heard:
        loop.submit(one.row)
    assert [one.wait() for one in heard] == ["error"] * 3
    assert heard[0].end is not None
    assert "out of memory" in heard[0].end.error
    again = Heard([1, 2, 3])
    loop.submit(again.row)
    assert again.wait() == "length"


def test_too_many_are_refused(base: Base, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_batch, "MAX_WAITING", 2)
    loop = BatchLoop(base)
    for _ in range(2):
        loop.submit(Heard([1]).row)
    with pytest.raises(FullError):
        loop.submit(Heard([1]).row)


def test_what_a_call_raises_reaches_its_caller(base: Base) -> None:
    loop = running(base)
    with pytest.raises(KeyError):
        loop.call(lambda: {}["nothing"]).result(10)
    assert loop.call(lambda: 3).result(10) == 3


def test_limits_come_from_the_model_and_the_memory(base: Base) -> None:
    assert base.context == 2048
    assert base.room > base.context
    assert base.max_rows > 1
    assert (base.dtype, base.device.type) == (torch.float32, "cpu")
