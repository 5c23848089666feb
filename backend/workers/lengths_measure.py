"""How many tokens LLaMA-Factory makes of each turn of many lessons, counted in batches.

The template's own code gives the strings that LLaMA-Factory encodes one by one (``inspect_slots``);
the Rust tokenizer encodes those of many lessons at a time. Knows nothing about files, cutoffs and
processes.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import chain
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from backend.data.meaning.lesson import CLOSE, Lesson
from backend.errors import DataError
from backend.workers.inspect_model import Fitted
from backend.workers.inspect_slots import Sides, SlotRecorder, Slots, Special, slots_of

BATCH_CHARACTERS = 1 << 17
"""Characters encoded at a time. What the tokenizer makes of them takes about fifty times as much
memory for a moment, and larger batches are not faster."""

Arrays = dict[str, NDArray[np.int32] | NDArray[np.int64]]


class Counted(NamedTuple):
    """Tokens of a text.

    Attributes:
        closed: Tokens up to and including the one that ends the first ``</think>``; 0 where the
            text has none.
    """

    tokens: int
    closed: int


class TokenCounter:
    """Counts the tokens of texts, each encoded by itself and without special tokens.

    Args:
        tokenizer: As transformers loads it; one of sentencepiece alone is slower.
    """

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._rust = getattr(tokenizer, "backend_tokenizer", None)
        if self._rust is not None:
            # As transformers' encode does: a tokenizer.json may carry either.
            self._rust.no_truncation()
            self._rust.no_padding()
        added = {str(token): number for number, token in tokenizer.added_tokens_decoder.items()}
        self._close = added.get(CLOSE)

    def __call__(self, texts: Sequence[str]) -> list[Counted]:
        """The counts of texts, in their order."""
        if self._rust is None:
            return [self._slowly(text) for text in texts]
        if self._close is not None:
            found = self._rust.encode_batch_fast(texts, add_special_tokens=False)
            return [
                Counted(len(one), one.ids.index(self._close) + 1 if CLOSE in text else 0)
                for text, one in zip(texts, found, strict=True)
            ]
        # Several tokens make the tag: where it ends is told by offsets, which cost some time.
        found = self._rust.encode_batch(texts, add_special_tokens=False)
        return [
            Counted(len(one), _token_at(one.offsets, text.find(CLOSE) + len(CLOSE)))
            if CLOSE in text
            else Counted(len(one), 0)
            for text, one in zip(texts, found, strict=True)
        ]

    def _slowly(self, text: str) -> Counted:
        ids = self._tokenizer.encode(text, add_special_tokens=False)
        if CLOSE not in text:
            return Counted(len(ids), 0)
        until = text[: text.find(CLOSE) + len(CLOSE)]
        return Counted(len(ids), len(self._tokenizer.encode(until, add_special_tokens=False)))


def _token_at(offsets: Sequence[tuple[int, int]], end: int) -> int:
    """The number, from 1, of the first token that reaches to the character before ``end``."""
    for number, (_, last) in enumerate(offsets, start=1):
        if last >= end:
            return number
    return len(offsets)


@dataclass
class _Side:
    """A side of a turn: single tokens that the template names, and the places of its texts."""

    singles: int
    first: int
    last: int


@dataclass
class _Batch:
    """Lessons whose texts are encoded together."""

    rows: list[int] = field(default_factory=list)
    turns: list[list[tuple[_Side, tuple[_Side, ...]]]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    characters: int = 0

    def side(self, slots: Slots) -> _Side:
        """Note a side's texts. LLaMA-Factory encodes no empty one."""
        texts = [slot for slot in slots if isinstance(slot, str) and slot]
        first = len(self.texts)
        self.texts += texts
        self.characters += sum(map(len, texts))
        singles = sum(isinstance(slot, Special) for slot in slots)
        return _Side(singles, first, len(self.texts))


class Measured:
    """The lengths of lessons as they are counted; four to eight bytes for each number."""

    def __init__(self) -> None:
        self._rows = array("q")
        self._starts = array("q", [0])
        self._source = array("i")
        self._target = array("i")
        self._reasoning = array("i")

    def add(self, batch: _Batch, counts: Sequence[Counted]) -> None:
        """Take up a batch of lessons with the counts of its texts."""
        for row, turns in zip(batch.rows, batch.turns, strict=True):
            for source, targets in turns:
                self._source.append(_length(source, counts))
                self._target.append(max(_length(one, counts) for one in targets))
            self._rows.append(row)
            self._starts.append(len(self._source))
            self._reasoning.append(max(_closed(one, counts) for one in turns[-1][1]))

    def extend(self, other: Measured) -> None:
        """Take up the lengths of lessons that come behind these."""
        turns = len(self._source)
        self._starts.extend(start + turns for start in other._starts[1:])
        for mine, more in (
            (self._rows, other._rows),
            (self._source, other._source),
            (self._target, other._target),
            (self._reasoning, other._reasoning),
        ):
            mine.extend(more)

    @property
    def tokens(self) -> int:
        return sum(self._source) + sum(self._target)

    @property
    def count(self) -> int:
        """Lessons."""
        return len(self._rows)

    def arrays(self) -> Arrays:
        """By the names of ``backend.data.tokens.lengths``."""
        return {
            "rows": np.array(self._rows, dtype=np.int64),
            "turn_starts": np.array(self._starts, dtype=np.int64),
            "source": np.array(self._source, dtype=np.int32),
            "target": np.array(self._target, dtype=np.int32),
            "reasoning": np.array(self._reasoning, dtype=np.int32),
        }


def measure(
    lessons: Iterable[tuple[int, Lesson]],
    fitted: Fitted,
    told: Callable[[int], None] = lambda row: None,
) -> Measured:
    """Count the tokens of all turns of lessons.

    Args:
        lessons: With the number of each one's row.
        fitted: The model's tokenizer with the template.
        told: Called with the number of the last row counted, after each batch.

    Raises:
        DataError: the template needs tokens that the tokenizer lacks.
    """
    recorder, counter = SlotRecorder(fitted.tokenizer), TokenCounter(fitted.tokenizer)
    found, batch = Measured(), _Batch()
    for row, lesson in lessons:
        turns = slots_of(fitted.template, recorder, lesson)
        if not found.count and not batch.rows:
            _check(fitted, turns)
        batch.rows.append(row)
        batch.turns.append(
            [(batch.side(one.source), tuple(map(batch.side, one.targets))) for one in turns]
        )
        if batch.characters >= BATCH_CHARACTERS:
            found.add(batch, counter(batch.texts))
            told(row)
            batch = _Batch()
    found.add(batch, counter(batch.texts))
    return found


def _check(fitted: Fitted, turns: Sequence[Sides]) -> None:
    """Whether the tokenizer has the tokens that the template names."""
    for slot in chain.from_iterable((*one.source, *chain(*one.targets)) for one in turns):
        if not isinstance(slot, Special):
            continue
        if fitted.tokenizer.convert_tokens_to_ids(slot.token) is None:
            raise DataError("data.errors.template_foreign", template=fitted.name)


def _length(side: _Side, counts: Sequence[Counted]) -> int:
    return side.singles + sum(one.tokens for one in counts[side.first : side.last])


def _closed(side: _Side, counts: Sequence[Counted]) -> int:
    """Tokens of an answer up to the end of its first ``</think>``; 0 where it has none."""
    before = 0
    for one in counts[side.first : side.last]:
        if one.closed:
            return before + one.closed
        before += one.tokens
    return 0
