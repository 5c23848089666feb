"""One answer being made, as token ids. Knows nothing about text, and nothing of its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from backend.workers.engine_sampling import Sampler


@dataclass(frozen=True)
class Token:
    """A row's next token."""

    id: int


@dataclass(frozen=True)
class End:
    """A row's last event: "stop", "length", "cancelled", or "error" with its text."""

    reason: str
    error: str = ""


@dataclass(eq=False)
class Row:
    """One answer being made.

    Args:
        prompt: Token ids.
        adapter: The bank's number of its adapter; None for the base.
        sampler: Chooses its tokens.
        longest: Most tokens to make.
        stop_ids: Tokens that end it and are not given out.
        sink: Gets its events, called from the loop's thread.
    """

    prompt: Sequence[int]
    adapter: int | None
    sampler: Sampler
    longest: int
    stop_ids: frozenset[int]
    sink: Callable[[Token | End], None]
    made: int = 0
    last: int = -1
    cancelled: bool = False
    ended: bool = field(default=False, init=False)

    @property
    def cached(self) -> int:
        """Tokens whose keys and values are in the cache: all but the last."""
        return len(self.prompt) + self.made - 1

    @property
    def total(self) -> int:
        return len(self.prompt) + self.longest

    def take(self, token: int) -> None:
        if self.cancelled:
            return self.end("cancelled")
        if token in self.stop_ids:
            return self.end("stop")
        self.last = token
        self.made += 1
        self.sink(Token(token))
        if self.made >= self.longest:
            self.end("length")
        return None

    def end(self, reason: str, error: str = "") -> None:
        if not self.ended:
            self.ended = True
            self.sink(End(reason, error))
