"""The decode loop by itself: places, turns, and what happens when a forward pass fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch

from backend.workers import engine_batch
from backend.workers.engine_batch import BatchLoop, FullError
from backend.workers.engine_model import Base, load_base
from backend.workers.engine_peft import PeftAdapter
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


class Slow(torch.nn.Module):
    """A model that takes its time for each forward pass."""

    def __init__(self, model: torch.nn.Module, seconds: float) -> None:
        super().__init__()
        self.inner, self._seconds = model, seconds

    def forward(self, **inputs: Any) -> Any:
        time.sleep(self._seconds)
        return self.inner(**inputs)


def test_a_slow_column_does_not_hold_up_the_others(base: Base) -> None:
    """Turns are shared by time, not by tokens: a model that takes longer for each token than the
    others for ten gets its share, and so do they."""
    loop = running(base)
    slow = PeftAdapter("", "use_dora", Slow(base.blank, 0.3))
    number = loop.call(lambda: loop.attach(slow)).result(10)
    late, quick = Heard(PROMPTS[0], longest=60), Heard(PROMPTS[0], longest=40)
    late.row.adapter = number
    loop.submit(late.row)
    wait_until(lambda: len(late.tokens) > 1, 60)
    loop.submit(quick.row)
    begun = len(late.tokens)
    assert quick.wait() == "length"
    assert len(late.tokens) - begun < 20, "the quick one waited for each of the slow one's tokens"
    after = len(late.tokens)
    wait_until(lambda: len(late.tokens) > after, 60)
    late.row.cancelled = True
    assert late.wait() == "cancelled"
    assert quick.tokens[:12] == answers(loop)[0]


def test_a_row_that_waits_for_memory_is_not_overtaken_for_ever(base: Base) -> None:
    """Small questions to another column would take the room as often as it got free."""
    loop = running(replace(base, room=800))
    number = loop.call(lambda: loop.attach(PeftAdapter("", "OFT", Slow(base.blank, 0)))).result(10)
    first = Heard([1, 2, 3], longest=500)
    large = Heard([1, 2, 3, 4], longest=600)
    small = [Heard([1, 2], longest=10) for _ in range(3)]
    for one in small:
        one.row.adapter = number
    loop.submit(first.row)
    wait_until(lambda: bool(first.tokens), 60)
    for one in (large, *small):
        loop.submit(one.row)
    assert large.wait() == "length"
    assert [one.wait() for one in small] == ["length"] * 3
    assert first.end is not None


def test_an_adapter_of_its_own_lane_goes_when_its_last_answer_ends(base: Base) -> None:
    loop = running(base)
    number = loop.call(lambda: loop.attach(PeftAdapter("", "OFT", base.blank))).result(10)
    heard = Heard(PROMPTS[0], longest=100)
    heard.row.adapter = number
    loop.submit(heard.row)
    wait_until(lambda: bool(heard.tokens), 60)
    loop.call(lambda: loop.retire(number)).result(10)
    assert heard.wait() == "length"
    wait_until(lambda: number not in loop._alone, 60)
