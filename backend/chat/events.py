"""What happens while columns answer, as typed values, and a reply gathered from them.

Knows nothing about HTTP or pages.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from backend.errors import EngineError

Reason = Literal["stop", "length", "cancelled"]


@dataclass(frozen=True)
class Delta:
    """More of one column's reply.

    Attributes:
        column: The column's key.
        reasoning: What came for the reasoning.
        text: What came for the answer.
        content: What came as the model wrote it, tags included; a later turn sends this back.
        tokens: Tokens of the reply so far.
        text_was_reasoning: All text before this delta was reasoning: a closing tag came without an
            opening one.
        reasoning_closed: None: no reasoning so far. False: it is open. True: it has ended.
        reasoning_tokens: Of ``tokens``, those of the reasoning, its tags included.
    """

    column: str
    reasoning: str = ""
    text: str = ""
    content: str = ""
    tokens: int = 0
    text_was_reasoning: bool = False
    reasoning_closed: bool | None = None
    reasoning_tokens: int = 0


@dataclass(frozen=True)
class Done:
    """A column's reply is over.

    Attributes:
        reason: "stop" (the model ended it), "length" (the limit of tokens), "cancelled".
        tokens: Tokens of the reply.
        prompt_tokens: Tokens of the prompt; 0 where a cancelled reply never said.
        seconds: From the question to the end.
        first_token_seconds: From the question to the first token; None without one.
        reasoning_seconds: From the first token to the end of the reasoning; None without reasoning.
    """

    column: str
    reason: Reason
    tokens: int
    seconds: float
    first_token_seconds: float | None = None
    prompt_tokens: int = 0
    reasoning_seconds: float | None = None

    @property
    def tokens_per_second(self) -> float | None:
        """Speed after the first token; None where there is nothing to time."""
        if self.first_token_seconds is None or self.tokens < 2:
            return None
        spent = self.seconds - self.first_token_seconds
        return (self.tokens - 1) / spent if spent > 0 else None


@dataclass(frozen=True)
class Failed:
    """A column could not answer, or not to the end. The others go on."""

    column: str
    error: EngineError


Event = Delta | Done | Failed


@dataclass
class Reply:
    """One column's reply, gathered event by event."""

    column: str
    reasoning: str = ""
    text: str = ""
    content: str = ""
    tokens: int = 0
    reasoning_tokens: int = 0
    reasoning_closed: bool | None = None
    done: Done | None = field(default=None)
    error: EngineError | None = field(default=None)

    @property
    def over(self) -> bool:
        return self.done is not None or self.error is not None

    def take(self, event: Event) -> None:
        """Add an event of this column; events of others are ignored."""
        if event.column != self.column:
            return
        match event:
            case Delta():
                if event.text_was_reasoning:
                    self.reasoning, self.text = self.reasoning + self.text, ""
                self.reasoning += event.reasoning
                self.text += event.text
                self.content += event.content
                self.tokens = event.tokens
                self.reasoning_closed = event.reasoning_closed
                self.reasoning_tokens = event.reasoning_tokens
            case Done():
                self.done = event
                self.tokens = event.tokens
            case Failed():
                self.error = event.error
