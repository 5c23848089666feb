"""What of a lesson's tokens a cutoff keeps, by LLaMA-Factory's own processors.

Kept tokens and their labels are those of the installed ``_encode_data_example``, compared one by
one; what it dropped is worked out beside it, turn by turn. Knows nothing about texts of tokens.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Literal

from backend.data.meaning.lesson import Lesson
from backend.errors import DataError
from backend.workers.inspect_model import Fitted
from backend.workers.inspect_slots import answer, messages_of


@dataclass(frozen=True)
class Segment:
    """The tokens of one side of a turn.

    Attributes:
        labels: One for each of ``ids``.
        kept: So many from the left are kept.
        side: What is read, what is trained, or the end token behind the last turn.
    """

    ids: list[int]
    labels: list[int]
    kept: int
    side: Literal["source", "target", "end"]


def segments_of(fitted: Fitted, lesson: Lesson, cutoff: int) -> list[list[Segment]]:
    """The sides of all turns in order; of a pair those of the chosen and of the rejected answer.

    Args:
        cutoff: In tokens.

    Raises:
        DataError: the template needs tokens that the tokenizer lacks, or LLaMA-Factory's own result
            is another.
    """
    found = (_pairwise if lesson.pair else _supervised)(fitted, lesson, cutoff)
    if any(token is None for segments in found for one in segments for token in one.ids):
        raise DataError("data.errors.template_foreign", template=fitted.name)
    for segments, theirs in zip(found, _by_llamafactory(fitted, lesson, cutoff), strict=True):
        kept = [ids_of(segments, kept=True), ids_of(segments, kept=True, labels=True)]
        if kept != theirs:
            raise DataError("data.errors.tokens_differ")
    return found


def _supervised(fitted: Fitted, lesson: Lesson, cutoff: int) -> list[list[Segment]]:
    """After ``SupervisedDatasetProcessor._encode_data_example``, which stops when it is full."""
    ignored, ends = fitted.processors.ignored, fitted.template.efficient_eos
    eos = fitted.tokenizer.eos_token_id
    messages = messages_of(lesson)
    turns = fitted.template.encode_multiturn(fitted.tokenizer, messages, lesson.system, "", False)
    used, found = fitted.tail, []
    for number, (source, target) in enumerate(turns):
        kept_source, kept_target = 0, 0
        if used < cutoff:
            kept_source, kept_target = fitted.processors.infer_seqlen(
                len(source), len(target), cutoff - used
            )
        used += kept_source + kept_target
        labels = [ignored] * len(source)
        if ends and number and labels:  # the answer before learns to end here
            labels[0] = eos
        found.append(Segment(source, labels, kept_source, "source"))
        found.append(Segment(target, target, kept_target, "target"))
    return [[*found, Segment([eos], [eos], 1, "end")] if ends else found]


def _pairwise(fitted: Fitted, lesson: Lesson, cutoff: int) -> list[list[Segment]]:
    """After ``PairwiseDatasetProcessor._encode_data_example``: one cut for both answers."""
    assert lesson.pair is not None
    template, messages = fitted.template, messages_of(lesson)
    end = [fitted.tokenizer.eos_token_id] if template.efficient_eos else []
    encoded = [
        template.encode_oneturn(fitted.tokenizer, [*messages, answer(one)], lesson.system, "")
        for one in lesson.pair
    ]
    source, targets = encoded[0][0], [[*target, *end] for _, target in encoded]
    kept_source, kept_target = fitted.processors.infer_seqlen(
        len(source), max(map(len, targets)), cutoff
    )
    prompt = Segment(source, [fitted.processors.ignored] * len(source), kept_source, "source")
    return [
        [prompt, Segment(target, target, min(kept_target, len(target)), "target")]
        for target in targets
    ]


def _by_llamafactory(fitted: Fitted, lesson: Lesson, cutoff: int) -> list[list[list[int]]]:
    """Ids and labels by the installed processor, with the options of a run that sets none."""
    options = SimpleNamespace(cutoff_len=cutoff, mask_history=False, train_on_prompt=False)
    messages = messages_of(lesson)
    if lesson.pair:
        prompt, response = messages, [answer(one) for one in lesson.pair]
        kind = fitted.processors.pairwise
    else:
        prompt, response = messages[:-1], messages[-1:]
        kind = fitted.processors.supervised
    processor = kind(fitted.template, fitted.tokenizer, None, options)
    made = processor._encode_data_example(prompt, response, lesson.system, "", [], [], [])
    return [list(made[start : start + 2]) for start in range(0, len(made), 2)]


def ids_of(segments: Sequence[Segment], *, kept: bool = False, labels: bool = False) -> list[int]:
    """The ids, or else the labels, of all segments in order; of all tokens or of the kept ones."""
    return [
        token
        for one in segments
        for token in (one.labels if labels else one.ids)[: one.kept if kept else None]
    ]
