"""What can go wrong at the local hub: faults and holds, set and lifted while it serves."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from tests.fakes.hub_content import Garbled, Held, Truncated
from tests.fakes.hub_values import (
    ANY_FILE,
    INFO,
    LISTING,
    REVISIONS,
    Answer,
)

T = TypeVar("T")

_HTML = b"<!doctype html><html><head><title>Sign in</title></head><body>Portal</body></html>"
_NO_FILES = {"", LISTING, REVISIONS, INFO}


@dataclass(frozen=True, kw_only=True)
class Fault:
    """How an answer goes wrong; several can be said at once.

    Attributes:
        drop_after: Close the connection after this many bytes of the body.
        reset: Where it is dropped, do so by RST instead of FIN.
        no_answer: Close it without a word.
        ignore_range: 200 and the whole file, whatever part was asked for.
        other_bytes: As many bytes, and all of them wrong.
        truncate_to: The file has only this many bytes, whatever the listing says.
        status: Answer with this status and a message, not with what was asked for.
        retry_after: Seconds, as the header Retry-After.
        headers: Further headers of the answer.
        html: Answer 200 (or ``status``) and a page of HTML.
        body: Answer 200 (or ``status``) and these bytes.
        empty: A listing without entries.
        rate: Bytes a second.
        stall_after: Send this many bytes of the body, then nothing until the fault is ended.
        delay: Seconds before the answer's first byte.
        before_redirect: Where the hub redirects to the CDN, go wrong at the hub.
    """

    drop_after: int | None = None
    reset: bool = False
    no_answer: bool = False
    ignore_range: bool = False
    other_bytes: bool = False
    truncate_to: int | None = None
    status: int | None = None
    retry_after: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    html: bool = False
    body: bytes | None = None
    empty: bool = False
    rate: int | None = None
    stall_after: int | None = None
    delay: float = 0
    before_redirect: bool = False

    def applied(self, answer: Answer) -> Answer:
        """The answer as it is sent, but for what is done while it is sent."""
        further = dict(self.headers)
        if self.retry_after is not None:
            further["Retry-After"] = str(self.retry_after)
        if self.status is not None or self.html or self.body is not None:
            return self._instead(answer, further)
        answer = replace(answer, headers={**answer.headers, **further})
        if self.empty and answer.if_empty:
            answer = replace(answer, content=answer.if_empty)
        if self.truncate_to is not None:
            answer = replace(answer, content=Truncated(answer.content, self.truncate_to))
        if self.other_bytes:
            answer = replace(answer, content=Garbled(answer.content))
        return answer

    def _instead(self, answer: Answer, further: Mapping[str, str]) -> Answer:
        said = {"Code": self.status, "Message": "出错了", "Success": False, "error": "a fault"}
        body = self.body if self.body is not None else json.dumps(said, ensure_ascii=False).encode()
        kind = "application/json" if self.body is None else "application/octet-stream"
        if self.html:
            body, kind = _HTML, "text/html; charset=utf-8"
        headers = {"Content-Type": kind, **further}
        status = 200 if self.status is None else self.status
        return replace(answer, status=status, content=Held(body), headers=headers, is_file=False)


class Trouble:
    """A fault at its place, until it has happened ``times`` times or is ended.

    Attributes:
        hits: Requests that met it.
        over: Set once it is ended; what stalls goes on then.
    """

    def __init__(self, fault: Fault, times: int | None) -> None:
        self.fault = fault
        self.hits = 0
        self.over = threading.Event()
        self._times = times

    @property
    def on(self) -> bool:
        return not self.over.is_set() and (self._times is None or self.hits < self._times)

    def end(self) -> None:
        self.over.set()


class Hold:
    """Transfers of a file stop at byte ``at`` until released; ``with`` releases at its end.

    Attributes:
        reached: Set once a transfer stands there, all bytes before having left the hub.
    """

    def __init__(self, at: int) -> None:
        self.at = at
        self.reached = threading.Event()
        self.released = threading.Event()

    def release(self) -> None:
        self.released.set()

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class Faults:
    """All faults and holds of a hub, by repository and path.

    A request meets the oldest fault of its place that is on; one set for a path comes before one
    for any file. HEAD meets the status of the next one and does not use it up.
    """

    def __init__(self) -> None:
        self.stop = threading.Event()
        self._lock = threading.Lock()
        self._troubles: dict[tuple[str, str], list[Trouble]] = {}
        self._holds: dict[tuple[str, str], list[Hold]] = {}

    def add(self, id: str, path: str, times: int | None, what: Mapping[str, Any]) -> Trouble:
        trouble = Trouble(Fault(**what), times)
        with self._lock:
            self._troubles.setdefault((id, path), []).append(trouble)
        return trouble

    def hold(self, id: str, path: str, at: int) -> Hold:
        held = Hold(at)
        with self._lock:
            self._holds.setdefault((id, path), []).append(held)
        return held

    def met_by(self, method: str, answer: Answer) -> Trouble | None:
        """The fault that this answer meets, used up once unless it is only asked about."""
        with self._lock:
            trouble = next(
                (one for one in _of(self._troubles, answer.about) if _meets(one, answer)), None
            )
            if trouble is None or (method == "HEAD" and trouble.fault.status is None):
                return None
            if method == "GET":
                trouble.hits += 1
            return trouble

    def next_hold(self, about: tuple[str, str], at: int) -> Hold | None:
        """The first place from byte ``at`` on where a transfer has to stop."""
        with self._lock:
            holds = _of(self._holds, about)
        waiting = [held for held in holds if held.at >= at and not held.released.is_set()]
        return min(waiting, key=lambda held: held.at, default=None)

    def end(self, id: str | None = None, path: str | None = None) -> None:
        """End the faults and holds of a path, of a repository, or all."""
        with self._lock:
            for place, troubles in self._troubles.items():
                if id in (None, place[0]) and path in (None, place[1]):
                    for trouble in troubles:
                        trouble.end()
            for place, holds in self._holds.items():
                if id in (None, place[0]) and path in (None, place[1]):
                    for held in holds:
                        held.release()

    def close(self) -> None:
        self.stop.set()
        self.end()


def _of(placed: Mapping[tuple[str, str], list[T]], about: tuple[str, str]) -> list[T]:
    id, path = about
    found = placed.get(about, [])
    return found if path in _NO_FILES else [*found, *placed.get((id, ANY_FILE), [])]


def _meets(trouble: Trouble, answer: Answer) -> bool:
    if trouble.fault.before_redirect:
        return trouble.on and not answer.at_cdn
    return trouble.on and "Location" not in answer.headers
