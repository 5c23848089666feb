"""Sends the local hub's answers over HTTP/1.1, as badly as their faults say.

Knows nothing about repositories and protocols: a function says what is to be answered.
"""

from __future__ import annotations

import re
import socket
import struct
import sys
import threading
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.fakes.hub_content import Held
from tests.fakes.hub_faults import Fault, Faults, Trouble
from tests.fakes.hub_values import Answer, Ask, Request

_STEP = 1 << 20
_POLL = 0.02
_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


@dataclass
class Service:
    """What both addresses of a hub share.

    Attributes:
        requests: All so far, oldest first.
        mishaps: Tracebacks of what went wrong here unasked.
    """

    faults: Faults = field(default_factory=Faults)
    requests: list[Request] = field(default_factory=list)
    mishaps: list[str] = field(default_factory=list)


class Listener(ThreadingHTTPServer):
    """One address; ends without leaving a thread or a socket behind."""

    daemon_threads = False  # daemons are not waited for
    request_queue_size = 128

    def __init__(
        self, name: str, port: int, service: Service, answer: Callable[[Ask], Answer]
    ) -> None:
        super().__init__(("127.0.0.1", port), Talk)
        self.name = name
        self.service = service
        self.answer = answer
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL,), name=name)
        self._thread.start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def close(self) -> None:
        """Hang up on everyone; the faults have to be closed before."""
        self.shutdown()
        self._thread.join()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        self.server_close()

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that leaves is no mishap."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            self.service.mishaps.append(traceback.format_exc())


class Talk(BaseHTTPRequestHandler):
    """The requests of one connection, one after another."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Listener

    def do_GET(self) -> None:  # noqa: N802 (the name that http.server calls)
        headers = {name.title(): value for name, value in self.headers.items()}
        ask = Ask(self.command, self.path, headers)
        answer = self.server.answer(ask)
        record = self._record(ask, answer)
        trouble = self.server.service.faults.met_by(ask.method, answer)
        fault = trouble.fault if trouble else Fault()
        answer = fault.applied(answer)
        part = _part(answer, None if fault.ignore_range else self.headers.get("Range"))
        try:
            self._say(Transfer(self.connection, self.server.service.faults, part, trouble, record))
        except ConnectionError:
            self.close_connection = True
        finally:
            record.finished = True

    do_HEAD = do_GET  # noqa: N815 (the name that http.server calls)

    def log_message(self, *args: object) -> None:
        """Quiet."""

    def _record(self, ask: Ask, answer: Answer) -> Request:
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        record = Request(
            time=time.time(),
            server=self.server.name,
            method=ask.method,
            target=ask.target,
            id=answer.about[0],
            file=answer.about[1],
            start=int(asked[1]) if asked and asked[1] else None,
            authorization=self.headers.get("Authorization"),
            cookie=self.headers.get("Cookie"),
            user_agent=self.headers.get("User-Agent"),
        )
        self.server.service.requests.append(record)
        return record

    def _say(self, transfer: Transfer) -> None:
        fault = transfer.fault
        transfer.sleep(fault.delay)
        if not fault.no_answer:
            transfer.record.status = transfer.part.answer.status
            self._head(transfer.part)
            if self.command != "HEAD":
                transfer.run()
        if fault.no_answer or transfer.dropped:
            self._hang_up(reset=fault.reset)

    def _head(self, part: Part) -> None:
        self.send_response(part.answer.status)
        for name, value in part.answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(part.end - part.start))
        self.end_headers()

    def _hang_up(self, *, reset: bool) -> None:
        self.close_connection = True
        if reset:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            self.connection.close()


@dataclass(frozen=True)
class Part:
    """The bytes of an answer that are sent, ``end`` not among them."""

    answer: Answer
    start: int
    end: int


def _part(answer: Answer, asked: str | None) -> Part:
    """What is sent for a Range; one that can't be read is as none."""
    size = answer.content.size
    found = _RANGE.fullmatch(asked or "")
    if not answer.is_file or not found or found[0] == "bytes=-":
        return Part(answer, 0, size)
    first, last = found.groups()
    start = int(first) if first else max(0, size - int(last))
    end = min(size, int(last) + 1) if first and last else size
    if start >= end:
        headers = {**answer.headers, "Content-Range": f"bytes */{size}"}
        return Part(replace(answer, status=416, content=Held(b""), headers=headers), 0, 0)
    headers = {**answer.headers, "Content-Range": f"bytes {start}-{end - 1}/{size}"}
    return Part(replace(answer, status=206, headers=headers), start, end)


class Transfer:
    """Sends the bytes of one answer, and stops where its fault or a hold says.

    Attributes:
        record: Where it is counted.
        dropped: Whether the fault ended it.
    """

    def __init__(
        self,
        connection: socket.socket,
        faults: Faults,
        part: Part,
        trouble: Trouble | None,
        record: Request,
    ) -> None:
        self.part = part
        self.fault = trouble.fault if trouble else Fault()
        self.dropped = False
        self._connection = connection
        self._faults = faults
        self._trouble = trouble
        self.record = record
        self._at = part.start

    def run(self) -> None:
        while self._at < self.part.end:
            stop = self._stop()
            if self._at < stop:
                self._send(stop)
            elif self._sent == self.fault.drop_after:
                self.dropped = True
                return
            else:
                self._stand()

    def sleep(self, seconds: float) -> None:
        if seconds > 0:
            self._wait(self._faults.stop, seconds)

    @property
    def _sent(self) -> int:
        return self._at - self.part.start

    @property
    def _stalls(self) -> bool:
        return self._trouble is not None and not self._trouble.over.is_set()

    def _stop(self) -> int:
        """Where the next thing happens; here if it happens now."""
        stops = [self.part.end]
        if self.fault.drop_after is not None:
            stops.append(self.part.start + self.fault.drop_after)
        if self.fault.stall_after is not None and self._stalls:
            stops.append(max(self._at, self.part.start + self.fault.stall_after))
        if hold := self._faults.next_hold(self.part.answer.about, self._at):
            stops.append(hold.at)
        return min(stops)

    def _send(self, stop: int) -> None:
        step = _STEP if self.fault.rate is None else max(1, self.fault.rate // 20)
        view = self.part.answer.content.view(self._at, min(stop, self._at + step))
        sent = 0
        self.record.sent += len(view)  # at once: who has the bytes must find them counted
        try:
            sent = self._connection.send(view)
        finally:
            self.record.sent -= len(view) - sent
        self._at += sent
        if self.fault.rate is not None:
            self.sleep(sent / self.fault.rate)

    def _stand(self) -> None:
        """Wait at a hold, or where the fault stalls."""
        hold = self._faults.next_hold(self.part.answer.about, self._at)
        if hold and hold.at == self._at:
            hold.reached.set()
            self._wait(hold.released)
        elif self._trouble is not None:
            self._wait(self._trouble.over)

    def _wait(self, event: threading.Event, seconds: float = threading.TIMEOUT_MAX) -> None:
        """Wait for an event, as long as the client does.

        Raises:
            ConnectionAbortedError: it left.
        """
        until = time.monotonic() + seconds
        while not event.wait(min(_POLL, max(0.0, until - time.monotonic()))):
            if time.monotonic() >= until:
                return
            with suppress(BlockingIOError):
                if not self._connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT):
                    raise ConnectionAbortedError("the client left")
