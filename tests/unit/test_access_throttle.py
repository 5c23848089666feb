"""Who guesses at passwords waits, longer each time; nobody else does."""

from __future__ import annotations

import pytest

from backend.access import throttle
from backend.access.throttle import FORGET_SECONDS, FREE, Throttle, network_of


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def fail(one: Throttle, times: int, address: str = "10.0.0.1", name: str = "ann") -> list[float]:
    return [one.begin(address, name) for _ in range(times)]


def test_a_slip_costs_nothing(clock: Clock) -> None:
    assert fail(Throttle(clock), FREE) == [0.0] * FREE


def test_each_further_try_waits_twice_as_long(clock: Clock) -> None:
    one = Throttle(clock)
    fail(one, FREE)
    waits = []
    for _ in range(4):
        waits.append(one.begin("10.0.0.1", "ann"))
        clock.now += waits[-1]
        assert one.begin("10.0.0.1", "ann") == 0.0
    assert waits == [1.0, 2.0, 4.0, 8.0]


def test_a_hundred_at_once_are_a_hundred(clock: Clock) -> None:
    """Counting a failure only when the hash was made let all of them through meanwhile."""
    assert fail(Throttle(clock), 100).count(0.0) == FREE


def test_tries_during_a_wait_do_not_lengthen_it(clock: Clock) -> None:
    one = Throttle(clock)
    fail(one, FREE)
    assert set(fail(one, 50)) == {1.0}


def test_one_address_waits_whatever_names_it_tries(clock: Clock) -> None:
    one = Throttle(clock)
    waits = [one.begin("10.0.0.1", f"user{number}") for number in range(FREE + 1)]
    assert waits[-1] > 0


def test_one_name_waits_wherever_it_is_tried_from(clock: Clock) -> None:
    one = Throttle(clock)
    waits = [one.begin(f"10.0.0.{number}", "ann") for number in range(FREE + 1)]
    assert waits[-1] > 0


def test_a_name_that_nobody_has_waits_like_any_other(clock: Clock) -> None:
    """Otherwise the wait would tell who there is."""
    one, other = Throttle(clock), Throttle(clock)
    assert fail(one, 20, name="ann") == fail(other, 20, name="nobody")


def test_all_addresses_of_one_ipv6_network_are_one(clock: Clock) -> None:
    one = Throttle(clock)
    waits = [one.begin(f"2001:db8::{number:x}", f"u{number}") for number in range(FREE + 1)]
    assert waits[-1] > 0
    assert network_of("::ffff:10.0.0.1") == network_of("10.0.0.1")


def test_waits_have_an_end(clock: Clock) -> None:
    one = Throttle(clock)
    for _ in range(40):
        clock.now += one.begin("10.0.0.1", "ann")
        one.begin("10.0.0.1", "ann")
    assert one.begin("10.0.0.1", "ann") <= throttle.MOST_FOR_ADDRESS
    assert one.begin("10.9.9.9", "ann") <= throttle.MOST_FOR_NAME


def test_time_clears_it(clock: Clock) -> None:
    one = Throttle(clock)
    fail(one, FREE)
    clock.now += 1.0 + FORGET_SECONDS + 0.1
    assert fail(one, FREE) == [0.0] * FREE


def test_the_right_password_clears_the_name_but_not_the_address(clock: Clock) -> None:
    """Who has a name of their own would log in between two guesses at somebody else's."""
    one = Throttle(clock)
    fail(one, FREE - 1, name="bob")
    assert one.begin("10.0.0.1", "mallory") == 0.0
    one.succeeded("10.0.0.1", "mallory")
    assert one.begin("10.0.0.1", "bob") == 0.0
    assert one.begin("10.0.0.1", "carol") > 0
    assert one.begin("10.0.0.2", "mallory") == 0.0


def test_nobody_is_kept_out_by_guesses_made_elsewhere(clock: Clock) -> None:
    one = Throttle(clock)
    assert one.begin("10.0.0.1", "ann") == 0.0
    one.succeeded("10.0.0.1", "ann")
    for number in range(50):
        one.begin(f"10.1.0.{number}", "ann")
    assert one.begin("10.2.0.1", "ann") > 0
    assert one.begin("10.0.0.1", "ann") == 0.0


def test_names_without_end_do_not_fill_the_memory(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(throttle, "MOST_KEPT", 50)
    one = Throttle(clock)
    for number in range(500):
        one.begin(f"10.{number // 200}.{number % 200}.1", f"user{number}")
    assert len(one._failures) <= 50
