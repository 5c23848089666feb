"""What a row teaches, whatever the format of its file: a conversation that ends with an answer.

All formats become a ``Lesson``; checks, token lengths and the prepared files are made from it. An
answer is written as R1 models write theirs: ``<think>\\n{reasoning}\\n</think>\\n\\n{answer}``,
which are the thought words of LLaMA-Factory's template ``deepseekr1``. Knows nothing about files.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

OPEN = "<think>"
CLOSE = "</think>"

Speaker = Literal["user", "assistant"]


class Turn(NamedTuple):
    """What one side says."""

    speaker: Speaker
    content: str


class Pair(NamedTuple):
    """Two answers to one question, of which the first is the better one."""

    chosen: str
    rejected: str


class Parts(NamedTuple):
    """An answer in its parts.

    Attributes:
        reasoning: What is between the tags, without the line ends beside them; None where there is
            no think block at the start.
        answer: What comes behind the block, or all of it.
    """

    reasoning: str | None
    answer: str


class Lesson(NamedTuple):
    """A conversation that the model is trained on. A named tuple, since a file has many: a third of
    the time of a frozen dataclass.

    Attributes:
        turns: User and assistant by turns, the user first. The last one is the assistant's, or the
            user's where ``pair`` holds the answers.
        system: The system prompt; empty where there is none.
        pair: Of a preference pair: the answers.
    """

    turns: tuple[Turn, ...]
    system: str = ""
    pair: Pair | None = None

    @property
    def question(self) -> str:
        """What the user says last."""
        return self.turns[-1 if self.pair else -2].content

    @property
    def output(self) -> str:
        """The whole last answer, with its reasoning; of a pair the chosen one."""
        return self.pair.chosen if self.pair else self.turns[-1].content

    def with_output(self, output: str) -> Lesson:
        """The same with another last answer (of a pair: another chosen one)."""
        if self.pair:
            return self._replace(pair=Pair(output, self.pair.rejected))
        return self._replace(turns=(*self.turns[:-1], Turn("assistant", output)))


def output_of(reasoning: str, answer: str) -> str:
    """Reasoning and answer as one output."""
    return f"{OPEN}\n{reasoning}\n{CLOSE}\n\n{answer}"


def parts_of(output: str) -> Parts:
    """Reasoning and answer of an output with a whole think block at its start."""
    head = output.lstrip()
    if not head.startswith(OPEN) or CLOSE not in head:
        return Parts(None, output)
    reasoning, _, answer = head.removeprefix(OPEN).partition(CLOSE)
    return Parts(reasoning.strip("\r\n"), answer.lstrip("\r\n"))
