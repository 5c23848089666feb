"""A line to a local server that can be cut and mended, as when a network goes and comes back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from types import TracebackType
from typing import Self


class Line:
    """Passes on what comes for ``port`` while it is whole; while it is cut, nobody answers there.

    Args:
        to: The port of the server behind it.

    Attributes:
        port: Where it begins; the same after it was mended.
    """

    def __init__(self, to: int) -> None:
        self._to = to
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        self._whole = False
        self.port = 0
        self.mend()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cut()

    def mend(self) -> None:
        entrance = socket.create_server(("127.0.0.1", self.port))
        self.port = entrance.getsockname()[1]
        self._whole = True
        self._begin(self._accept, entrance)

    def cut(self) -> None:
        """Hang up on both sides of every connection, and listen no more."""
        with self._lock:
            self._whole = False
            ends, self._open = self._open, []
        for end in ends:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        for thread in self._threads:
            thread.join()
        self._threads.clear()

    def _begin(self, work: Callable[..., None], *ends: socket.socket) -> None:
        thread = threading.Thread(target=work, args=ends)
        with self._lock:
            if self._whole:
                self._open += [end for end in ends if end not in self._open]
                self._threads.append(thread)
                thread.start()
                return
        for end in ends:
            end.close()

    def _accept(self, entrance: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = entrance.accept()
                far = socket.create_connection(("127.0.0.1", self._to))
                self._begin(self._pass_on, near, far)
                self._begin(self._pass_on, far, near)

    def _pass_on(self, source: socket.socket, goal: socket.socket) -> None:
        with suppress(OSError):
            while piece := source.recv(1 << 16):
                goal.sendall(piece)
            goal.shutdown(socket.SHUT_WR)
