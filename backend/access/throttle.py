"""Slows down who guesses at passwords: by address and by name, longer each time, and for a while.

A try counts from its beginning, so that a hundred at once are a hundred. While somebody waits, no
password is looked at: the answer tells nothing, and costs nothing.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

FREE = 5
"""Tries without a wait: a person's slips."""

FORGET_SECONDS = 900.0
"""An address or a name without a failure for this long begins anew."""

MOST_FOR_ADDRESS = 900.0
MOST_FOR_NAME = 60.0
"""Longest waits, in seconds. A name's is short: anybody can make its owner wait."""

MOST_KEPT = 10_000
"""Addresses and names remembered, the latest ones: who sends others must not fill the memory."""

Key = tuple[str, str]


@dataclass
class _Failures:
    count: int
    until: float
    last: float


class Throttle:
    """The failures of one dashboard's log-in; all methods may be called from any thread.

    Args:
        clock: Seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._failures: OrderedDict[Key, _Failures] = OrderedDict()
        self._at_home: OrderedDict[tuple[str, str], None] = OrderedDict()

    def begin(self, address: str, name: str) -> float:
        """Note a try; the result is how many seconds to wait before another one is looked at.

        0 means: go on, and tell ``succeeded`` if the password is right.
        """
        with self._lock:
            now = self._clock()
            keys = self._keys(address, name)
            wait = max(self._left(key, now) for key in keys)
            if wait <= 0:
                for key in keys:
                    self._count(key, now)
            return max(wait, 0.0)

    def succeeded(self, address: str, name: str) -> None:
        """The try was right: it does not count, and the name's earlier failures are forgotten.

        The address's stay: who has a name of their own could guess at others' in between.
        """
        with self._lock:
            self._failures.pop(("name", name), None)
            key = ("address", network_of(address))
            if failures := self._failures.get(key):
                failures.count -= 1
                failures.until = 0.0
            self._at_home[key[1], name] = None
            self._at_home.move_to_end((key[1], name))
            while len(self._at_home) > MOST_KEPT:
                self._at_home.popitem(last=False)

    def _keys(self, address: str, name: str) -> list[Key]:
        """Where a name has logged in before, it does not wait for what others try elsewhere."""
        network = network_of(address)
        keys = [("address", network)]
        return keys if (network, name) in self._at_home else [*keys, ("name", name)]

    def _left(self, key: Key, now: float) -> float:
        failures = self._failures.get(key)
        if failures is None:
            return 0.0
        if now - max(failures.last, failures.until) > FORGET_SECONDS:
            del self._failures[key]
            return 0.0
        return failures.until - now

    def _count(self, key: Key, now: float) -> None:
        failures = self._failures.setdefault(key, _Failures(0, 0.0, now))
        self._failures.move_to_end(key)
        failures.count += 1
        failures.last = now
        if failures.count >= FREE:
            most = MOST_FOR_ADDRESS if key[0] == "address" else MOST_FOR_NAME
            failures.until = now + min(2.0 ** min(failures.count - FREE, 20), most)
        while len(self._failures) > MOST_KEPT:
            self._failures.popitem(last=False)


def network_of(address: str) -> str:
    """The address, or for IPv6 its /64: who has one has all 2^64 of them."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if known.version == 6 and known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(known) if known.version == 4 else str(ipaddress.ip_network((known, 64), False))
