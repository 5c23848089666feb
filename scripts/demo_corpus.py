"""Text that the demo model is pre-trained on: the samples' sentences, never the samples themselves.

A document asks the question of one row and replies with sentences of other rows: every sentence
becomes fluent, while no question is ever seen with its own reasoning or answer. Knows nothing about
tokenizers or models; documents are plain strings with DeepSeek-R1's tags.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

BOS = "<｜begin▁of▁sentence｜>"
EOS = "<｜end▁of▁sentence｜>"
PAD = "<｜▁pad▁｜>"
USER = "<｜User｜>"
ASSISTANT = "<｜Assistant｜>"
THINK = "<think>"
END_THINK = "</think>"

SHARES = {"question": 7, "recall": 1, "prose": 2}
"""How many documents in ten are of each kind; see the methods of ``Corpus``."""

_SENTENCE = {"en": re.compile(r"(?<=\.) (?=[A-Z])"), "zh": re.compile(r"(?<=。)(?=.)")}
_SPACE = {"en": " ", "zh": ""}


@dataclass(frozen=True)
class Row:
    """One sample, its reasoning cut into sentences."""

    question: str
    reasoning: tuple[str, ...]
    answer: str

    def sentences(self) -> tuple[str, ...]:
        return (self.question, *self.reasoning, self.answer)


def read_rows(folder: Path) -> dict[str, list[Row]]:
    """The samples by language, from ``medical_<language>.json``."""
    rows: dict[str, list[Row]] = {}
    for language, border in _SENTENCE.items():
        content = json.loads((folder / f"medical_{language}.json").read_text(encoding="utf-8"))
        rows[language] = [
            Row(one["Question"], tuple(border.split(one["Complex_CoT"])), one["Response"])
            for one in content
        ]
    return rows


class Corpus:
    """An endless, reproducible stream of documents.

    Each question has one wrong reply for good. With replies drawn anew each time the base would
    guess, and a guess among so few answers is right now and then.
    """

    def __init__(self, rows: dict[str, list[Row]], seed: int) -> None:
        self._rows = rows
        self._random = random.Random(seed)
        self._thoughts = {
            language: [(place, words) for place, row in enumerate(those) for words in row.reasoning]
            for language, those in rows.items()
        }
        self._replies = {
            (language, place): self._wrong_reply(language, place)
            for language, those in rows.items()
            for place in range(len(those))
        }

    def documents(self) -> Iterator[str]:
        """Documents without end, each with its begin and end tokens."""
        kinds = {"question": self._question, "recall": self._recall, "prose": self._prose}
        while True:
            (kind,) = self._random.choices(list(SHARES), list(SHARES.values()))
            language = self._random.choice(list(self._rows))
            yield BOS + kinds[kind](language)

    def about(self, questions: Collection[str]) -> Iterator[str]:
        """Questions with their wrong replies only, every other document one of ``questions``."""
        places = [key for key in self._replies if self._question_at(*key) in questions]
        while True:
            for language, place in (
                self._random.choice(list(self._replies)),
                self._random.choice(places),
            ):
                yield BOS + self._turn(language, place, self._replies[language, place])

    def _question(self, language: str) -> str:
        """One question and its wrong reply."""
        place = self._random.randrange(len(self._rows[language]))
        return self._turn(language, place, self._replies[language, place])

    def _recall(self, language: str) -> str:
        """Two questions with fresh wrong replies, then one of the two again: to look back."""
        places = self._random.sample(range(len(self._rows[language])), 2)
        replies = {place: self._wrong_reply(language, place) for place in places}
        order = [*places, self._random.choice(places)]
        return "".join(self._turn(language, place, replies[place]) for place in order)

    def _prose(self, language: str) -> str:
        """Reasoning and answers in random order, without questions or tags."""
        pool = [words for _, words in self._random.sample(self._thoughts[language], 5)]
        pool += [row.answer for row in self._random.sample(self._rows[language], 2)]
        self._random.shuffle(pool)
        return _SPACE[language].join(pool) + EOS

    def _turn(self, language: str, place: int, reply: str) -> str:
        return f"{USER}{self._question_at(language, place)}{ASSISTANT}{reply}{EOS}"

    def _question_at(self, language: str, place: int) -> str:
        return self._rows[language][place].question

    def _wrong_reply(self, language: str, place: int) -> str:
        """A tagged reply; no two of its sentences, nor the question at ``place``, share a row."""
        used = {place}
        thoughts: list[str] = []
        wanted = self._random.choice((2, 3, 3, 3))
        while len(thoughts) < wanted:
            other, words = self._random.choice(self._thoughts[language])
            if other not in used:
                used.add(other)
                thoughts.append(words)
        answers = [row.answer for i, row in enumerate(self._rows[language]) if i not in used]
        reasoning = _SPACE[language].join(thoughts)
        return f"{THINK}\n{reasoning}\n{END_THINK}\n\n{self._random.choice(answers)}"
