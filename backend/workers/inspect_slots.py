"""A lesson as the strings and single tokens that LLaMA-Factory cuts into tokens one by one.

LLaMA-Factory's templates encode each slot of their formats by itself. Here a recorder takes the
tokenizer's place: the template's own code runs and leaves its slots instead of their ids. Texts and
counts made of them are then those of the template, whatever it does. Knows nothing about cutoffs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from backend.data.meaning.lesson import Lesson


class Special(NamedTuple):
    """One token that the template names."""

    token: str


Slot = str | Special
Slots = list[Slot]


class SlotRecorder:
    """Poses as a tokenizer whose ids are the slots themselves."""

    def __init__(self, tokenizer: Any) -> None:
        self.bos_token_id = _special(tokenizer.bos_token_id, tokenizer.bos_token)
        self.eos_token_id = _special(tokenizer.eos_token_id, tokenizer.eos_token)

    def encode(self, text: str, add_special_tokens: bool = False) -> list[Slot]:
        return [text]

    def convert_tokens_to_ids(self, token: str) -> Special:
        return Special(token)


def _special(number: int | None, token: str | None) -> Special | None:
    return None if number is None or token is None else Special(token)


@dataclass(frozen=True)
class Sides:
    """A turn: what is read, and what is trained; of a preference pair both answers.

    Attributes:
        targets: One; of a pair the chosen and the rejected answer.
    """

    source: Slots
    targets: tuple[Slots, ...]


def messages_of(lesson: Lesson) -> list[dict[str, str]]:
    """The turns as LLaMA-Factory's converters write them; without the answers of a pair."""
    return [{"role": turn.speaker, "content": turn.content} for turn in lesson.turns]


def answer(content: str) -> dict[str, str]:
    """An answer as LLaMA-Factory's converters write it."""
    return {"role": "assistant", "content": content}


def slots_of(template: Any, recorder: SlotRecorder, lesson: Lesson) -> list[Sides]:
    """The turns of a lesson in slots; of a preference pair one turn with all before the answers."""
    messages, system = messages_of(lesson), lesson.system
    if lesson.pair is None:
        turns = template.encode_multiturn(recorder, messages, system, "", False)
        return [Sides(source, (target,)) for source, target in turns]
    source: Slots = []
    targets = []
    for content in lesson.pair:
        # As PairwiseDatasetProcessor does: the prompt is that of the chosen answer.
        prompt, target = template.encode_oneturn(recorder, [*messages, answer(content)], system, "")
        source = source or prompt
        targets.append([*target, *([recorder.eos_token_id] if template.efficient_eos else [])])
    return [Sides(source, tuple(targets))]


def text_of(slots: Sequence[Slot]) -> str:
    """The text that slots stand for."""
    return "".join(slot.token if isinstance(slot, Special) else slot for slot in slots)
